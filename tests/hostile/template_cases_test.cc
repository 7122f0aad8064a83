// Chat templates, with the limits that a server sets.
#include <fstream>
#include <sstream>

#include "common/base/status_macros.h"
#include "common/config/file.h"
#include "coordinator/prompt/chat_template.h"
#include "coordinator/prompt/messages.h"
#include "tests/hostile/hostile_case.h"

namespace atl::testing {
namespace {

constexpr size_t kMiB = size_t{1} << 20;
constexpr char kFile[] = "chat_template.jinja";

absl::Status RenderTemplate(const std::string& folder) {
  ATOLL_ASSIGN_OR_RETURN(std::string source, ReadTextFile(folder + "/" + kFile, 64 * kMiB));
  ATOLL_ASSIGN_OR_RETURN(const auto chat_template,
                         coordinator::ChatTemplate::Parse(std::move(source)));
  ATOLL_ASSIGN_OR_RETURN(
      const coordinator::TemplateInput input,
      coordinator::ReadTemplateInput(R"({"messages": [{"role": "user", "content": "Hi"}]})"));
  return chat_template->Render(input).status();
}

HostileCase Template(const std::string& name, const std::string& source,
                     const std::vector<std::string>& says) {
  return {name, [=](const HostileFolder& f) { f.Write(kFile, source); }, RenderTemplate, says};
}

// A loop of `turns` around `body`, which changes ns.x; it begins as `x`.
std::string Growing(const std::string& x, const std::string& body) {
  return "{% set ns = namespace(x=" + x + ") %}{% for i in range(100) %}" + body +
         "{% endfor %}{{ ns.x }}";
}

std::string Around(const std::string& before, const std::string& inside, const std::string& after,
                   size_t times) {
  return Repeated(before, before.size() * times) + inside + Repeated(after, after.size() * times);
}

const std::string kLoop = "{% for i in range(99999) %}";

INSTANTIATE_TEST_SUITE_P(
    Templates, HostileTest,
    ::testing::Values(
        Template("LoopsInLoops", Around(kLoop, "x", "{% endfor %}", 4), {"steps", "shorten"}),
        Template("LoopsWithoutOutput", Around(kLoop, "", "{% endfor %}", 4), {"steps", "shorten"}),
        Template("HugeRange", "{% for i in range(10**12) %}{% endfor %}",
                 {"template:1", "Range too big. The sandbox"}),
        Template("EndlessMacro", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", {"template:1"}),
        Template("MacrosInACircle",
                 "{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}"
                 "{{ f() }}",
                 {"template:1"}),
        Template("MacroTwiceItself",
                 "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}"
                 "{{ f(60) }}",
                 {"steps", "shorten"}),
        Template("TextABillionTimes", "{{ 'a' * 10**9 }}", {"template:1"}),
        Template("ListABillionTimes", "{{ [1] * 10**9 }}", {"template:1"}),
        Template("TextThatDoubles", Growing("'a'", "{% set ns.x = ns.x ~ ns.x %}"), {"bytes"}),
        Template("ListThatDoubles", Growing("[1]", "{% set ns.x = ns.x + ns.x %}"), {"steps"}),
        Template("ListsInListsThatDouble", Growing("[1]", "{% set ns.x = [ns.x, ns.x] %}"), {}),
        Template("DictsInDictsThatDouble", Growing("{}", "{% set ns.x = {1: ns.x, 2: ns.x} %}"),
                 {}),
        Template("ReplaceThatMultiplies", "{{ ('a' * 99999).replace('a', 'b' * 99999) }}",
                 {"bytes"}),
        Template("JoinThatMultiplies", "{{ range(99999) | join('x' * 99999) }}", {"bytes"}),
        Template("CenterByTheBillion", "{{ 'a'.center(10**12) }}", {"too large"}),
        Template("IndentByTheBillion", "{{ 'a\\nb' | indent(10**12) }}", {}),
        Template("NumbersThatGrow", Growing("9", "{% set ns.x = ns.x * ns.x %}"), {"template:1"}),
        Template("PowerByTheBillion", "{{ 9 ** 10**9 }}", {"template:1"}),
        Template("Brackets", "{{ " + Around("(", "1", ")", 100'000) + " }}", {"template:1"}),
        Template("Lists", "{{ " + Around("[", "1", "]", 100'000) + " }}", {"template:1"}),
        Template("Nots", "{{ " + Around("not ", "1", "", 100'000) + " }}", {"template:1"}),
        Template("Powers", "{{ " + Around("2**", "1", "", 100'000) + " }}", {"template:1"}),
        Template("Conditions", "{{ " + Around("1 if 1 else ", "1", "", 50'000) + " }}",
                 {"template:1"}),
        Template("Tags", Around("{% if 1 %}", "", "{% endif %}", 40'000), {"template:1"}),
        Template("UnclosedTag", "{% if", {"template:1"}),
        Template("UnclosedText", "{{ 'abc", {"template:1"}),
        Template("UnknownTag", "a\n{% include 'x' %}", {"template:2", "include"}),
        Template("UnknownFilter", "{{ 1 | nope }}", {"template:1", "nope"}),
        Template("TwoMegabytes", std::string(2 * kMiB, 'x'), {"1048576"})),
    NameOfCase);

}  // namespace
}  // namespace atl::testing
