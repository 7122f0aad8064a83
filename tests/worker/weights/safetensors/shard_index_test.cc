#include "worker/weights/safetensors/shard_index.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/status_matchers.h"

namespace atl::worker {
namespace {

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

absl::StatusOr<ShardIndex> Read(const std::string& text) {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("atoll_index_" + std::to_string(getpid())))
          .string();
  std::ofstream(path, std::ios::binary) << text;
  auto index = ReadShardIndex(path);
  std::filesystem::remove(path);
  return index;
}

TEST(ShardIndexTest, KeepsTheMapAndPassesOverTheRest) {
  ASSERT_OK_AND_ASSIGN(
      const ShardIndex index,
      Read(R"({"metadata": {"total_size": 1, "weight_map": [{"a": "/"}]}, "more": [{"x": "../y"}],
               "weight_map": {"a": "1.safetensors", "b": "2.safetensors"}, "last": 1})"));
  EXPECT_THAT(index.file_of, ::testing::ElementsAre(::testing::Pair("a", "1.safetensors"),
                                                    ::testing::Pair("b", "2.safetensors")));
  EXPECT_EQ(index.total_bytes, 1u);
}

TEST(ShardIndexTest, TheTotalSizeIsOnlyThatOfTheMetadata) {
  ASSERT_OK_AND_ASSIGN(const ShardIndex index,
                       Read(R"({"total_size": 1, "metadata": {"more": {"total_size": 2}},
                                "weight_map": {"a": "1.safetensors"}})"));
  EXPECT_EQ(index.total_bytes, std::nullopt);
}

TEST(ShardIndexTest, FilesLieInTheSameFolder) {
  for (const char* file : {"../a", "/etc/passwd", "a/b", "", ".", "..", "a\\u0000b", "a\\nb"}) {
    SCOPED_TRACE(file);
    EXPECT_STATUS(Read(std::string(R"({"weight_map": {"t": ")") + file + "\"}}"), kDataLoss,
                  "tensor t: its file must be a name in the same folder");
  }
  for (const char* value : {"1", "null", "[]", "{}", "1.5", "-1", "true"}) {
    SCOPED_TRACE(value);
    EXPECT_STATUS(Read(std::string(R"({"weight_map": {"t": )") + value + "}}"), kDataLoss,
                  "tensor t: its file must be a name in the same folder");
  }
}

TEST(ShardIndexTest, WhatStandsTwice) {
  EXPECT_STATUS(Read(R"({"weight_map": {"t": "a", "t": "b"}})"), kDataLoss,
                "tensor t: stands twice");
  EXPECT_STATUS(Read(R"({"weight_map": {"t": "a"}, "weight_map": {}})"), kDataLoss,
                "weight_map stands twice");
}

TEST(ShardIndexTest, WhatIsNoIndex) {
  EXPECT_STATUS(Read("{}"), kDataLoss, "expected an object with weight_map");
  EXPECT_STATUS(Read("[]"), kDataLoss, "expected an object with weight_map");
  EXPECT_STATUS(Read("7"), kDataLoss, "expected an object with weight_map");
  EXPECT_STATUS(Read(R"({"weight_map": {}})"), kDataLoss, "weight_map is empty");
  EXPECT_STATUS(Read(R"({"weight_map": [1]})"), kDataLoss, "weight_map is no object");
  EXPECT_STATUS(Read(R"({"weight_map": "a"})"), kDataLoss, "weight_map is no object");
  EXPECT_STATUS(Read(R"({"weight_map": {"t": "a")"), kDataLoss, "not a JSON object: byte");
  EXPECT_STATUS(Read(std::string(1 << 20, '[')), kInvalid, "nested deeper than 8");
}

}  // namespace
}  // namespace atl::worker
