#include "worker/scripted/script.h"

#include "tests/support/status_matchers.h"

namespace atl::worker {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(ScriptTest, RulesAreReadWhole) {
  const std::string text = R"({"when": "a+b", "say": "one"}

{"when": "c", "say": ["tw", "o"], "repeat": 3, "then": "length", "token_ms": 1.5}
{"prefill_us_per_token": 0.25, "step_us": 500, "then": "nan", "tokens_per_step": 4})";
  ASSERT_OK_AND_ASSIGN(const auto script, Script::Parse(text, "rules"));
  ASSERT_EQ(script->rules().size(), 3u);
  const Rule& first = script->rules()[0];
  EXPECT_EQ(first.say.value(), std::vector<std::string>{"one"});
  EXPECT_EQ(first.then, Closing::kStop);
  EXPECT_EQ(first.token_time, nanoseconds(0));
  const Rule& second = script->rules()[1];
  EXPECT_EQ(second.say.value(), (std::vector<std::string>{"tw", "o"}));
  EXPECT_EQ(second.repeat, 3);
  EXPECT_EQ(second.then, Closing::kLength);
  EXPECT_EQ(second.token_time, microseconds(1500));
  const Rule& third = script->rules()[2];
  EXPECT_FALSE(third.say.has_value());
  EXPECT_EQ(third.prefill_time_per_token, nanoseconds(250));
  EXPECT_EQ(third.step_time, microseconds(500));
  EXPECT_EQ(third.then, Closing::kNan);
  EXPECT_EQ(script->tokens_per_step_max(), 4);
}

TEST(ScriptTest, TheFirstConditionThatIsFoundSpeaks) {
  const std::string text = R"({"say": "default, though it stands first"}
{"when": "(?i)weather", "say": "rain"}
{"when": "^what.*weather", "say": "never"}
{"when": "^what\\b", "say": "that"})";
  ASSERT_OK_AND_ASSIGN(const auto script, Script::Parse(text, "rules"));
  EXPECT_TRUE(script->has_conditions());
  EXPECT_EQ(script->RuleFor("what of the WEATHER?"), 1u);
  EXPECT_EQ(script->RuleFor("what else?"), 3u);
  EXPECT_EQ(script->RuleFor("so what"), 0u);
  EXPECT_EQ(script->RuleFor(""), 0u);
}

TEST(ScriptTest, WithoutADefaultTheMessageIsSaidAgain) {
  for (const char* text : {"", R"({"when": "x", "say": "y"})"}) {
    ASSERT_OK_AND_ASSIGN(const auto script, Script::Parse(text, "rules"));
    const Rule& rule = script->rules()[script->RuleFor("hello")];
    EXPECT_FALSE(rule.say.has_value());
    EXPECT_EQ(rule.then, Closing::kStop);
  }
}

TEST(ScriptTest, TheLastOfSeveralDefaultsCounts) {
  ASSERT_OK_AND_ASSIGN(const auto script,
                       Script::Parse("{\"say\": \"a\"}\n{\"say\": \"b\"}", "rules"));
  EXPECT_EQ(script->RuleFor("x"), 1u);
}

TEST(ScriptTest, AConditionThatWouldBacktrackIsAnsweredAtOnce) {
  ASSERT_OK_AND_ASSIGN(const auto script,
                       Script::Parse(R"({"when": "(a*)*b", "say": "y"})", "rules"));
  EXPECT_EQ(script->RuleFor(std::string(1 << 20, 'a')), 1u);
}

TEST(ScriptTest, MistakesAreToldByTheirLine) {
  const auto refused = [](const std::string& line, const std::string& says) {
    EXPECT_STATUS(Script::Parse("{\"say\": \"fine\"}\n\n" + line, "rules"), kInvalid,
                  "rules:3: " + says);
  };
  refused("say hello", "not a JSON object");
  refused("[1]", "not a JSON object");
  refused(R"({"say": "a", "say": "b"})", "say is named twice");
  refused(R"({"tells": "a"})", "tells: no such key; there are when, say,");
  refused(R"({"when": "(a"})", "when: missing ): (a; correct the regular expression");
  refused(R"({"when": 3})", "when: give a regular expression");
  refused(R"({"when": ")" + std::string(4097, 'a') + "\"}", "when: give a regular expression");
  refused(R"({"say": 3})", "say: give a text or a list of texts");
  refused(R"({"say": ["a", 3]})", "say: give a text or a list of texts");
  refused(R"({"say": [["a"]]})", "");
  refused(R"({"then": "explode"})", "then: give stop, length, hang, crash or nan");
  refused(R"({"then": 1})", "then: give stop");
  refused(R"({"token_ms": -1})", "token_ms: give a number from 0 to 60000");
  refused(R"({"token_ms": "20"})", "token_ms: give a number");
  refused(R"({"token_ms": 60001})", "token_ms: give a number");
  refused(R"({"step_us": 1e9})", "step_us: give a number from 0 to");
  refused(R"({"prefill_us_per_token": null})", "prefill_us_per_token: give a number");
  refused(R"({"tokens_per_step": 0})", "tokens_per_step: give a whole number from 1 to 16");
  refused(R"({"tokens_per_step": 1.5})", "tokens_per_step: give a whole number");
  refused(R"({"tokens_per_step": 17})", "tokens_per_step: give a whole number");
  refused(R"({"repeat": 18446744073709551615})", "repeat: give a whole number from 1 to");
}

TEST(ScriptTest, WhatIsTooMuchIsRefused) {
  std::string rules;
  for (size_t i = 0; i <= kScriptRulesMax; ++i) rules += "{}\n";
  EXPECT_STATUS(Script::Parse(rules, "rules"), kInvalid, "rules:1001: more than 1000 rules");
  std::string chunks = "\"" + std::string(1'000'000, 'a') + "\"";
  const std::string chunk = chunks;
  for (int i = 0; i < 4; ++i) chunks += "," + chunk;
  EXPECT_STATUS(Script::Parse("{\"say\": [" + chunks + "]}", "rules"), kInvalid,
                "rules:1: say: give a text or a list of texts, together at most 4194304 bytes");
  EXPECT_STATUS(Script::Parse("{\"say\": " + std::string(100'000, '['), "rules"), kInvalid,
                "rules:1: ");
}

TEST(ScriptTest, TheDigestIsOfTheBytes) {
  ASSERT_OK_AND_ASSIGN(const auto one, Script::Parse("{}", "a"));
  ASSERT_OK_AND_ASSIGN(const auto same, Script::Parse("{}", "b"));
  ASSERT_OK_AND_ASSIGN(const auto other, Script::Parse("{} ", "a"));
  EXPECT_EQ(one->digest(), same->digest());
  EXPECT_NE(one->digest(), other->digest());
}

TEST(ScriptTest, AFileThatIsNotThereIsNamed) {
  EXPECT_STATUS(Script::Load("/nowhere/rules.jsonl"), absl::StatusCode::kNotFound,
                "/nowhere/rules.jsonl");
}

}  // namespace
}  // namespace atl::worker
