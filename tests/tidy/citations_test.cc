// The pages that this repository names exist, and a page or section that does not is told.
#include "tests/tidy/citations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/tidy/tree.h"

namespace atl::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(CitationsTest, PagesAndSectionsExist) {
  EXPECT_THAT(CheckCitations(ReadTree(std::filesystem::current_path())), IsEmpty());
}

TEST(CitationsTest, PlantedOnesAreTold) {
  const Tree tree{{},
                  {{.path = "a/x.h",
                    .text = "// docs/page.md 2, docs/page.md 2.1: fine\n"
                            "// see docs/gone.md\n"
                            "// (docs/page.md 3.)\n"
                            "// other/docs/gone.md docs/page.md\n"
                            "// docs/gone.md.\n"},
                   {.path = "docs/page.md", .text = "# Page\n\n## 2. Two\n\n### 2.1 One\n"}}};
  EXPECT_THAT(CheckCitations(tree), ElementsAre("a/x.h:2: there is no docs/gone.md",
                                                "a/x.h:3: docs/page.md has no section 3",
                                                "a/x.h:5: there is no docs/gone.md"));
}

}  // namespace
}  // namespace atl::testing
