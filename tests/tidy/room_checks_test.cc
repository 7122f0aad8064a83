// The rules of rooms: this repository keeps each, and a tree in which it is broken is told.
#include "tests/tidy/room_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/tidy/planted_tree.h"

namespace atl::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(HouseTest, RoomsAreLinkedByTheTable) {
  EXPECT_THAT(CheckBuildFiles(tree_, layers_), IsEmpty());
}

TEST_F(PlantedTest, LibrariesOfOtherRooms) {
  Plant("worker/moe/CMakeLists.txt",
        "cc_library(NAME worker_router SRCS r.cc)\n"
        "cc_library(NAME worker_moe SRCS a.cc DEPS atoll::worker_router atoll::kernels_tensor)\n");
  Plant("worker/moe/wide/CMakeLists.txt", "cc_library(NAME wide DEPS atoll::worker_moe)\n");
  Plant("worker/CMakeLists.txt", "cc_binary(NAME atoll-worker DEPS atoll::worker_moe)\n");
  EXPECT_THAT(CheckBuildFiles(Read(), layers_),
              ElementsAre(HasSubstr("worker/CMakeLists.txt: names atoll::worker_moe"),
                          HasSubstr("worker/moe/CMakeLists.txt: names atoll::kernels_tensor")));
}

TEST_F(PlantedTest, BuildFilesThatGuess) {
  Plant("worker/CMakeLists.txt", "if(EXISTS ${file})\nendif()\n");
  Plant("cmake/rooms.cmake", "  if(EXISTS ${file})\n  endif()\n");
  EXPECT_THAT(
      CheckBuildFiles(Read(), layers_),
      ElementsAre(HasSubstr("cmake/rooms.cmake: asks"), HasSubstr("worker/CMakeLists.txt: asks")));
}

TEST_F(PlantedTest, ForgottenTests) {
  Plant("tests/CMakeLists.txt", "foreach(folder\n  worker/moe\n  worker)\nendforeach()\n");
  Plant("tests/worker/CMakeLists.txt", "add_subdirectory(http)\n");
  Plant("tests/worker/moe/CMakeLists.txt", "\n");
  Plant("tests/worker/http/CMakeLists.txt", "\n");
  Plant("tests/worker/rpc/CMakeLists.txt", "\n");
  Plant("bench/step/CMakeLists.txt", "\n");
  EXPECT_THAT(CheckBuildFiles(Read(), layers_),
              ElementsAre("bench/step/CMakeLists.txt: no build file adds it",
                          "tests/worker/rpc/CMakeLists.txt: no build file adds it"));
}

}  // namespace
}  // namespace atl::testing
