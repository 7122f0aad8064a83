#include "worker/scripted/script.h"

#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/fnv.h"
#include "common/base/status_macros.h"
#include "common/config/file.h"
#include "common/text/checked_json.h"
#include "common/text/printable.h"

namespace atl::worker {
namespace {

using Json = nlohmann::json;
using std::chrono::nanoseconds;

constexpr JsonLimits kLineLimits = {
    .depth_max = 2, .values_max = 100'000, .token_bytes_max = size_t{1} << 20};
constexpr size_t kConditionBytesMax = 4096;
constexpr size_t kTextBytesOfRuleMax = size_t{4} << 20;
constexpr int64_t kConditionMemoryBytesMax = int64_t{8} << 20;
constexpr int32_t kRepeatMax = 1'000'000;
constexpr double kTokenMsMax = 60'000;
constexpr double kMicrosMax = 60'000'000;

const std::map<std::string, Closing>& Closings() {
  static const std::map<std::string, Closing> closings = {{"stop", Closing::kStop},
                                                          {"length", Closing::kLength},
                                                          {"hang", Closing::kHang},
                                                          {"crash", Closing::kCrash},
                                                          {"nan", Closing::kNan}};
  return closings;
}

absl::Status ReadCondition(const Json& value, Rule& rule) {
  if (!value.is_string() || value.get_ref<const std::string&>().size() > kConditionBytesMax) {
    return InvalidArgument("when: give a regular expression of at most {} bytes",
                           kConditionBytesMax);
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kConditionMemoryBytesMax);
  auto expression = std::make_unique<re2::RE2>(value.get_ref<const std::string&>(), options);
  if (!expression->ok()) {
    return InvalidArgument("when: {}; correct the regular expression", expression->error());
  }
  rule.when = std::move(expression);
  return absl::OkStatus();
}

absl::Status ReadText(const Json& value, Rule& rule) {
  const char* expected = "say: give a text or a list of texts, together at most {} bytes";
  std::vector<std::string> chunks;
  if (value.is_string()) chunks.push_back(value.get<std::string>());
  size_t bytes = value.is_string() ? chunks[0].size() : 0;
  if (value.is_array()) {
    for (const Json& chunk : value) {
      if (!chunk.is_string()) return InvalidArgument(fmt::runtime(expected), kTextBytesOfRuleMax);
      bytes += chunk.get_ref<const std::string&>().size();
      chunks.push_back(chunk.get<std::string>());
    }
  }
  if ((!value.is_string() && !value.is_array()) || bytes > kTextBytesOfRuleMax) {
    return InvalidArgument(fmt::runtime(expected), kTextBytesOfRuleMax);
  }
  rule.say = std::move(chunks);
  return absl::OkStatus();
}

absl::Status ReadClosing(const Json& value, Rule& rule) {
  const auto it = value.is_string() ? Closings().find(value.get<std::string>()) : Closings().end();
  if (it == Closings().end()) return InvalidArgument("then: give stop, length, hang, crash or nan");
  rule.then = it->second;
  return absl::OkStatus();
}

struct Duration {
  const char* key;
  double most;
  double nanoseconds_of_one;
};

absl::Status ReadDuration(const Json& value, const Duration& of, nanoseconds& duration) {
  const double number = value.is_number() ? value.get<double>() : -1.0;
  if (!(number >= 0.0 && number <= of.most)) {
    return InvalidArgument("{}: give a number from 0 to {}", of.key, of.most);
  }
  duration = nanoseconds(std::llround(number * of.nanoseconds_of_one));
  return absl::OkStatus();
}

absl::Status ReadCount(const Json& value, const char* key, int32_t most, int32_t& count) {
  const bool fits = value.is_number_integer() && value.get<int64_t>() >= 1 &&
                    value.get<int64_t>() <= int64_t{most};
  if (!fits) return InvalidArgument("{}: give a whole number from 1 to {}", key, most);
  count = value.get<int32_t>();
  return absl::OkStatus();
}

absl::Status ReadField(const std::string& key, const Json& value, Rule& rule) {
  if (key == "when") return ReadCondition(value, rule);
  if (key == "say") return ReadText(value, rule);
  if (key == "then") return ReadClosing(value, rule);
  if (key == "repeat") return ReadCount(value, "repeat", kRepeatMax, rule.repeat);
  if (key == "tokens_per_step") {
    return ReadCount(value, "tokens_per_step", kScriptTokensPerStepMax, rule.tokens_per_step);
  }
  if (key == "step_us") return ReadDuration(value, {"step_us", kMicrosMax, 1e3}, rule.step_time);
  if (key == "prefill_us_per_token") {
    return ReadDuration(value, {"prefill_us_per_token", kMicrosMax, 1e3},
                        rule.prefill_time_per_token);
  }
  if (key == "token_ms")
    return ReadDuration(value, {"token_ms", kTokenMsMax, 1e6}, rule.token_time);
  return InvalidArgument(
      "{}: no such key; there are when, say, repeat, then, token_ms, prefill_us_per_token, step_us "
      "and tokens_per_step",
      Printable(key));
}

absl::StatusOr<Rule> ReadRule(const std::string& line) {
  ATOLL_RETURN_IF_ERROR(CheckJsonLimits(line, kLineLimits));
  ATOLL_ASSIGN_OR_RETURN(const Json fields, ParseJsonObject(line, kLineLimits));
  Rule rule;
  for (const auto& [key, value] : fields.items()) {
    ATOLL_RETURN_IF_ERROR(ReadField(key, value, rule));
  }
  return rule;
}

}  // namespace

Rule::Rule() = default;
Rule::Rule(Rule&&) noexcept = default;
Rule& Rule::operator=(Rule&&) noexcept = default;
Rule::~Rule() = default;

absl::StatusOr<std::unique_ptr<const Script>> Script::Parse(const std::string& text,
                                                            const std::string& file) {
  std::unique_ptr<Script> script(new Script);
  std::optional<size_t> last_without_condition;
  size_t line_number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    ++line_number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    absl::StatusOr<Rule> rule = ReadRule(line);
    if (!rule.ok()) return Annotate(rule.status(), fmt::format("{}:{}", file, line_number));
    if (script->rules_.size() == kScriptRulesMax) {
      return InvalidArgument("{}:{}: more than {} rules", file, line_number, kScriptRulesMax);
    }
    if (rule->when == nullptr) last_without_condition = script->rules_.size();
    script->has_conditions_ |= rule->when != nullptr;
    script->tokens_per_step_max_ = std::max(script->tokens_per_step_max_, rule->tokens_per_step);
    script->rules_.push_back(std::move(*rule));
  }
  if (!last_without_condition) script->rules_.emplace_back();
  script->default_rule_ = last_without_condition.value_or(script->rules_.size() - 1);
  script->digest_ = fmt::format("script-{:016x}", Fnv1a(text));
  return std::unique_ptr<const Script>(std::move(script));
}

absl::StatusOr<std::unique_ptr<const Script>> Script::Load(const std::string& path) {
  ATOLL_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path, kScriptBytesMax));
  return Parse(text, path);
}

size_t Script::RuleFor(std::string_view message) const {
  const re2::StringPiece text(message.data(), message.size());
  for (size_t i = 0; i < rules_.size(); ++i) {
    if (rules_[i].when != nullptr && re2::RE2::PartialMatch(text, *rules_[i].when)) return i;
  }
  return default_rule_;
}

}  // namespace atl::worker
