// Each rule twice: this repository keeps it, and a tree in which it is broken is told from one in
// which it is kept.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>

#include "common/base/status.h"
#include "tests/support/status_matchers.h"
#include "tests/tidy/checks.h"
#include "tests/tidy/layers.h"
#include "tests/tidy/planted_tree.h"
#include "tests/tidy/tree.h"

namespace atl::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(HouseTest, IncludesKeepToTheTable) { EXPECT_THAT(CheckIncludes(tree_, layers_), IsEmpty()); }
TEST_F(HouseTest, LibrariesEnterByTheirDoors) { EXPECT_THAT(CheckOwners(tree_), IsEmpty()); }
TEST_F(HouseTest, RoomsAndFoldersAgree) { EXPECT_THAT(CheckRooms(tree_, layers_), IsEmpty()); }
TEST_F(HouseTest, ArchitectureMapsEveryRoom) { EXPECT_THAT(CheckMap(tree_, layers_), IsEmpty()); }
TEST_F(HouseTest, FilesAreShort) { EXPECT_THAT(CheckLengths(tree_), IsEmpty()); }
TEST_F(HouseTest, NothingIsLeftOver) { EXPECT_THAT(CheckLeftovers(tree_), IsEmpty()); }
TEST_F(HouseTest, NamesSayWhatTheyName) { EXPECT_THAT(CheckNames(tree_), IsEmpty()); }
TEST_F(HouseTest, NoRegistryHostIsNamed) { EXPECT_THAT(CheckRegistryHosts(tree_), IsEmpty()); }

TEST_F(PlantedTest, ACleanTreeIsClean) {
  Plant("docs/ARCHITECTURE.md",
        "`common/base/` `common/log/` `kernels/tensor/` `worker/moe/` "
        "`worker/`\n");
  const Tree tree = Read();
  EXPECT_THAT(CheckIncludes(tree, layers_), IsEmpty());
  EXPECT_THAT(CheckOwners(tree), IsEmpty());
  EXPECT_THAT(CheckRooms(tree, layers_), IsEmpty());
  EXPECT_THAT(CheckMap(tree, layers_), IsEmpty());
  EXPECT_THAT(CheckLengths(tree), IsEmpty());
  EXPECT_THAT(CheckLeftovers(tree), IsEmpty());
  EXPECT_THAT(CheckNames(tree), IsEmpty());
  EXPECT_THAT(CheckRegistryHosts(tree), IsEmpty());
}

TEST_F(PlantedTest, IncludesAgainstTheTable) {
  Plant("kernels/tensor/tensor_view.h", "#pragma once\n#include \"common/log/log.h\"\n");
  EXPECT_THAT(CheckIncludes(Read(), layers_),
              ElementsAre("kernels/tensor/tensor_view.h:2: common/log/log.h is of common/log, "
                          "which kernels/tensor may not include"));
}

TEST_F(PlantedTest, IncludesUpwards) {
  Plant("common/log/log.cc", "  #  include \"worker/moe/router.h\"\n");
  EXPECT_THAT(CheckIncludes(Read(), layers_), ElementsAre(HasSubstr("may not include")));
}

TEST_F(PlantedTest, IncludesOfWhatStandsBelowInTheTable) {
  Plant("common/base/base.cc", "#include \"common/log/log.h\"\n");
  Plant("worker/moe/a.cc", "#include \"common/log/log.h\"\n");
  EXPECT_THAT(CheckIncludes(Read(), layers_), ElementsAre(HasSubstr("base.cc:1")));
}

TEST_F(PlantedTest, IncludesThatAreRelativeAngledOrOfTests) {
  Plant("worker/moe/a.cc", "#include \"router.h\"\n");
  Plant("worker/moe/b.cc", "#include <common/base/status.h>\n");
  Plant("worker/moe/c.cc", "#include \"tests/support/fake.h\"\n");
  Plant("tests/support/fake.h", "#pragma once\n#include \"worker/moe/router.h\"\n");
  EXPECT_THAT(CheckIncludes(Read(), layers_),
              ElementsAre(HasSubstr("a.cc:1: router.h is not a path from the root"),
                          HasSubstr("b.cc:1: common/base/status.h is ours and must be quoted"),
                          HasSubstr("c.cc:1: tests/support/fake.h belongs to tests")));
}

