#include "coordinator/output/stop_matcher.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace atl::coordinator {
namespace {

struct Result {
  std::string text;
  bool stopped = false;
};

Result Match(const std::vector<std::string>& stops, const std::vector<std::string>& chunks) {
  StopMatcher matcher(stops);
  Result result;
  for (const std::string& chunk : chunks) result.text += matcher.Append(chunk);
  result.text += matcher.Finish();
  result.stopped = matcher.stopped();
  return result;
}

// What a reader would do by hand: after each character, is there a stop string at the end?
Result ByHand(const std::vector<std::string>& stops, const std::string& text) {
  for (size_t end = 1; end <= text.size(); ++end) {
    size_t longest = 0;
    for (const std::string& stop : stops) {
      if (!stop.empty() && text.substr(0, end).ends_with(stop))
        longest = std::max(longest, stop.size());
    }
    if (longest > 0) return {text.substr(0, end - longest), true};
  }
  return {text, false};
}

TEST(StopMatcherTest, CutsBeforeTheStopString) {
  EXPECT_EQ(Match({"END"}, {"text END more"}).text, "text ");
  EXPECT_EQ(Match({"END"}, {"text E", "N", "D more", "END"}).text, "text ");
  EXPECT_EQ(Match({"END"}, {"text EN"}).text, "text EN");
  EXPECT_EQ(Match({"b", "abc"}, {"abc"}).text, "a");
  EXPECT_EQ(Match({"bc", "abc"}, {"xabc"}).text, "x");
  EXPECT_EQ(Match({"\n\n"}, {"a\nb\n", "\nc"}).text, "a\nb");
  EXPECT_EQ(Match({"aab"}, {"aaab"}).text, "a");
  EXPECT_EQ(Match({"ababc"}, {"abababc"}).text, "ab");
  EXPECT_EQ(Match({"世界"}, {"你好世", "界!"}).text, "你好");
  EXPECT_EQ(Match({}, {"a", "b"}).text, "ab");
  EXPECT_EQ(Match({""}, {"ab"}).text, "ab");
  EXPECT_FALSE(Match({""}, {"ab"}).stopped);
}

TEST(StopMatcherTest, HoldsBackOnlyWhatMayBecomeAStopString) {
  StopMatcher matcher({"abc", "xyz"});
  EXPECT_EQ(matcher.Append("1a"), "1");
  EXPECT_EQ(matcher.Append("b"), "");
  EXPECT_EQ(matcher.Append("x"), "ab");
  EXPECT_EQ(matcher.Append("yy"), "xyy");
  EXPECT_EQ(matcher.Append("xyz!"), "");
  EXPECT_TRUE(matcher.stopped());
  EXPECT_EQ(matcher.stop_index(), 1u);
  EXPECT_EQ(matcher.Append("more"), "");
  EXPECT_EQ(matcher.Finish(), "");
}

TEST(StopMatcherTest, EndsWithTheStopStringWhereItIsShown) {
  StopMatcher matcher({"END", "E"}, StopText::kShown);
  EXPECT_EQ(matcher.Append("text E"), "text E");
  EXPECT_EQ(matcher.Append("ND"), "");
  EXPECT_EQ(matcher.Finish(), "");
  StopMatcher late({"END"}, StopText::kShown);
  EXPECT_EQ(late.Append("text E"), "text ");
  EXPECT_EQ(late.Append("ND more"), "END");
}

TEST(StopMatcherTest, PassedTextCompletesNothing) {
  StopMatcher matcher({"abab"});
  EXPECT_EQ(matcher.Pass("abab"), "ab");
  EXPECT_FALSE(matcher.stopped());
  EXPECT_EQ(matcher.Append("ab!"), "");  // begun in what was passed
  EXPECT_TRUE(matcher.stopped());
  StopMatcher other({"ab"});
  EXPECT_EQ(other.Pass("xab"), "xab");
  EXPECT_EQ(other.Append("b"), "b");
  EXPECT_FALSE(other.stopped());
}

TEST(StopMatcherTest, AnySplitGivesWhatOneFindsByHand) {
  std::mt19937 rng(7);
  const auto random_text = [&](size_t length_max) {
    std::string text;
    for (size_t i = rng() % (length_max + 1); i > 0; --i)
      text += static_cast<char>('a' + rng() % 2);
    return text;
  };
  int num_stopped = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::string> stops;
    for (size_t i = rng() % 4; i > 0; --i) stops.push_back(random_text(7));
    const std::string text = random_text(24);
    std::vector<std::string> chunks;
    for (size_t begin = 0; begin < text.size();) {
      const size_t length = std::min<size_t>(rng() % 5, text.size() - begin);
      chunks.push_back(text.substr(begin, length));
      begin += length;
    }
    const Result expected = ByHand(stops, text);
    const Result got = Match(stops, chunks);
    ASSERT_EQ(got.text, expected.text) << "round " << round << ": " << text;
    ASSERT_EQ(got.stopped, expected.stopped) << "round " << round << ": " << text;
    num_stopped += got.stopped;
  }
  EXPECT_GT(num_stopped, 5000);
  EXPECT_LT(num_stopped, 19000);
}

}  // namespace
}  // namespace atl::coordinator
