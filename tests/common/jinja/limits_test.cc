// Templates that ask for too much: each ends at a limit that it names, with the default limits and
// with little memory. scripts/accept.d/templates runs them within 1 GB of address space.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <string>
#include <string_view>

#include "common/base/status.h"
#include "common/jinja/jinja.h"
#include "tests/support/status_matchers.h"

namespace atl::jinja {
namespace {

struct Hostile {
  std::string source;
  std::string_view sentence;  // a part of what is answered
};

std::string Many(std::string_view text, int count) {
  std::string result;
  result.reserve(text.size() * static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) result += text;
  return result;
}

// Runs `body` a million times, which no limit but that of steps or of size stops.
std::string Loop(std::string_view start, std::string_view body) {
  return "{% set ns = namespace() %}" + std::string(start) +
         "{% for i in range(1000) %}{% for j in range(1000) %}" + std::string(body) +
         "{% endfor %}{% endfor %}";
}

constexpr std::string_view kSteps = "rendering took more than ";

// Under a sanitizer, where the limits take a minute to reach, that of steps may come first.
#ifdef __SANITIZE_ADDRESS__
constexpr Limits kLimits = {.steps_max = 400'000};
#else
constexpr Limits kLimits;
#endif

void ExpectEnds(const Hostile& hostile) {
  SCOPED_TRACE(hostile.source.substr(0, 200));
  const auto begin = std::chrono::steady_clock::now();
  const auto parsed = Template::Parse(hostile.source, kLimits);
  absl::Status status = parsed.status();
  if (parsed.ok()) status = (*parsed)->Render({}).status();
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  const std::string_view end =
      std::string_view(hostile.source)
          .substr(hostile.source.size() - std::min<size_t>(hostile.source.size(), 100));
  std::cout << fmt::format("{:8.1f} ms  {}\n", took.count(), end) << std::flush;
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(MessageOf(status), ::testing::StartsWith("template:1: "));
  if (kLimits.steps_max < Limits().steps_max && MessageOf(status).find(kSteps) != std::string::npos)
    return;
  EXPECT_THAT(MessageOf(status), ::testing::HasSubstr(std::string(hostile.sentence)));
}

constexpr std::string_view kText = "a text grew beyond 67108864 bytes";
constexpr std::string_view kNesting = "nests deeper than 200";
constexpr std::string_view kValues = "lists and dicts nest deeper than 200";
constexpr std::string_view kInt64 = "an integer beyond 64 bits";
constexpr std::string_view kRange = "ranges larger than MAX_RANGE (100000)";

TEST(LimitsTest, Text) {
  for (const Hostile& hostile : {
           Hostile{"{{ 'a' * 10**9 }}", kText},
           Hostile{"{{ 10**18 * 'ab' }}", kText},
           Hostile{Loop("{% set ns.x = 'a' %}", "{% set ns.x = ns.x * 2 %}"), kText},
           Hostile{Loop("{% set ns.x = 'a' %}", "{% set ns.x = ns.x ~ ns.x %}"), kText},
           Hostile{Loop("{% set ns.x = 'a' %}", "{% set ns.x = ns.x + ns.x %}"), kText},
           Hostile{Loop("{% set ns.x = 'ab' %}", "{% set ns.x = ns.x|replace('', ns.x) %}"),
                   kSteps},
           Hostile{Loop("{% set ns.x = 'ab' %}", "{% set ns.x = ns.x.join(ns.x) %}"), kText},
           Hostile{Loop("{% set ns.x = 'ab' %}", "{% set ns.x = [ns.x, ns.x]|tojson %}"), kText},
           Hostile{Loop("{% set ns.x = 'ab' %}", "{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}"),
                   kText},
           Hostile{"{% set x = 'a' * 10**7 %}{{ x.replace('a', 'bcdefghijk') }}", kSteps},
           Hostile{"{% set x = 'a' * 10**7 %}{{ x.replace('', x) }}", kSteps},
           Hostile{"{{ (['x' * 10**6] * 99000)|join }}", kText},
           Hostile{"{{ (['x' * 10**6] * 99000)|tojson }}", kText},
           Hostile{"{{ ['x' * 10**6] * 99000 }}", kText},
           Hostile{"{{ ('\\n' * 10**6)|indent(1000, true, true) }}", kSteps},
           Hostile{"{{ range(100000)|list|tojson(indent=' ' * 10**6) }}", kText},
           Hostile{"{{ range(100000)|list|tojson(separators=(',' * 10**6, ':')) }}", kText},
           Hostile{"{{ ['\\x00' * 10**7 * 6]|tojson }}", kText},
           Hostile{"{{ ['\\x00' * 10**7 * 6] }}", kText},
           Hostile{"{% for i in range(100000) %}" + std::string(1000, 'x') + "{% endfor %}", kText},
           Hostile{"{% macro m(x) %}{{ m(x + x) }}{% endmacro %}{{ m('a') }}", kText},
       }) {
    ExpectEnds(hostile);
  }
}

TEST(LimitsTest, Widths) {
  for (const Hostile& hostile : {
           Hostile{"{{ 'a'.center(10**9) }}", "a width of 1000000000 is too large"},
           Hostile{"{{ 'a'.ljust(10**18) }}", "a width of 1000000000000000000 is too large"},
           Hostile{"{{ 'a'.rjust(10**9, '世') }}", "a width of 1000000000 is too large"},
           Hostile{"{{ 'a'|indent(10**9) }}", "indent takes at most 1000 spaces"},
           Hostile{"{{ [1]|tojson(indent=10**9) }}", "tojson indents by at most 100"},
           Hostile{"{{ '%1000000000d' % 1 }}", "formatting a string with '%' is not supported"},
           Hostile{"{{ '{:>1000000000}'.format(1) }}", "this method of a string is not supported"},
           Hostile{"{{ [1]|batch(10**9, 'x')|list }}", "batch needs a size from 1 to 100000"},
           Hostile{"{{ 1.5|round(10**9) }}", "round takes a precision from 0 to 15"},
       }) {
    ExpectEnds(hostile);
  }
}

TEST(LimitsTest, Numbers) {
  for (const Hostile& hostile : {
           Hostile{"{{ 10**10**10 }}", kInt64},
           Hostile{"{{ 2**63 }}", kInt64},
           Hostile{"{{ (0-9)**(10**18) }}", kInt64},
           Hostile{"{{ 10.0**1000 }}", "no finite number"},
           Hostile{"{{ " + std::string(100000, '9') + " + 1 }}", kInt64},
           Hostile{Loop("{% set ns.x = 3 %}", "{% set ns.x = ns.x * ns.x %}"), kInt64},
           Hostile{"{% for i in range(10**9) %}{% endfor %}", kRange},
           Hostile{"{{ range(0, 0 - 10**18, 0 - 1)|length }}", kRange},
           Hostile{"{% for i in range(10**18, 10**18 + 10**9) %}{% endfor %}", kRange},
       }) {
    ExpectEnds(hostile);
  }
}

TEST(LimitsTest, Steps) {
  for (const Hostile& hostile : {
           Hostile{Loop("", "{% for k in range(1000) %}{% endfor %}"), kSteps},
           Hostile{
               "{% set x = range(100000)|list %}{% for i in x %}{{ x|length == x|sum }}{% endfor "
               "%}",
               kSteps},
           Hostile{Loop("{% set ns.x = [1] %}", "{% set ns.x = ns.x + ns.x %}"), kSteps},
           Hostile{Loop("{% set ns.x = [1] %}", "{% set ns.x = ns.x * 2 %}"), kSteps},
           Hostile{"{{ ([1] * 10**9)|length }}", kSteps},
           Hostile{"{% set x = 'a' * 10**7 %}{% for c in x %}{% endfor %}{% for c in x %}{% endfor "
                   "%}{{ x|list|length }}{{ x|list|length }}",
                   kSteps},
           Hostile{"{{ ('a ' * 10**7).split()|length }}{{ ('a ' * 10**7).split()|length }}",
                   kSteps},
           Hostile{Loop("{% set x = 'a' * 10**7 %}", "{{ x.count('b') }}"), kSteps},
           Hostile{Loop("{% set x = 'a' * 10**7 %}", "{{ x[::-1]|length }}"), kSteps},
           Hostile{Loop("{% set x = 'a' * 10**7 %}", "{% if x.strip('a') %}{% endif %}"), kSteps},
           Hostile{Loop("{% set x = 'a' * 10**7 %}", "{% if x.upper() == x|lower %}{% endif %}"),
                   kSteps},
           Hostile{
               Loop("{% set x = ('a' * 10**6 + 'b') * 30 %}",
                    "{% if x.startswith(x) %}{% endif %}{% if x.removeprefix('a') %}{% endif %}"),
               kSteps},
           Hostile{Loop("{% set x = 'a' * 10**7 %}{% set y = 'a' * 10**6 ~ 'b' %}",
                        "{% if y in x or x.split(y)[1] or x.count(y) %}{% endif %}"),
                   kSteps},
           Hostile{Loop("{% set x = 'a' * 10**7 %}{% set y = 'b' ~ 'a' * 10**6 %}",
                        "{% if x.rfind(y) or x.rsplit(y) or x.rpartition(y) %}{% endif %}"),
                   kSteps},
           Hostile{Loop("{% set x = 'a' * 10**6 %}{% set y = 'b' * 10**6 ~ 'a' %}",
                        "{% if x.strip(y) or x|trim(y) %}{% endif %}"),
                   kSteps},
           Hostile{Loop("{% set x = '1' * 10**7 %}", "{% if x|float %}{% endif %}"), kSteps},
           Hostile{Loop("{% set x = 'a' * 10**7 %}", "{% if x|title|wordcount %}{% endif %}"),
                   kSteps},
           Hostile{Loop("{% set x = range(100000)|list %}", "{{ x|sort|first + x|max }}"), kSteps},
           Hostile{Loop("{% set x = range(100000)|list %}", "{% if 0-1 in x %}{% endif %}"),
                   kSteps},
           Hostile{Loop("{% set x = range(100000)|list %}", "{{ x.count(5) }}"), kSteps},
           Hostile{Loop("{% set x = range(100000)|list %}", "{{ x|map('string')|first }}"), kSteps},
           Hostile{Loop("{% set x = range(100000)|list %}", "{{ x|unique|first }}"), kSteps},
           Hostile{Loop("{% set x = ('a' * 10**7) %}", "{% if x|default('')|int %}{% endif %}"),
                   kSteps},
       }) {
    ExpectEnds(hostile);
  }
}

TEST(LimitsTest, Depth) {
  const int deep = 100000;
  for (const Hostile& hostile : {
           Hostile{"{{ " + Many("(", deep) + "1" + Many(")", deep) + " }}", kNesting},
           Hostile{"{{ " + Many("[", deep) + Many("]", deep) + " }}", kNesting},
           Hostile{"{{ " + Many("{1:", deep) + "1" + Many("}", deep) + " }}", kNesting},
           Hostile{"{{ " + Many("x(", deep) + Many(")", deep) + " }}", kNesting},
           Hostile{"{{ " + Many("x[", deep) + "1" + Many("]", deep) + " }}", kNesting},
           Hostile{"{{ x" + Many("[0]", deep) + " }}", kNesting},
           Hostile{"{{ x" + Many("()", deep) + " }}", kNesting},
           Hostile{"{{ " + Many("not ", deep) + "x }}", kNesting},
           Hostile{"{{ " + Many("-", deep) + "1 }}", kNesting},
           Hostile{"{{ 1" + Many("**1", deep) + " }}", kNesting},
           Hostile{"{{ 1" + Many(" if 1 else 1", deep / 2) + " }}", kNesting},
           Hostile{"{{ 1 is eq " + Many("(", deep) + "1" + Many(")", deep) + " }}", kNesting},
           Hostile{"{{ x" + Many("|default(x", deep / 2) + Many(")", deep / 2) + " }}", kNesting},
           Hostile{Many("{%if 1%}", deep), "tags nest deeper than 200"},
           Hostile{Many("{%for x in 1%}", deep / 2), "nest deeper than 200"},
           Hostile{Many("{%macro m()%}", deep / 2), "tags nest deeper than 200"},
           Hostile{Many("{%set x%}", deep), "nest deeper than 200"},
           Hostile{Many("{%call x()%}", deep / 2), "tags nest deeper than 200"},
           Hostile{"{% set " + Many("(", deep) + "x" + Many(")", deep) + " = 1 %}",
                   "targets nest deeper than 200"},
           Hostile{"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "more than 800 deep"},
           Hostile{"{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ "
                   "a() }}",
                   "more than 800 deep"},
           Hostile{
               "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}",
               "more than 800 deep"},
           Hostile{"{% for x in [1] recursive %}{{ loop([x]) }}{% endfor %}", "more than 800 deep"},
           Hostile{Loop("{% set ns.x = [] %}", "{% set ns.x = [ns.x] %}"), kValues},
           Hostile{Loop("{% set ns.x = {} %}", "{% set ns.x = {'x': ns.x} %}"), kValues},
           Hostile{Loop("{% set ns.x = [] %}", "{% set ns.x = [ns.x]|map('list') %}"), kValues},
           Hostile{Loop("{% set ns.x = [] %}", "{% set ns.x = dict(x=ns.x).items() %}"), kValues},
           Hostile{Loop("{% set ns.x = [1] %}",
                        "{% for k in [ns.x] %}{% set ns.x = loop.cycle %}{% endfor %}"),
                   "deep"},
       }) {
    ExpectEnds(hostile);
  }
}

}  // namespace
}  // namespace atl::jinja
