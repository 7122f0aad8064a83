#include "worker/packed_weights/packed_place.h"

#include <cstdlib>

#include "tests/worker/packed_weights/packed_model.h"
#include "worker/packed_weights/packed_memory.h"

namespace atl::worker {
namespace {

constexpr const char* kNoFolder = "/proc";
constexpr int64_t kPlenty = int64_t{1} << 40;

class PackedPlaceTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<PackedSpace>> Place(PackedMode mode,
                                                     std::vector<std::string> folders,
                                                     int64_t memory_free_bytes) {
    return OpenPackedSpace({.mode = mode,
                            .folders = std::move(folders),
                            .digest = 5,
                            .units = model_.AllUnits(),
                            .memory_free_bytes = memory_free_bytes},
                           model_.layout);
  }
  static bool IsFile(const PackedSpace* space) {
    return dynamic_cast<const PackedFile*>(space) != nullptr;
  }
  static bool IsMemory(const PackedSpace* space) {
    return dynamic_cast<const PackedMemory*>(space) != nullptr;
  }

  PackedModel model_;
  TemporaryFolder folder_;
};

TEST_F(PackedPlaceTest, AFileInTheFirstFolderThatTakesIt) {
  const std::string below = folder_.file("made/on/the/way");
  ASSERT_OK_AND_ASSIGN(const auto space, Place(PackedMode::kFile, {kNoFolder, below}, 0));
  EXPECT_TRUE(IsFile(space.get()));
  EXPECT_TRUE(std::filesystem::exists(PackedFilePath(below, 5)));
}

TEST_F(PackedPlaceTest, AutoPrefersAFileThenMemoryThenNothing) {
  ASSERT_OK_AND_ASSIGN(const auto file, Place(PackedMode::kAuto, {folder_.path()}, kPlenty));
  EXPECT_TRUE(IsFile(file.get()));
  ASSERT_OK_AND_ASSIGN(const auto memory, Place(PackedMode::kAuto, {kNoFolder}, kPlenty));
  EXPECT_TRUE(IsMemory(memory.get()));
  ASSERT_OK_AND_ASSIGN(const auto nothing, Place(PackedMode::kAuto, {kNoFolder}, 1000));
  EXPECT_EQ(nothing, nullptr);
}

TEST_F(PackedPlaceTest, WhatIsAskedForAndNotThereIsAnError) {
  EXPECT_STATUS(Place(PackedMode::kFile, {kNoFolder}, kPlenty),
                absl::StatusCode::kFailedPrecondition, "--packed-weights-dir");
  EXPECT_STATUS(Place(PackedMode::kMemory, {folder_.path()}, 1000),
                absl::StatusCode::kResourceExhausted, "--packed-weights memory");
}

TEST_F(PackedPlaceTest, OffAndNothingToPackTakeNoPlace) {
  ASSERT_OK_AND_ASSIGN(const auto off, Place(PackedMode::kOff, {folder_.path()}, kPlenty));
  EXPECT_EQ(off, nullptr);
  ASSERT_OK_AND_ASSIGN(
      const auto empty,
      OpenPackedSpace({.mode = PackedMode::kFile, .folders = {folder_.path()}}, model_.layout));
  EXPECT_EQ(empty, nullptr);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(PackedPlaceTest, FoldersAreTheNamedOneOrTheCheckpointsAndTheCache) {
  EXPECT_EQ(PackedFolders("/a", "/model"), std::vector<std::string>{"/a"});
  setenv("XDG_CACHE_HOME", "/cache", 1);
  EXPECT_EQ(PackedFolders("", "/model"), (std::vector<std::string>{"/model", "/cache/atoll"}));
  setenv("XDG_CACHE_HOME", "", 1);
  setenv("HOME", "/home/me", 1);
  EXPECT_EQ(PackedFolders("", "/model"),
            (std::vector<std::string>{"/model", "/home/me/.cache/atoll"}));
}

TEST_F(PackedPlaceTest, NamesOfModes) {
  EXPECT_EQ(PackedModeOf("auto"), PackedMode::kAuto);
  EXPECT_EQ(PackedModeOf("file"), PackedMode::kFile);
  EXPECT_EQ(PackedModeOf("memory"), PackedMode::kMemory);
  EXPECT_EQ(PackedModeOf("off"), PackedMode::kOff);
}

}  // namespace
}  // namespace atl::worker
