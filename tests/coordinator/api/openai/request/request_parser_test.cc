// What every parser says of a body, whatever its fields.
#include "coordinator/api/openai/request/request_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/coordinator/api/openai/request/parse.h"

namespace atl::coordinator {
namespace {

using ::testing::HasSubstr;

// The errors of all four parsers.
std::vector<ApiError> AllRefuse(const std::string& body) {
  SCOPED_TRACE(body.substr(0, 100));
  return {Refused(ParseChatRequest(body, kLimits)), Refused(ParseCompletionRequest(body, kLimits)),
          Refused(ParseTokenizeRequest(body, kLimits)),
          Refused(ParseDetokenizeRequest(body, kLimits))};
}

TEST(RequestParserTest, RefusesWhatIsNoJson) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "not valid JSON"},
      {"{", "not valid JSON: unexpected text at byte 2"},
      {"{\"messages\":[],}", "not valid JSON: unexpected text at byte 16"},
      {"{} x", "not valid JSON"},
      {"{'prompt':'x'}", "not valid JSON: unexpected text at byte 2"},
      {"{\"prompt\":\"a\nb\"}", "not valid JSON"},
      {std::string("{\0}", 3), "not valid JSON: unexpected text at byte 2"},
      {ChatBody(R"("temperature":NaN)"), "not valid JSON"},
      {ChatBody(R"("temperature":-Infinity)"), "not valid JSON"},
      {ChatBody(R"("temperature":01)"), "not valid JSON"},
      {ChatBody(R"("stop":"\ud800")"), "not valid JSON"},
      {ChatBody(R"("stop":"\udc00\ud800")"), "not valid JSON"},
      {ChatBody(R"("stop":"\x41")"), "not valid JSON"},
      {ChatBody("\"stop\":\"\xff\""), "not valid UTF-8 at byte 53"},
      {ChatBody("\"stop\":\"\xed\xa0\x80\""), "not valid UTF-8"},
      {ChatBody("\"stop\":\"\xc0\x80\""), "not valid UTF-8"},
      {"[]", "must be a JSON object, got a list"},
      {"\"text\"", "must be a JSON object, got a string"},
      {"null", "must be a JSON object, got null"},
      {"17", "must be a JSON object, got 17"},
  };
  for (const auto& [body, message] : cases) {
    for (const ApiError& error : AllRefuse(body)) {
      EXPECT_THAT(error.message, HasSubstr(message));
      EXPECT_EQ(error.param, "");
    }
  }
}

TEST(RequestParserTest, BreaksOfLimitsNameTheField) {
  std::string many = "[0";
  for (int i = 0; i < 1'000'000; ++i) many += ",0";
  const std::pair<std::string, const char*> cases[] = {
      {"1e999", "a number is too large"},
      {"[[-1e99999]]", "a number is too large"},
      {std::string(70, '[') + std::string(70, ']'), "nested deeper than 64 levels"},
      {"{\"b\":" + std::string(3'000'000, '['), "nested deeper than 64 levels"},
      {many + "]", "more than 1000000 JSON values"},
  };
  for (const auto& [value, message] : cases) {
    for (const ApiError& error :
         AllRefuse("{\"a\":{\"c\":1},\"the \\u0007 field\":" + value + "}")) {
      EXPECT_THAT(error.message, HasSubstr(message));
      EXPECT_EQ(error.param, R"(the \x07 field)");
    }
  }
  EXPECT_EQ(RefusedChat(std::string(100'000, '[')).param, "");
}

TEST(RequestParserTest, DepthIsCountedFromTheBody) {
  const auto nested = [](int depth) {
    return ChatBody("\"x\":" + std::string(static_cast<size_t>(depth), '[') +
                    std::string(static_cast<size_t>(depth), ']'));
  };
  AcceptedChat(nested(63));
  RefusedChat(nested(64));
}

TEST(RequestParserTest, NumbersWithoutAnEndAreReadInTime) {
  const std::string digits(1'000'000, '7');
  EXPECT_EQ(RefusedChat(ChatBody("\"max_tokens\":" + digits)).param, "max_tokens");
  EXPECT_EQ(RefusedChat(ChatBody("\"max_tokens\":0." + digits)).param, "max_tokens");
  EXPECT_EQ(RefusedChat(ChatBody("\"max_tokens\":1e-" + digits)).param, "max_tokens");
  EXPECT_EQ(RefusedChat(ChatBody("\"seed\":1e19")).param, "seed");
}

TEST(RequestParserTest, AByteOrderMarkIsNoMistake) {
  EXPECT_EQ(WriteJson(AcceptedChat("\xEF\xBB\xBF " + ChatBody("") + "\r\n").messages),
            R"([{"role":"user","content":"hi"}])");
}

TEST(RequestParserTest, TheFirstMistakeIsTold) {
  const ApiError error =
      Refused(ParseCompletionRequest(R"({"prompt":3,"temperature":-1,"n":0})", kLimits));
  EXPECT_EQ(error.param, "prompt");
}

}  // namespace
}  // namespace atl::coordinator
