#include "tools/loadgen/client/text_book.h"

#include "tests/support/status_matchers.h"

namespace atl::tools {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

PlannedRequest Prompt(uint64_t prompt_index) { return {.index = 5, .prompt_index = prompt_index}; }

TEST(TextBookTest, TheFirstAnswerOfAPromptIsTheRightOne) {
  TextBook book;
  EXPECT_FALSE(book.Compare(Prompt(1), {{.content = "Paris."}}, Received::kComplete));
  EXPECT_FALSE(book.Compare(Prompt(2), {{.content = "Rome."}}, Received::kComplete));
  EXPECT_FALSE(book.Compare(Prompt(1), {{.content = "Paris."}}, Received::kComplete));
  const auto difference = book.Compare(Prompt(1), {{.content = "Party."}}, Received::kComplete);
  ASSERT_TRUE(difference);
  EXPECT_THAT(*difference, AllOf(HasSubstr("request 5"), HasSubstr("prompt 1"), HasSubstr("byte 3"),
                                 HasSubstr("\"Party.\""), HasSubstr("\"Paris.\"")));
}

TEST(TextBookTest, ABeginningMustBeOne) {
  TextBook book;
  const AnswerText whole{.reasoning = "France: Paris.", .content = "Paris."};
  EXPECT_FALSE(book.Compare(Prompt(1), {{.content = "anything"}}, Received::kBeginning));
  EXPECT_FALSE(book.Compare(Prompt(1), {whole}, Received::kComplete));
  EXPECT_FALSE(book.Compare(Prompt(1), {}, Received::kBeginning));
  EXPECT_FALSE(book.Compare(Prompt(1), {{.reasoning = "Fra"}}, Received::kBeginning));
  EXPECT_FALSE(book.Compare(Prompt(1), {{.reasoning = whole.reasoning, .content = "Pa"}},
                            Received::kBeginning));
  EXPECT_TRUE(book.Compare(Prompt(1), {{.reasoning = "Fro"}}, Received::kBeginning));
  EXPECT_TRUE(
      book.Compare(Prompt(1), {{.reasoning = "Fra", .content = "Pa"}}, Received::kBeginning));
  EXPECT_TRUE(book.Compare(Prompt(1), {{.reasoning = "France: Paris.", .content = "Pa"}},
                           Received::kComplete));
}

TEST(TextBookTest, ChoicesAreComparedEach) {
  TextBook book;
  EXPECT_FALSE(book.Compare(Prompt(1), {{.content = "a"}, {.content = "b"}}, Received::kComplete));
  EXPECT_TRUE(book.Compare(Prompt(1), {{.content = "a"}}, Received::kComplete));
  EXPECT_FALSE(book.Compare(Prompt(1), {{.content = "a"}}, Received::kBeginning));
  const auto difference =
      book.Compare(Prompt(1), {{.content = "a"}, {.content = "c"}}, Received::kComplete);
  ASSERT_TRUE(difference);
  EXPECT_THAT(*difference, HasSubstr("choice 1"));
}

TEST(TextBookTest, WhatIsExpectedStandsAboveWhatCameFirst) {
  TextBook book;
  PlannedRequest request = Prompt(1);
  request.expect = "4";
  EXPECT_TRUE(book.Compare(request, {{.content = "5"}}, Received::kComplete));
  EXPECT_FALSE(book.Compare(request, {{.content = "4"}}, Received::kComplete));
  EXPECT_FALSE(book.Compare(request, {{.content = ""}}, Received::kBeginning));
}

}  // namespace
}  // namespace atl::tools
