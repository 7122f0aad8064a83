#include "coordinator/output/response_stream.h"

#include <random>

#include "common/base/check.h"
#include "tests/support/status_matchers.h"

namespace atl::coordinator {
namespace {

constexpr TokenId kImEnd{4065};

const Tokenizer& NanoTokenizer() {
  static const auto tokenizer = Tokenizer::FromDirectory("tools/nano/checkpoint");
  CHECK_OK(tokenizer.status());
  return **tokenizer;
}

std::vector<TokenId> Ids(const std::string& text) {
  const auto ids = NanoTokenizer().Encode(text, {.special = EncodeOptions::Special::kParse});
  CHECK_OK(ids.status());
  return *ids;
}

struct Outcome {
  TextDelta text;
  bool stopped = false;
};

// Feeds `ids` in steps whose sizes `next` gives.
template <typename Next>
Outcome Deal(const std::vector<TokenId>& ids, const ResponseOptions& options, Next next) {
  ResponseStream stream(NanoTokenizer(), options);
  Outcome outcome;
  const auto add = [&](const TextDelta& delta) {
    outcome.text.reasoning += delta.reasoning;
    outcome.text.content += delta.content;
  };
  for (size_t at = 0; at < ids.size() && !stream.stopped();) {
    const size_t size = std::min<size_t>(next(), ids.size() - at);
    add(stream.Append(std::span(ids).subspan(at, size)));
    at += size;
  }
  add(stream.Finish());
  outcome.stopped = stream.stopped();
  return outcome;
}

Outcome Whole(const std::string& text, const ResponseOptions& options) {
  return Deal(Ids(text), options, [] { return size_t{1} << 20; });
}

TEST(ResponseStreamTest, SplitsReasoningFromContent) {
  const Outcome both =
      Whole("\nlet me see\n</think>\n\nFour.", {.begins = AnswerBegins::kInReasoning});
  EXPECT_EQ(both.text.reasoning, "let me see");
  EXPECT_EQ(both.text.content, "Four.");
  const Outcome cut = Whole("let me see", {.begins = AnswerBegins::kInReasoning});
  EXPECT_EQ(cut.text.reasoning, "let me see");
  EXPECT_EQ(cut.text.content, "");
  const Outcome plain = Whole("Four</think>.", {.begins = AnswerBegins::kInContent});
  EXPECT_EQ(plain.text.content, "Four</think>.");
}

TEST(ResponseStreamTest, StopIdsEndTheTextAndAreNotShown) {
  // "Four" as a stop id: not special to the tokenizer, hidden all the same.
  const std::vector<TokenId> four = Ids(" four");
  const Outcome outcome = Whole("two and four", {.stop_ids = {four.back()}});
  EXPECT_EQ(outcome.text.content.find("four"), std::string::npos);
  EXPECT_EQ(outcome.text.content.substr(0, 7), "two and");
  EXPECT_EQ(Whole("end<|im_end|>", {.stop_ids = {kImEnd}}).text.content, "end");
  EXPECT_EQ(Whole("a<|im_end|>b", {}).text.content, "ab");  // ignore_eos: special ids are hidden
}

TEST(ResponseStreamTest, CountsEveryToken) {
  ResponseStream stream(NanoTokenizer(), {.stop_ids = {kImEnd}});
  stream.Append(Ids("one two"));
  stream.Append(std::vector{kImEnd});
  EXPECT_EQ(stream.num_tokens(), static_cast<int64_t>(Ids("one two").size()) + 1);
}

TEST(ResponseStreamTest, AStopStringCutsEverywhere) {
  const Outcome content =
      Whole("abc</think>d STOP e", {.begins = AnswerBegins::kInReasoning, .stop = {"STOP"}});
  EXPECT_TRUE(content.stopped);
  EXPECT_EQ(content.text.reasoning, "abc");
  EXPECT_EQ(content.text.content, "d ");
  const Outcome reasoning =
      Whole("abc STOP</think>d", {.begins = AnswerBegins::kInReasoning, .stop = {"STOP"}});
  EXPECT_EQ(reasoning.text.reasoning, "abc ");
  EXPECT_EQ(reasoning.text.content, "");
  const Outcome held = Whole("d STO", {.stop = {"STOP"}});
  EXPECT_FALSE(held.stopped);
  EXPECT_EQ(held.text.content, "d STO");
}

TEST(ResponseStreamTest, AStopStringMayBeShown) {
  const Outcome shown = Whole("abc STOP e", {.stop = {"STOP"}, .stop_text = StopText::kShown});
  EXPECT_TRUE(shown.stopped);
  EXPECT_EQ(shown.text.content, "abc STOP");
  const Outcome id =
      Whole("abc<|im_end|>",
            {.stop_ids = {kImEnd}, .stop_text = StopText::kShown, .special = SkipSpecial::kShow});
  EXPECT_EQ(id.text.content, "abc<|im_end|>");
}

TEST(ResponseStreamTest, NoStopStringCountsWithinTheFirstTokens) {
  const std::vector<TokenId> first = Ids("a STOP b");
  const auto min_tokens = static_cast<int64_t>(first.size());
  const Outcome late = Whole("a STOP b STOP c", {.stop = {"STOP"}, .min_tokens = min_tokens});
  EXPECT_EQ(late.text.content, "a STOP b ");
  // A stop string may begin within them and count when it is complete.
  const Outcome begun = Whole("a STOP", {.stop = {"STOP"}, .min_tokens = 1});
  EXPECT_EQ(begun.text.content, "a ");
}

TEST(ResponseStreamTest, PlainTextKeepsItsNewlinesAndTags) {
  const std::string text = "\n\n<think>a</think>\n";
  EXPECT_EQ(Whole(text, {.begins = std::nullopt}).text.content, text);
}

TEST(ResponseStreamTest, TokensBehindAStopStringAreNotTaken) {
  const std::vector<TokenId> ids = Ids("abc STOP and more");
  ResponseStream stream(NanoTokenizer(), {.stop = {"STOP"}});
  stream.Append(ids);
  EXPECT_TRUE(stream.stopped());
  EXPECT_EQ(stream.stop_string(), "STOP");
  EXPECT_EQ(stream.num_tokens(), static_cast<int64_t>(Ids("abc STOP").size()));
}

TEST(ResponseStreamTest, HalfCharactersWait) {
  const std::vector<TokenId> ids = Ids("\xF0\x9F\x8F\x96");
  ASSERT_GT(ids.size(), 1u);  // bytes of one character in several tokens
  ResponseStream stream(NanoTokenizer(), {});
  EXPECT_EQ(stream.Append(std::span(ids).first(ids.size() - 1)).content, "");
  EXPECT_EQ(stream.Append(std::span(ids).last(1)).content, "\xF0\x9F\x8F\x96");
  stream.Append(std::span(ids).first(1));
  EXPECT_EQ(stream.Finish().content, "\xEF\xBF\xBD");
}

// However the tokens are dealt out, the joined deltas are the whole answer.
TEST(ResponseStreamTest, AnySplitGivesTheWholeAnswer) {
  std::mt19937 random(20240601);
  const std::vector<std::string> bits = {"<think>",
                                         "</think>",
                                         "\n",
                                         "\n\n",
                                         " ",
                                         "word",
                                         "ST",
                                         "OP",
                                         "STOP",
                                         "e\xCC\x81",
                                         "\xF0\x9F\x98\x80",
                                         "<",
                                         "/think>",
                                         "<tool_call>",
                                         "<|im_start|>",
                                         "42",
                                         "</"};
  const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  int stopped = 0;
  for (int round = 0; round < 3000; ++round) {
    std::vector<TokenId> ids;
    for (size_t n = 1 + below(20); n > 0; --n) {
      if (below(8) == 0) {
        ids.push_back(TokenId{static_cast<int32_t>(below(300))});  // single bytes among them
      } else {
        for (const TokenId id : Ids(bits[below(bits.size())])) ids.push_back(id);
      }
    }
    if (below(2) == 0) ids.push_back(kImEnd);
    ResponseOptions options{
        .begins = below(2) == 0 ? AnswerBegins::kInReasoning : AnswerBegins::kInContent,
        .stop = {},
        .stop_ids = {kImEnd}};
    if (below(2) == 0) options.stop = {"STOP", "d\n"};
    if (below(4) == 0) options.stop_text = StopText::kShown;
    if (below(4) == 0) options.min_tokens = static_cast<int64_t>(below(8));
    const Outcome whole = Deal(ids, options, [&] { return ids.size(); });
    const Outcome one_by_one = Deal(ids, options, [] { return 1; });
    const Outcome random_split = Deal(ids, options, [&] { return 1 + below(4); });
    stopped += whole.stopped ? 1 : 0;
    for (const Outcome& other : {one_by_one, random_split}) {
      ASSERT_EQ(whole.text.reasoning, other.text.reasoning) << "round " << round;
      ASSERT_EQ(whole.text.content, other.text.content) << "round " << round;
      ASSERT_EQ(whole.stopped, other.stopped) << "round " << round;
    }
    if (options.begins == AnswerBegins::kInContent && !whole.stopped && options.stop.empty() &&
        options.stop_text == StopText::kHidden) {
      std::vector<TokenId> shown = ids;
      if (shown.back() == kImEnd) shown.pop_back();
      std::string text = Decode(NanoTokenizer(), shown, SkipSpecial::kSkip);
      text.erase(0, text.find_first_not_of('\n'));  // newlines before the content are dropped
      ASSERT_EQ(whole.text.content, text);
    }
  }
  EXPECT_GT(stopped, 100);
}

}  // namespace
}  // namespace atl::coordinator
