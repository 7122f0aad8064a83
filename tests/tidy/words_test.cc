// Replaced identifiers stay away; a tree in which one has come back is seen.
#include "tests/tidy/words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace atl::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr const char* kDecision =
    "# ADR\n\n```text\nother block\n```\n\n### Identifiers, everywhere\n\n```text\n# why\n"
    "OldName NewName  # 3\n--old-flag --new-flag  # 1\n```\n\n### Files\n\n```text\na b\n```\n";

TEST(WordsTest, ReplacedOnesStayAway) {
  EXPECT_THAT(CheckWords(ReadTree(std::filesystem::current_path())), IsEmpty());
}

TEST(WordsTest, TheBlockOfIdentifiersCounts) {
  EXPECT_THAT(ReplacedWords(kDecision), ElementsAre(Pair("OldName", "NewName")));
}

TEST(WordsTest, PlantedOnesAreSeen) {
  const Tree tree{{},
                  {{.path = "a/x.h", .text = "int NewName;\nint a = OldName + OldNames;\n"},
                   {.path = "a/x.md", .text = "OldName\n"},
                   {.path = "docs/adr/0007-words.md", .text = kDecision}}};
  EXPECT_THAT(CheckWords(tree), ElementsAre("a/x.h:2: OldName is NewName since ADR 0007"));
  EXPECT_THAT(CheckWords({}), ElementsAre("docs/adr/0007-words.md: not there"));
}

}  // namespace
}  // namespace atl::testing
