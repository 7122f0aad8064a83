#include "worker/packed_weights/packed_place.h"

#include <cstdlib>

#include "tests/worker/packed_weights/packed_model.h"
#include "worker/packed_weights/packed_memory.h"

namespace atl::worker {
namespace {

constexpr const char* kNoFolder = "/proc";
constexpr int64_t kPlenty = int64_t{1} << 40;

class PanelPlaceTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<PanelSpace>> Place(PanelMode mode,
                                                    std::vector<std::string> folders,
                                                    int64_t memory_free_bytes) {
    return OpenPanelSpace({.mode = mode,
                           .folders = std::move(folders),
                           .digest = 5,
                           .units = model_.AllUnits(),
                           .memory_free_bytes = memory_free_bytes},
                          model_.layout);
  }
  static bool IsFile(const PanelSpace* space) {
    return dynamic_cast<const PanelFile*>(space) != nullptr;
  }
  static bool IsMemory(const PanelSpace* space) {
    return dynamic_cast<const PanelMemory*>(space) != nullptr;
  }

  PackedModel model_;
  TemporaryFolder folder_;
};

TEST_F(PanelPlaceTest, AFileInTheFirstFolderThatTakesIt) {
  const std::string below = folder_.file("made/on/the/way");
  ASSERT_OK_AND_ASSIGN(const auto space, Place(PanelMode::kFile, {kNoFolder, below}, 0));
  EXPECT_TRUE(IsFile(space.get()));
  EXPECT_TRUE(std::filesystem::exists(PanelFilePath(below, 5)));
}

TEST_F(PanelPlaceTest, AutoPrefersAFileThenMemoryThenNothing) {
  ASSERT_OK_AND_ASSIGN(const auto file, Place(PanelMode::kAuto, {folder_.path()}, kPlenty));
  EXPECT_TRUE(IsFile(file.get()));
  ASSERT_OK_AND_ASSIGN(const auto memory, Place(PanelMode::kAuto, {kNoFolder}, kPlenty));
  EXPECT_TRUE(IsMemory(memory.get()));
  ASSERT_OK_AND_ASSIGN(const auto nothing, Place(PanelMode::kAuto, {kNoFolder}, 1000));
  EXPECT_EQ(nothing, nullptr);
}

TEST_F(PanelPlaceTest, WhatIsAskedForAndNotThereIsAnError) {
  EXPECT_STATUS(Place(PanelMode::kFile, {kNoFolder}, kPlenty),
                absl::StatusCode::kFailedPrecondition, "--panels-dir");
  EXPECT_STATUS(Place(PanelMode::kMemory, {folder_.path()}, 1000),
                absl::StatusCode::kResourceExhausted, "--panels memory");
}

TEST_F(PanelPlaceTest, OffAndNothingToPackTakeNoPlace) {
  ASSERT_OK_AND_ASSIGN(const auto off, Place(PanelMode::kOff, {folder_.path()}, kPlenty));
  EXPECT_EQ(off, nullptr);
  ASSERT_OK_AND_ASSIGN(
      const auto empty,
      OpenPanelSpace({.mode = PanelMode::kFile, .folders = {folder_.path()}}, model_.layout));
  EXPECT_EQ(empty, nullptr);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(PanelPlaceTest, FoldersAreTheNamedOneOrTheCheckpointsAndTheCache) {
  EXPECT_EQ(PanelFolders("/a", "/model"), std::vector<std::string>{"/a"});
  setenv("XDG_CACHE_HOME", "/cache", 1);
  EXPECT_EQ(PanelFolders("", "/model"), (std::vector<std::string>{"/model", "/cache/atoll"}));
  setenv("XDG_CACHE_HOME", "", 1);
  setenv("HOME", "/home/me", 1);
  EXPECT_EQ(PanelFolders("", "/model"),
            (std::vector<std::string>{"/model", "/home/me/.cache/atoll"}));
}

TEST_F(PanelPlaceTest, NamesOfModes) {
  EXPECT_EQ(PanelModeOf("auto"), PanelMode::kAuto);
  EXPECT_EQ(PanelModeOf("file"), PanelMode::kFile);
  EXPECT_EQ(PanelModeOf("memory"), PanelMode::kMemory);
  EXPECT_EQ(PanelModeOf("off"), PanelMode::kOff);
}

}  // namespace
}  // namespace atl::worker
