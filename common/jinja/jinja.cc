#include "common/jinja/jinja.h"

#include <utility>

#include "common/base/status_macros.h"
#include "common/jinja/from_json.h"
#include "common/jinja/interpreter.h"
#include "common/jinja/syntax/ast.h"
#include "common/jinja/syntax/parser.h"

namespace atl::jinja {
namespace {

Value ValueOf(const Variable& variable) {
  if (const auto* tree = std::get_if<const JsonNode*>(&variable.value)) return FromJson(**tree);
  if (const auto* text = std::get_if<std::string>(&variable.value)) {
    return Value::String(*text, Origin::kTemplate);
  }
  return Value::Bool(std::get<bool>(variable.value));
}

}  // namespace

Template::Template(std::unique_ptr<const Program> program, const Limits& limits)
    : program_(std::move(program)), limits_(limits) {}

Template::~Template() = default;

absl::StatusOr<std::unique_ptr<const Template>> Template::Parse(std::string_view source,
                                                                const Limits& limits) {
  ATOLL_ASSIGN_OR_RETURN(std::unique_ptr<const Program> program, ParseProgram(source, limits));
  return std::unique_ptr<const Template>(new Template(std::move(program), limits));
}

absl::StatusOr<Text> Template::Render(const std::vector<Variable>& variables) const {
  std::vector<std::pair<std::string, Value>> values;
  values.reserve(variables.size());
  for (const Variable& variable : variables) {
    values.emplace_back(variable.name, ValueOf(variable));
  }
  Interpreter interpreter(*program_, limits_);
  return interpreter.Run(std::move(values));
}

}  // namespace atl::jinja
