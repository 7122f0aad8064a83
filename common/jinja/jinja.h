// Jinja2's language as chat templates use it, over text that knows who wrote each byte.
//
//   ATOLL_ASSIGN_OR_RETURN(const auto program, jinja::Template::Parse(source, {}));
//   ATOLL_ASSIGN_OR_RETURN(const jinja::Text prompt, program->Render({{"messages", &messages}}));
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "common/jinja/values/budget.h"
#include "common/jinja/values/text.h"
#include "common/text/json_tree.h"

namespace atl::jinja {

struct Program;

// What a template finds under a name. The strings of a tree are the user's, a string by itself is
// the template's. **Lifetime**: the tree need only last for the call.
struct Variable {
  std::string name;
  std::variant<const JsonNode*, std::string, bool> value;
};

// Immutable. **Threads**: any number at once.
class Template {
 public:
  // Errors: InvalidArgument or Unimplemented "template:N: ..." for what is no template, too long or
  // not supported. They quote the source.
  static absl::StatusOr<std::unique_ptr<const Template>> Parse(std::string_view source,
                                                               const Limits& limits);
  ~Template();

  // Of two variables of one name the last counts. Errors: InvalidArgument with exactly the message
  // of the template's raise_exception, or "template:N: ..." for anything else that the variables
  // make go wrong, limits included.
  absl::StatusOr<Text> Render(const std::vector<Variable>& variables) const;

 private:
  Template(std::unique_ptr<const Program> program, const Limits& limits);

  const std::unique_ptr<const Program> program_;
  const Limits limits_;
};

}  // namespace atl::jinja
