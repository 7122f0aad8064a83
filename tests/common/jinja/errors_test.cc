// Every kind of mistake is answered by one sentence that names the line of the template and the
// cause.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "common/base/status.h"
#include "common/jinja/jinja.h"
#include "tests/support/status_matchers.h"

namespace atl::jinja {
namespace {

struct Mistake {
  std::string_view source;
  std::string_view sentence;
};

std::string SentenceOf(std::string_view source) {
  const auto parsed = Template::Parse(source, {});
  if (!parsed.ok()) return MessageOf(parsed.status());
  const auto prompt = (*parsed)->Render({});
  return prompt.ok() ? "rendered " + prompt->bytes() : MessageOf(prompt.status());
}

TEST(ErrorsTest, OfTheSource) {
  for (const Mistake& mistake : {
           Mistake{"a\n{% if x %}\nb\n",
                   "template:3: expected '{% endif %}', found the end of the template"},
           Mistake{"\n{% for x in y %}\n{{ x }}",
                   "template:3: expected '{% endfor %}', found the end of the template"},
           Mistake{"{% for x in y %}\n{% endif %}", "template:2: unknown tag 'endif'"},
           Mistake{"\n{% endfor %}", "template:2: unknown tag 'endfor'"},
           Mistake{"{% if 1 %}\n{% else %}\n{% elif 2 %}{% endif %}",
                   "template:3: unknown tag 'elif'"},
           Mistake{"\n\n{{ x|nope }}", "template:3: No filter named 'nope'."},
           Mistake{"{{\nx\n|nope }}", "template:3: No filter named 'nope'."},
           Mistake{"\n{{ x|escape }}",
                   "template:2: the filter 'escape' is not supported in a chat template"},
           Mistake{"\n{{ x is nope }}", "template:2: No test named 'nope'."},
           Mistake{"\n{% nope %}", "template:2: unknown tag 'nope'"},
           Mistake{"\n{% include 'a' %}",
                   "template:2: the tag 'include' is not supported in a chat template"},
           Mistake{"a\n{{ 'b }}\nc", "template:2: a string is not closed"},
           Mistake{"\n{{ '\\x4' }}", "template:2: a string has a truncated \\x, \\u or \\U escape"},
           Mistake{"{# a\nb", "template:1: a comment '{#' is not closed by '#}'"},
           Mistake{"\n{% raw %}\nb", "template:2: '{% raw %}' is not closed by '{% endraw %}'"},
           Mistake{"\n{{ a", "template:2: '{{' is not closed by '}}'"},
           Mistake{"\n{% set a = 1", "template:2: '{%' is not closed by '%}'"},
           Mistake{"\n{{ 1 + }}", "template:2: expected an expression, found '}}'"},
           Mistake{"\n{{ a & b }}", "template:2: unexpected character '&'"},
           Mistake{"\n{{ a ? b : c }}", "template:2: unexpected character '?'"},
           Mistake{"\n{{ (1 }}", "template:2: unexpected '}', expected ')'"},
           Mistake{"\n{{ [1) }}", "template:2: unexpected ')', expected ']'"},
           Mistake{"\n{{ 1) }}", "template:2: unexpected ')'"},
           Mistake{"\n{{ a b }}", "template:2: expected '}}', found 'b'"},
           Mistake{"\n{{ {1} }}", "template:2: expected ':', found '}'"},
           Mistake{"\n{{ 007 }}", "template:2: an integer may not start with 0"},
           Mistake{"\n{{ f(a=1, 2) }}", "template:2: a positional argument follows a named one"},
           Mistake{"\n{{ f(*a) }}", "template:2: arguments by '*' and '**' are not supported"},
           Mistake{"\n{{ f(a=1, a=2) }}", "template:2: two arguments 'a'"},
           Mistake{"\n{% macro m(a, a) %}{% endmacro %}",
                   "template:2: there are two parameters 'a'"},
           Mistake{"\n{% macro m(a=1, b) %}{% endmacro %}",
                   "template:2: parameter 'b' without a default follows one with a default"},
           Mistake{"\n{% macro %}{% endmacro %}", "template:2: expected a name, found '%}'"},
           Mistake{"\n{% set 1 = 2 %}", "template:2: expected a name, found '1'"},
           Mistake{"\n{% set none = 2 %}", "template:2: can't assign to 'none'"},
           Mistake{"\n{% if a = 1 %}{% endif %}", "template:2: expected '%}', found '='"},
           Mistake{"\n{% break %}", "template:2: 'break' stands outside of a loop"},
           Mistake{"\n{% for x y %}{% endfor %}", "template:2: expected 'in', found 'y'"},
           Mistake{"\n{% call 1 %}{% endcall %}",
                   "template:2: '{% call %}' needs a call of a macro"},
           Mistake{"\n{{ 1 is odd is even }}", "template:2: tests with 'is' cannot be chained"},
           Mistake{"\n{{ }}", "template:2: expected an expression, found '}}'"},
       }) {
    EXPECT_EQ(SentenceOf(mistake.source), mistake.sentence) << mistake.source;
  }
}

TEST(ErrorsTest, OfTheRun) {
  for (const Mistake& mistake : {
           Mistake{"\n{{ nope.a }}", "template:2: 'nope' is undefined"},
           Mistake{"\n{{ nope() }}", "template:2: 'nope' is undefined"},
           Mistake{"\n{{ {}.a.b }}", "template:2: 'dict object' has no attribute 'a'"},
           Mistake{"\n{{ {}.a() }}", "template:2: 'dict object' has no attribute 'a'"},
           Mistake{"\n{{ [1][3].x }}", "template:2: list object has no element 3"},
           Mistake{"\n{{ none.strip() }}", "template:2: 'None' has no attribute 'strip'"},
           Mistake{"\n{{ 'a' + 1 }}",
                   "template:2: unsupported operand types for +: 'str' and 'int'"},
           Mistake{"{% set a = [\n1,\n'a' + 1\n] %}",
                   "template:3: unsupported operand types for +: 'str' and 'int'"},
           Mistake{"\n{{ 1 / 0 }}", "template:2: division by zero"},
           Mistake{"\n{{ 1 < 'a' }}",
                   "template:2: values of types 'int' and 'str' cannot be ordered"},
           Mistake{"\n{{ 1 in 2 }}", "template:2: argument of type 'int' is not iterable"},
           Mistake{"\n{{ -'a' }}", "template:2: bad operand type for unary -: 'str'"},
           Mistake{"\n{{ 2 ** 64 }}",
                   "template:2: an integer beyond 64 bits can be printed, but not computed with"},
           Mistake{"\n{{ {[]: 1} }}", "template:2: a dict's key cannot be of type 'list'"},
           Mistake{"\n{% for x in 5 %}\n{% endfor %}", "template:2: 'int' object is not iterable"},
           Mistake{"\n{% for a, b in [[1]] %}{% endfor %}",
                   "template:2: cannot unpack 1 values into 2 names"},
           Mistake{"\n{% set a.b = 1 %}",
                   "template:2: cannot assign attribute on non-namespace object"},
           Mistake{"\n{{ 'a'.replace('b') }}", "template:2: replace() needs an argument 'new'"},
           Mistake{"\n{{ 'a'.upper(1) }}",
                   "template:2: upper, lower, title, capitalize or swapcase() takes at most 0 "
                   "arguments, 1 were given"},
           Mistake{"\n{{ 'a'.split('') }}", "template:2: empty separator"},
           Mistake{"\n{{ 'a'|join(1, 2, 3) }}",
                   "template:2: join() takes at most 2 arguments, 3 were given"},
           Mistake{"\n{{ 'a'|trim(nope=1) }}", "template:2: trim() has no argument 'nope'"},
           Mistake{"\n{{ [1]|map('nope')|list }}", "template:2: No filter named 'nope'."},
           Mistake{"\n{{ [1]|select('nope')|list }}", "template:2: No test named 'nope'."},
           Mistake{"\n{{ [nope]|tojson }}",
                   "template:2: Object of type Undefined is not JSON serializable"},
           Mistake{"\n{{ 5|length }}", "template:2: object of type 'int' has no len()"},
           Mistake{"\n{{ [3, 'a']|sort }}",
                   "template:2: values of types 'str' and 'int' cannot be ordered"},
           Mistake{"\n{{ [].append(1) }}",
                   "template:2: a method that changes a 'list' object is unsafe; build a new one "
                   "with '+'"},
           Mistake{"\n{{ range(1, 2, 0) }}", "template:2: range() arg 3 must not be zero"},
           Mistake{"\n{{ [1][::0] }}", "template:2: slice step cannot be zero"},
           Mistake{"{% macro m(a) %}{% endmacro %}\n{{ m(1, 2) }}",
                   "template:2: macro 'm' takes not more than 1 argument(s)"},
           Mistake{"{% macro m(a) %}{% endmacro %}\n{{ m(b=2) }}",
                   "template:2: macro 'm' takes no keyword argument 'b'"},
           Mistake{"{% macro m() %}\n{{ nope.a }}\n{% endmacro %}\n{{ m() }}",
                   "template:2: 'nope' is undefined"},
           Mistake{"{% macro m() %}{{ m() }}{% endmacro %}\n{{ m() }}",
                   "template:1: expressions and macros run more than 800 deep"},
           Mistake{"\n{% call nope() %}{% endcall %}",
                   "template:2: '{% call %}' needs a macro, not Undefined"},
           Mistake{
               "{% for x in [1] %}\n{{ loop([2]) }}{% endfor %}",
               "template:2: the tag of this loop has no 'recursive', so 'loop' cannot be called"},
           Mistake{
               "\n{{ strftime_now('%Y') }}",
               "template:2: 'strftime_now' is not provided: a prompt may not depend on the clock"},
           Mistake{"\n{{ raise_exception() }}",
                   "template:2: raise_exception() needs an argument 'message'"},
           // The template speaks to the sender of the messages: its own words and nothing else.
           Mistake{"\n{{ raise_exception('No user query found.') }}", "No user query found."},
       }) {
    EXPECT_EQ(SentenceOf(mistake.source), mistake.sentence) << mistake.source;
  }
}

}  // namespace
}  // namespace atl::jinja
