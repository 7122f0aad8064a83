#include "coordinator/output/output_parser.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace atl::coordinator {
namespace {

struct Case {
  bool thinking;
  std::string text;
  std::string reasoning;
  std::string content;
};

TextDelta Parse(bool thinking, const std::vector<std::string>& chunks) {
  OutputParser parser(thinking ? AnswerBegins::kInReasoning : AnswerBegins::kInContent);
  TextDelta all;
  const auto add = [&](const TextDelta& delta) {
    // Reasoning never follows content.
    EXPECT_TRUE(delta.reasoning.empty() || all.content.empty());
    all.reasoning += delta.reasoning;
    all.content += delta.content;
  };
  for (const std::string& chunk : chunks) add(parser.Append(chunk));
  add(parser.Finish());
  return all;
}

const std::vector<Case>& Cases() {
  static const std::vector<Case> kCases = {
      {true, "", "", ""},
      {true, "r\n</think>\n\nc", "r", "c"},
      {true, "\n\nr\n\ns\n\n</think>\n\n\nc\n\nd\n", "r\n\ns", "c\n\nd\n"},
      {true, "r</think>c", "r", "c"},
      {true, "only reasoning\n", "only reasoning", ""},
      {true, "</think>\n\nc", "", "c"},
      {true, "\n\n</think>\n\n", "", ""},
      {true, "<think>\nr\n</think>\n\nc", "r", "c"},
      {true, "\n<think>\n\nr", "r", ""},
      {true, "<think>", "", ""},
      {true, "<thin", "<thin", ""},
      {true, "<thinker>\n</think>c", "<thinker>", "c"},
      {true, "r <think> s</think>c", "r <think> s", "c"},
      {true, "r</think>a</think>b", "r", "ab"},
      {true, "r</think></think>\n\nb", "r", "b"},
      {true, "r</think>\n</think>\nb</think>", "r", "b"},
      {true, "r\n</think>c <think>x</think> d", "r", "c <think>x d"},
      {true, "r\n<tool_call>\n<function=f>\n</function>\n</tool_call>", "r",
       "<tool_call>\n<function=f>\n</function>\n</tool_call>"},
      {true, "r <tool_call>x</think>y", "r ", "<tool_call>xy"},
      {true, "r\n</think>\n\n<tool_call>\n", "r", "<tool_call>\n"},
      {true, "a < b </ c </thin k> <tool_cal </think", "a < b </ c </thin k> <tool_cal </think",
       ""},
      {true, "r</think>c</thin", "r", "c</thin"},
      {true, " r \n ", " r \n ", ""},
      {true, " \n</think> \nc", " ", " \nc"},
      {true, "<</think>>", "<", ">"},
      {true, "</</think>", "</", ""},
      {true, "Ünï\n世界🌍\n</think>\n\n世", "Ünï\n世界🌍", "世"},
      {false, "", "", ""},
      {false, "c", "", "c"},
      {false, "\n\nc\n", "", "c\n"},
      {false, "<think>a</think>b", "", "<think>a</think>b"},
      {false, "</think><tool_call>", "", "</think><tool_call>"},
  };
  return kCases;
}

TEST(OutputParserTest, SplitsWhole) {
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.text);
    const TextDelta got = Parse(c.thinking, {c.text});
    EXPECT_EQ(got.reasoning, c.reasoning);
    EXPECT_EQ(got.content, c.content);
  }
}

TEST(OutputParserTest, SplitsByteByByte) {
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.text);
    std::vector<std::string> bytes;
    for (const char byte : c.text) bytes.emplace_back(1, byte);
    const TextDelta got = Parse(c.thinking, bytes);
    EXPECT_EQ(got.reasoning, c.reasoning);
    EXPECT_EQ(got.content, c.content);
  }
}

TEST(OutputParserTest, AnySplitGivesTheSame) {
  std::mt19937 rng(20260801);
  const std::vector<std::string> pieces = {"<think>", "</think>", "<tool_call>", "\n",    "\n\n",
                                           "a",       "<",        "</",          "think", ">",
                                           " ",       "世",       "</thi"};
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (size_t i = rng() % 9; i > 0; --i) text += pieces[rng() % pieces.size()];
    const bool thinking = rng() % 4 != 0;
    const TextDelta whole = Parse(thinking, {text});
    std::vector<std::string> chunks;
    for (size_t begin = 0; begin < text.size();) {
      const size_t length = std::min<size_t>(rng() % 5, text.size() - begin);  // empty chunks too
      chunks.push_back(text.substr(begin, length));
      begin += length;
    }
    const TextDelta split = Parse(thinking, chunks);
    ASSERT_EQ(split.reasoning, whole.reasoning) << "round " << round << ": " << text;
    ASSERT_EQ(split.content, whole.content) << "round " << round << ": " << text;
  }
}

TEST(OutputParserTest, HoldsBackNoMoreThanItMust) {
  OutputParser parser(AnswerBegins::kInReasoning);
  EXPECT_EQ(parser.Append("one two").reasoning, "one two");
  EXPECT_EQ(parser.Append("\n").reasoning, "");
  EXPECT_EQ(parser.Append("x <").reasoning, "\nx ");
  EXPECT_EQ(parser.Append("b").reasoning, "<b");
  EXPECT_TRUE(parser.in_reasoning());
  EXPECT_TRUE(parser.Append("\n</think").empty());
  EXPECT_EQ(parser.Append(">\nc").content, "c");
  EXPECT_FALSE(parser.in_reasoning());
  EXPECT_EQ(parser.Append("d\n").content, "d\n");
}

TEST(OutputParserTest, ManyTagsAreLinear) {
  std::string text = "r</think>";
  for (int i = 0; i < 200000; ++i) text += "</think>";
  EXPECT_EQ(Parse(true, {text + "c"}).content, "c");
}

}  // namespace
}  // namespace atl::coordinator
