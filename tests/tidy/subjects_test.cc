// Subjects of commits keep their form; those that do not are told.
#include "tests/tidy/subjects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace atl::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// The last commit before the rule.
constexpr char kFirst[] = "791c36e";

TEST(SubjectsTest, CommitsKeepTheirForm) {
  // Landed after it, before this test.
  const std::set<std::string> before = {
      "tests/fuzz, tests/integration: constants of their own are not the coordinator's",
      "docs/operations: plain sentences, and the error text a client really gets"};
  std::vector<std::string> subjects = SubjectsAfter(std::filesystem::current_path(), kFirst);
  std::erase_if(subjects, [&](const std::string& subject) { return before.count(subject) > 0; });
  EXPECT_THAT(CheckSubjects(subjects), IsEmpty());
}

TEST(SubjectsTest, PlantedOnesAreTold) {
  const std::string wide = "worker: " + std::string(64, 'x');
  const std::vector<std::string> subjects = {
      "worker/moe: rows are kept",
      ".ci/run, CONTRIBUTING.md: lint",
      wide,
      "worker: " + std::string(60, 'x') + "\u00e9\u00e9\u00e9\u00e9",
      wide + "x",
      "formatted",
      "Worker: formatted",
      "worker:formatted"};
  EXPECT_THAT(
      CheckSubjects(subjects),
      ElementsAre(HasSubstr("73 columns"), HasSubstr("formatted: is not of the form"),
                  HasSubstr("Worker: formatted: is not"), HasSubstr("worker:formatted: is not")));
}

TEST(SubjectsTest, NoneWithoutGit) {
  EXPECT_THAT(SubjectsAfter(std::filesystem::temp_directory_path() / "no-such-folder", kFirst),
              IsEmpty());
}

}  // namespace
}  // namespace atl::testing
