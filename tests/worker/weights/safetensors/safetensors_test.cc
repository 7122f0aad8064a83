#include "worker/weights/safetensors/safetensors.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/support/safetensors_bytes.h"
#include "tests/support/status_matchers.h"

namespace atl::worker {
namespace {

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

absl::Status Open(const std::string& header, size_t data_bytes) {
  const std::string bytes = testing::SafetensorsBytes(header, data_bytes);
  return SafetensorsFile::FromBytes(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size(),
                                    "x.safetensors")
      .status();
}

TEST(SafetensorsHeaderTest, TensorsMayStandInAnyOrder) {
  EXPECT_OK(Open(R"({"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},
                     "a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                 8));
}

TEST(SafetensorsHeaderTest, EmptyTensorsStandAnywhere) {
  EXPECT_OK(Open(R"({"z":{"dtype":"F32","shape":[0,3],"data_offsets":[4,4]},
                     "a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                 4));
  EXPECT_OK(Open("{}", 0));
}

TEST(SafetensorsHeaderTest, FieldsOfOthersArePassedOver) {
  EXPECT_OK(Open(R"({"a":{"note":[1,[2,{"dtype":[]}],"x"],"dtype":"U8","more":{"shape":-1},
                         "shape":[1],"data_offsets":[0,1],"last":null}})",
                 1));
}

TEST(SafetensorsHeaderTest, AFieldThatStandsTwice) {
  EXPECT_STATUS(Open(R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1),
                kDataLoss, "tensor a: dtype is named twice");
  EXPECT_STATUS(Open(R"({"__metadata__":{},"__metadata__":{}})", 0), kDataLoss, "named twice");
}

TEST(SafetensorsHeaderTest, MetadataHoldsTexts) {
  EXPECT_OK(Open(R"({"__metadata__":{"format":"pt","note":"[{"}})", 0));
  EXPECT_STATUS(Open(R"({"__metadata__":{"a":1}})", 0), kDataLoss, "__metadata__ holds 1");
  EXPECT_STATUS(Open(R"({"__metadata__":{"a":[]}})", 0), kDataLoss, "__metadata__ holds a list");
  EXPECT_STATUS(Open(R"({"__metadata__":[]})", 0), kDataLoss, "__metadata__ holds a list");
}

TEST(SafetensorsHeaderTest, ListsHoldWholeNumbers) {
  const auto with = [](const std::string& shape, const std::string& offsets) {
    return Open(R"({"a":{"dtype":"U8","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}",
                1);
  };
  EXPECT_OK(with("[1]", "[0,1]"));
  EXPECT_STATUS(with("[1.0]", "[0,1]"), kDataLoss, "tensor a: a dimension is 1.0");
  EXPECT_STATUS(with("[[1]]", "[0,1]"), kDataLoss, "tensor a: a dimension is a list");
  EXPECT_STATUS(with("[{}]", "[0,1]"), kDataLoss, "tensor a: a dimension is an object");
  EXPECT_STATUS(with("1", "[0,1]"), kDataLoss, "tensor a: expected dtype, shape");
  EXPECT_STATUS(with("[1,1,1,1,1,1,1,1,1]", "[0,1]"), kDataLoss, "more than 8 dimensions");
  EXPECT_STATUS(with("[1]", "[0]"), kDataLoss, "two ascending numbers");
  EXPECT_STATUS(with("[1]", "[0,1,1]"), kDataLoss, "two ascending numbers");
  EXPECT_STATUS(with("[1]", "[0,-1]"), kDataLoss, "two ascending numbers");
  EXPECT_STATUS(with("[1]", R"({"0":1})"), kDataLoss, "tensor a: expected dtype, shape");
  EXPECT_STATUS(with("[1]", "[0,18446744073709551615]"), kDataLoss,
                "ends at byte 18446744073709551615 of 1");
}

TEST(SafetensorsHeaderTest, NestingIsRefusedBeforeItCosts) {
  EXPECT_STATUS(Open(std::string(10 << 20, '['), 0), kDataLoss, "nested deeper than 8 at byte 8");
  EXPECT_STATUS(Open(R"({"a":)" + std::string(9, '{'), 0), kDataLoss, "nested deeper than 8");
}

TEST(SafetensorsHeaderTest, NamesAreShownOnOneLine) {
  const absl::Status status = Open(R"({"a\nb\u0007)" + std::string(1000, 'x') + R"(":1})", 0);
  EXPECT_STATUS(status, kDataLoss, "tensor a\\x0ab\\x07xxx");
  EXPECT_LT(MessageOf(status).size(), 300u);
}

TEST(SafetensorsHeaderTest, HeaderOfLengthZero) {
  EXPECT_STATUS(Open("", 16), kDataLoss, "x.safetensors: its header is empty");
}

TEST(SafetensorsHeaderTest, BytesThatAreNoUtf8) {
  EXPECT_STATUS(Open("{\"a\xff\":{}}", 0), kDataLoss, "not a JSON object: byte 4 is wrong");
}

// What a path may lead to.
class SafetensorsPathTest : public ::testing::Test {
 protected:
  SafetensorsPathTest()
      : folder_(std::filesystem::temp_directory_path() /
                ("atoll_safetensors_" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~SafetensorsPathTest() override { std::filesystem::remove_all(folder_); }
  std::string path() const { return (folder_ / "m.safetensors").string(); }
  absl::Status Open() const { return SafetensorsFile::Open(path()).status(); }

  std::filesystem::path folder_;
};

TEST_F(SafetensorsPathTest, PlainFile) {
  std::ofstream(path(), std::ios::binary)
      << testing::SafetensorsBytes(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})", 3);
  ASSERT_OK_AND_ASSIGN(const auto file, SafetensorsFile::Open(path()));
  EXPECT_EQ(file->tensors().at("a").size_bytes, 3u);
  EXPECT_TRUE(file->Contains(file->tensors().at("a").data + 2));
  EXPECT_FALSE(file->Contains(file->tensors().at("a").data + 3));
}

TEST_F(SafetensorsPathTest, AbsentFile) {
  EXPECT_STATUS(Open(), absl::StatusCode::kNotFound, path() + ": no such file");
}

TEST_F(SafetensorsPathTest, PipeIsNotWaitedFor) {
  ASSERT_EQ(mkfifo(path().c_str(), 0600), 0);
  EXPECT_STATUS(Open(), kInvalid, "not a regular file");
}

TEST_F(SafetensorsPathTest, FolderAndDevice) {
  std::filesystem::create_directory(path());
  EXPECT_STATUS(Open(), kInvalid, "not a regular file");
  EXPECT_STATUS(SafetensorsFile::Open("/dev/zero").status(), kInvalid, "not a regular file");
}

TEST_F(SafetensorsPathTest, LinkToItself) {
  std::filesystem::create_symlink(path(), path());
  EXPECT_STATUS(Open(), kInvalid, "cannot be opened");
}

TEST_F(SafetensorsPathTest, EmptyFile) {
  std::ofstream(path(), std::ios::binary).flush();
  EXPECT_STATUS(Open(), kDataLoss, "0 bytes: too short");
}

}  // namespace
}  // namespace atl::worker
