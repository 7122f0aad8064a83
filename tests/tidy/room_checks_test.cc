// The rules of rooms: this repository keeps each, and a tree in which it is broken is told.
#include "tests/tidy/room_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/tidy/planted_tree.h"

namespace atl::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(HouseTest, RoomsAreLinkedByTheTable) {
  EXPECT_THAT(CheckBuildFiles(tree_, layers_), IsEmpty());
}

TEST_F(HouseTest, RoomsAreSmall) {
  // Those that are being split; nothing is added here.
  const std::vector<std::string> known = {};
  EXPECT_THAT(CheckRoomSizes(tree_, known), IsEmpty());
}

TEST_F(HouseTest, RoomsHaveDoors) { EXPECT_THAT(CheckRoomDoors(tree_, layers_), IsEmpty()); }

TEST_F(HouseTest, PermissionsAreNeeded) {
  EXPECT_THAT(CheckPermissions(tree_, layers_), IsEmpty());
}

TEST_F(PlantedTest, CleanRooms) {
  const Tree tree = Read();
  EXPECT_THAT(CheckBuildFiles(tree, layers_), IsEmpty());
  EXPECT_THAT(CheckRoomSizes(tree, {}), IsEmpty());
  EXPECT_THAT(CheckRoomDoors(tree, layers_), IsEmpty());
  EXPECT_THAT(CheckPermissions(tree, layers_), IsEmpty());
}

TEST_F(PlantedTest, LargeRooms) {
  for (int i = 0; i < 16; ++i) Plant("worker/moe/file" + std::to_string(i) + ".cc", "\n");
  Plant("worker/moe/notes.md", "\n");
  EXPECT_THAT(CheckRoomSizes(Read(), {}), ElementsAre(HasSubstr("worker/moe: 17 files")));
  EXPECT_THAT(CheckRoomSizes(Read(), {"worker/moe"}), IsEmpty());
  EXPECT_THAT(CheckRoomSizes(Read(), {"worker/moe", "worker"}),
              ElementsAre(HasSubstr("worker: is small enough")));
}

TEST_F(PlantedTest, RoomsWithoutADoor) {
  std::filesystem::rename(root_ / "worker/moe/router.h", root_ / "worker/moe/gate.h");
  Plant("common/log/log.h", "#pragma once\n");
  EXPECT_THAT(CheckRoomDoors(Read(), layers_),
              ElementsAre(HasSubstr("worker/moe: its door worker/moe/router.h is not there")));
  ParseTable("\nroom(common/base)\nroom(worker/moe DOOR gate.h)\n");
  EXPECT_THAT(CheckRoomDoors(Read(), layers_),
              ElementsAre(HasSubstr("common/base: its door common/base/base.h is not there")));
}

TEST_F(PlantedTest, PermissionsNobodyNeeds) {
  ParseTable(
      "\nroom(common/base)\nroom(common/step)\nroom(kernels/tensor)\n"
      "room(worker/moe MAY kernels common/step common)\n");
  Plant("worker/moe/a.cc", "#include \"common/base/status.h\"\n");
  EXPECT_THAT(CheckPermissions(Read(), layers_),
              ElementsAre(HasSubstr("worker/moe: may include common/step, and"),
                          HasSubstr("worker/moe: may include common, and")));
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
