// Limits and refusals of the template engine; what it computes is in grid_test.cc.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "common/jinja/jinja.h"
#include "common/jinja/values/literal.h"
#include "common/jinja/values/text.h"
#include "tests/support/status_matchers.h"

namespace atl::jinja {
namespace {

// What a template without input gives, or "error: ..." or "parse error: ...".
std::string Render(const std::string& source, const Limits& limits = {}) {
  const auto parsed = Template::Parse(source, limits);
  if (!parsed.ok()) return "parse error: " + MessageOf(parsed.status());
  const auto prompt = (*parsed)->Render({});
  return prompt.ok() ? prompt->bytes() : "error: " + MessageOf(prompt.status());
}

std::string Repeated(const std::string& text, int count) {
  std::string result;
  for (int i = 0; i < count; ++i) result += text;
  return result;
}

TEST(JinjaTest, StepsAreBounded) {
  const std::string loops =
      "\n{% for a in range(100000) %}\n{% for b in range(100000) %}{% endfor %}{% endfor %}";
  EXPECT_THAT(Render(loops, {.steps_max = 100000}),
              ::testing::StartsWith("error: template:2: rendering took more than 100000 steps"));
  EXPECT_EQ(Render("{% for a in range(1000) %}{% endfor %}ok", {.steps_max = 100000}), "ok");
}

TEST(JinjaTest, TextIsBounded) {
  const Limits limits = {.text_bytes_max = 1000};
  const std::string grew = "a text grew beyond 1000 bytes";
  EXPECT_THAT(Render("{% for a in range(2000) %}x{% endfor %}", limits),
              ::testing::HasSubstr(grew));
  EXPECT_THAT(Render("{% set x = 'a' * 100000000000 %}", limits), ::testing::HasSubstr(grew));
  EXPECT_THAT(Render("{% set ns = namespace(s='ab') %}{% for a in range(99) %}{% set ns.s = ns.s ~ "
                     "ns.s %}{% endfor %}",
                     limits),
              ::testing::HasSubstr(grew));
  EXPECT_THAT(Render("{% set ns = namespace(s='ab') %}{% for a in range(99) %}{% set ns.s = ns.s + "
                     "ns.s %}{% endfor %}",
                     limits),
              ::testing::HasSubstr(grew));
  EXPECT_THAT(Render("{% set s = 'a' * 999 %}{{ s.replace('a', s) }}", limits),
              ::testing::HasSubstr(grew));
  EXPECT_THAT(Render("{% set s = 'a' * 999 %}{{ s|replace('', s) }}", limits),
              ::testing::HasSubstr(grew));
  EXPECT_THAT(Render("{{ range(2000)|join }}", limits), ::testing::HasSubstr(grew));
  EXPECT_THAT(Render("{{ ['a' * 600, 'b' * 600]|tojson }}", limits), ::testing::HasSubstr(grew));
  EXPECT_THAT(Render("{{ ['a' * 600, 'b' * 600] }}", limits), ::testing::HasSubstr(grew));
  EXPECT_THAT(Render("{{ '\n'.join(['a'] * 400)|indent(100) }}", limits),
              ::testing::HasSubstr(grew));
  EXPECT_EQ(Render("{{ 'a' * 1000 }}", limits), std::string(1000, 'a'));
}

TEST(JinjaTest, DepthIsBounded) {
  EXPECT_THAT(Render("{% macro m() %}{{ m() }}{% endmacro %}\n{{ m() }}"),
              ::testing::HasSubstr("template:1: "));
  EXPECT_THAT(Render("{% macro m() %}{{ m() }}{% endmacro %}\n{{ m() }}"),
              ::testing::HasSubstr("more than 800 deep"));
  EXPECT_THAT(Render("{{ " + std::string(5000, '(') + "1" + std::string(5000, ')') + " }}"),
              ::testing::HasSubstr("nests deeper than 200"));
  EXPECT_THAT(Render("{{ " + Repeated("[", 5000) + Repeated("]", 5000) + " }}"),
              ::testing::HasSubstr("nests deeper than 200"));
  EXPECT_THAT(Render("{{ 1" + Repeated(" + 1", 5000) + " }}"),
              ::testing::HasSubstr("nests deeper than 200"));
  EXPECT_THAT(Render("{{ x" + Repeated(".x", 5000) + " }}"),
              ::testing::HasSubstr("nests deeper than 200"));
  EXPECT_THAT(Render("{{ 1" + Repeated("|abs", 5000) + " }}"),
              ::testing::HasSubstr("nests deeper than 200"));
  EXPECT_THAT(Render("{{ " + Repeated("not ", 5000) + "1 }}"),
              ::testing::HasSubstr("nests deeper than 200"));
  EXPECT_THAT(Render("{{ " + Repeated("- ", 5000) + "1 }}"),
              ::testing::HasSubstr("nests deeper than 200"));
  EXPECT_THAT(Render("{{ 1" + Repeated(" if 1 else 1", 5000) + " }}"),
              ::testing::HasSubstr("nests deeper than 200"));
  EXPECT_THAT(Render(Repeated("{% if 1 %}", 5000)),
              ::testing::HasSubstr("tags nest deeper than 200"));
  EXPECT_THAT(Render("{% set " + std::string(5000, '(') + "x" + std::string(5000, ')') + " = 1 %}"),
              ::testing::HasSubstr("targets nest deeper than 200"));
  EXPECT_EQ(Render("{{ 1" + Repeated(" + 1", 100) + " }}"), "101");
  EXPECT_EQ(Render("{% if 0 %}" + Repeated("{% elif 0 %}", 5000) + "{% else %}x{% endif %}"), "x");
}

TEST(JinjaTest, ValuesNestOnlySoDeep) {
  EXPECT_THAT(Render("{% set ns = namespace(l=[]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] "
                     "%}{% endfor %}"),
              ::testing::HasSubstr("lists and dicts nest deeper than 200"));
  EXPECT_THAT(Render("{% set ns = namespace(l={}) %}{% for i in range(9999) %}{% set ns.l = {'a': "
                     "ns.l} %}{% endfor %}"),
              ::testing::HasSubstr("lists and dicts nest deeper than 200"));
  EXPECT_THAT(Render("{% set ns = namespace(l=1) %}{% for i in range(9999) %}{% for j in [ns.l] "
                     "%}{% set ns.l = loop %}{% endfor %}{% endfor %}"),
              ::testing::HasSubstr("deep"));
}

TEST(JinjaTest, SharedPartsCannotExplode) {
  // 100 levels of [x, x] print, compare and hash 2^100 leaves.
  const std::string grow =
      "{% set ns = namespace(l=['a'], m=['a']) %}{% for i in range(100) %}{% set ns.l = [ns.l, "
      "ns.l] %}{% set ns.m = [ns.m, ns.m] %}{% endfor %}";
  const Limits limits = {.steps_max = 1000000};
  for (const std::string use :
       {"{{ ns.l }}", "{{ ns.l|tojson }}", "{{ ns.l == ns.m }}", "{{ ns.l < ns.m }}",
        "{{ ns.l in [ns.m] }}", "{{ ns.l ~ 1 }}", "{{ ns.l|string|length }}"}) {
    EXPECT_THAT(Render(grow + use, limits), ::testing::HasSubstr("more than 1000000 steps")) << use;
  }
}

TEST(JinjaTest, CirclesOfNamespacesAreTakenApart) {
  EXPECT_EQ(Render("{% set a = namespace() %}{% set a.self = a %}{% macro m() %}{{ a.self.x }}{% "
                   "endmacro %}{% set a.m = m %}{% set a.x = 1 %}{{ a.m() }}"),
            "1");
}

TEST(JinjaTest, SourceIsBounded) {
  EXPECT_THAT(Render(std::string(2000, 'x'), {.source_bytes_max = 1000}),
              ::testing::HasSubstr("2000 bytes is longer than the limit of 1000"));
  EXPECT_THAT(Render("a\xff"), ::testing::HasSubstr("not valid UTF-8"));
}

TEST(JinjaTest, RefusesByName) {
  for (const std::string tag : {"include 'x'", "import 'x' as y", "from 'x' import y",
                                "extends 'x'", "block a", "do x", "autoescape true"}) {
    EXPECT_THAT(Render("\n{% " + tag + " %}"),
                ::testing::HasSubstr("template:2: the tag '" + tag.substr(0, tag.find(' ')) +
                                     "' is not supported"));
  }
  EXPECT_EQ(Template::Parse("{% include 'x' %}", {}).status().code(),
            absl::StatusCode::kUnimplemented);
  EXPECT_THAT(Render("{{ f(*x) }}"), ::testing::HasSubstr("'*' and '**' are not supported"));
  EXPECT_THAT(Render("{{ '%s' % 1 }}"),
              ::testing::HasSubstr("formatting a string with '%' is not supported"));
  EXPECT_THAT(Render("{{ strftime_now('%Y') }}"),
              ::testing::HasSubstr("a prompt may not depend on the clock"));
  EXPECT_THAT(
      Render("{{ 9223372036854775807 + 1 }}"),
      ::testing::HasSubstr("an integer beyond 64 bits can be printed, but not computed with"));
  EXPECT_THAT(
      Render("{{ 2 ** 64 }}"),
      ::testing::HasSubstr("an integer beyond 64 bits can be printed, but not computed with"));
}

TEST(JinjaTest, RaisedMessagesCarryNoLine) {
  EXPECT_EQ(Render("\n\n{{ raise_exception('exactly this') }}"), "error: exactly this");
  EXPECT_EQ(Render("\n\n{{ nope.x }}"), "error: template:3: 'nope' is undefined");
}

TEST(JinjaTest, AnyBytesParseOrFailCleanly) {
  std::mt19937 rng(11);
  const std::string pieces[] = {
      "{%",       "%}",  "{{",         "}}",    "{#",     "#}",      "-",   "+",      " ",
      "\n",       "if ", "for x in y", "endif", "endfor", "set a=1", "'",   "\"",     "\\",
      "(",        ")",   "[",          "]",     "{",      "}",       "|",   "trim",   ".",
      "a",        "1",   "1.5",        "~",     "is ",    "defined", "raw", "endraw", "macro m()",
      "endmacro", ",",   ":",          "世",    "==",     "**"};
  for (int round = 0; round < 20000; ++round) {
    std::string source;
    for (size_t i = rng() % 14; i > 0; --i) source += pieces[rng() % std::size(pieces)];
    const std::string got = Render(source);
    if (got.rfind("error: ", 0) == 0) {
      EXPECT_THAT(got, ::testing::StartsWith("error: template:")) << source;
    }
  }
}

TEST(JinjaTest, FloatsPrintAsPython) {
  EXPECT_EQ(FormatFloat(1e22), "1e+22");
  EXPECT_EQ(FormatFloat(9999999999999998.0), "9999999999999998.0");
  EXPECT_EQ(FormatFloat(1e16), "1e+16");
  EXPECT_EQ(FormatFloat(0.0001), "0.0001");
  EXPECT_EQ(FormatFloat(0.00001), "1e-05");
  EXPECT_EQ(FormatFloat(-0.0), "-0.0");
  EXPECT_EQ(FormatFloat(5e-324), "5e-324");
}

TEST(TextTest, RunsJoinAndSlice) {
  Text text;
  text.Append("", Origin::kTemplate);
  EXPECT_TRUE(text.Runs().empty());
  text.Append("ab", Origin::kTemplate);
  text.Append("c", Origin::kUser);
  text.Append("d", Origin::kUser);
  text.Append(Text("e", Origin::kTemplate));
  EXPECT_EQ(text.Runs(), (std::vector<Text::Run>{
                             {2, Origin::kTemplate}, {4, Origin::kUser}, {5, Origin::kTemplate}}));
  EXPECT_EQ(text.Slice(1, 3).Runs(),
            (std::vector<Text::Run>{{1, Origin::kTemplate}, {2, Origin::kUser}}));
  EXPECT_EQ(text.Slice(2, 4).Runs(), (std::vector<Text::Run>{{2, Origin::kUser}}));
  EXPECT_TRUE(text.Slice(3, 3).Runs().empty());
  EXPECT_EQ(text.OriginAt(1), Origin::kTemplate);
  EXPECT_EQ(text.OriginAt(2), Origin::kUser);
}

}  // namespace
}  // namespace atl::jinja