TEST_F(PlantedTest, EveryDoorIsWatched) {
  const std::map<std::string, std::string> planted = {{"a.cc", "<grpcpp/grpcpp.h>"},
                                                      {"b.cc", "\"proto/atoll/v1/step.pb.h\""},
                                                      {"c.cc", "<ucp/api/ucp.h>"},
                                                      {"d.cc", "<prometheus/counter.h>"},
                                                      {"e.cc", "<spdlog/spdlog.h>"},
                                                      {"f.cc", "<boost/asio.hpp>"},
                                                      {"g.cc", "<immintrin.h>"},
                                                      {"h.cc", "\"absl/strings/str_cat.h\""},
                                                      {"i.h", "<nlohmann/json.hpp>"},
                                                      {"j.h", "<CLI/CLI.hpp>"},
                                                      {"k.cc", "<nlohmann/json.hpp>"},
                                                      {"l.h", "<nlohmann/json_fwd.hpp>"},
                                                      {"p.cc", "<re2/re2.h>"},
                                                      {"../rpc/m.cc", "<grpcpp/grpcpp.h>"},
                                                      {"../../tests/n.cc", "<grpcpp/grpcpp.h>"}};
  for (const auto& [name, include] : planted) Plant("worker/moe/" + name, "#include " + include);
  Plant("worker/moe/g.cc", "#include <immintrin.h>\n__m256 x = _mm256_setzero_ps();\n");
  Plant("worker/moe/o.cc", "#include <immintrin.h>\nvoid Wait() { _mm_pause(); }\n");
  std::vector<std::string> files;
  for (const std::string& violation : CheckOwners(Read())) {
    files.push_back(violation.substr(0, violation.find(':')));
  }
  EXPECT_THAT(
      files, ElementsAre("worker/moe/a.cc", "worker/moe/b.cc", "worker/moe/c.cc", "worker/moe/d.cc",
                         "worker/moe/e.cc", "worker/moe/f.cc", "worker/moe/g.cc", "worker/moe/h.cc",
                         "worker/moe/i.h", "worker/moe/j.h", "worker/moe/p.cc"));
}

TEST_F(PlantedTest, FoldersWithoutARoomAndRoomsWithoutFiles) {
  Plant("worker/kv_cache/blocks.cc", "\n");
  std::filesystem::remove_all(root_ / "common/log");
  EXPECT_THAT(CheckRooms(Read(), layers_),
              ElementsAre("worker/kv_cache: sources without a room in cmake/layers.cmake",
                          "common/log: a room of cmake/layers.cmake without files"));
  ASSERT_OK_AND_ASSIGN(layers_, Layers::Parse("\nroom(common/base MAY common/gone)\n"));
  EXPECT_THAT(CheckRooms(Read(), layers_),
              ::testing::Contains("common/base: may include common/gone, which is no room"));
}

TEST_F(PlantedTest, MapsThatLeaveOutOrInvent) {
  Plant("docs/ARCHITECTURE.md",
        "`common/base/` `common/log/` `kernels/tensor/`\n`worker/` "
        "`worker/gone/`\n");
  EXPECT_THAT(CheckMap(Read(), layers_),
              ElementsAre("docs/ARCHITECTURE.md: the map leaves out `worker/moe/`",
                          "docs/ARCHITECTURE.md:2: names `worker/gone/`, which is no folder"));
}

TEST_F(PlantedTest, LongFiles) {
  std::string lines;
  for (int i = 0; i < 600; ++i) lines += "\n";
  Plant("worker/moe/full.cc", lines);
  Plant("worker/moe/long.cc", lines + "//");
  Plant("scripts/long", "#!/bin/sh\n" + lines);
  Plant("docs/long.md", lines + lines);
  EXPECT_THAT(CheckLengths(Read()), ElementsAre("scripts/long: 601 lines; 600 are the most",
                                                "worker/moe/long.cc: 601 lines; 600 are the most"));
}

TEST_F(PlantedTest, Leftovers) {
  const std::string later = std::string("TO") + "DO";
  Plant("worker/moe/a.cc", "// " + later + "(#12): with an issue\n// " + later + "ist\n");
  Plant("worker/moe/b.cc", "\n// " + later + ": some day\n");
  Plant("worker/moe/c.cc", "TEST(RouterTest, DISA" + std::string("BLED_Picks) {}\n"));
  Plant("worker/moe/d.h", "int d;\n");
  Plant("worker/moe/d_body.h", "int d;\n");
  EXPECT_THAT(CheckLeftovers(Read()),
              ElementsAre(HasSubstr("b.cc:2:"), HasSubstr("c.cc:1: a test is switched off"),
                          "worker/moe/d.h: a header without #pragma once"));
}

TEST_F(PlantedTest, VagueNames) {
  Plant("worker/moe/block_manager.h", "#pragma once\n");
  Plant("worker/utils/a.cc", "\n");
  Plant("worker/moe/utility.cc", "\n");
  EXPECT_THAT(CheckNames(Read()),
              ElementsAre(HasSubstr("block_manager.h"), HasSubstr("worker/utils/a.cc")));
}

TEST_F(PlantedTest, RegistryHosts) {
  Plant("docs/a.md", "see https://" + std::string("pypi") + ".org/project\n");
  Plant("build/a.md", "see https://" + std::string("pypi") + ".org/project\n");
  EXPECT_THAT(CheckRegistryHosts(Read()), ElementsAre(HasSubstr("docs/a.md:1:")));
}

TEST(LayersTest, BrokenTablesAreRefused) {
  EXPECT_STATUS(Layers::Parse(""), absl::StatusCode::kInvalidArgument, "no room");
  EXPECT_STATUS(Layers::Parse("\nroom(a b)\n"), absl::StatusCode::kInvalidArgument,
                "belongs to no keyword");
  EXPECT_STATUS(Layers::Parse("\nroom(a\n"), absl::StatusCode::kInvalidArgument, "closing bracket");
}

}  // namespace
}  // namespace atl::testing
