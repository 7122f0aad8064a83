#include "worker/weights/checkpoint.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/status_matchers.h"
#include "worker/weights/model_weights.h"

namespace atl {
namespace {

using Json = nlohmann::json;
constexpr auto kDataLoss = absl::StatusCode::kDataLoss;
constexpr auto kUnimplemented = absl::StatusCode::kUnimplemented;

// The bytes of a safetensors file with this header and `data_bytes` zeros behind it.
std::string FileBytes(const std::string& header, size_t data_bytes) {
  std::string bytes(8, '\0');
  const uint64_t size = header.size();
  std::memcpy(bytes.data(), &size, 8);
  return bytes + header + std::string(data_bytes, '\0');
}

absl::Status OpenBytes(const std::string& bytes) {
  return SafetensorsFile::FromBytes(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size(),
                                    "x.safetensors")
      .status();
}

// A folder that is removed with the test.
class Folder {
 public:
  Folder()
      : path_(std::filesystem::temp_directory_path() /
              ("atoll_weights_" + std::to_string(getpid()))) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  void Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

TEST(SafetensorsTest, ReadsShapesAndBytes) {
  const std::string bytes = FileBytes(
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},"b":{"dtype":"F32","shape":[],"data_offsets":[12,16]}})",
      16);
  ASSERT_OK_AND_ASSIGN(auto file,
                       SafetensorsFile::FromBytes(reinterpret_cast<const std::byte*>(bytes.data()),
                                                  bytes.size(), "x"));
  ASSERT_EQ(file->tensors().size(), 2u);
  EXPECT_EQ(file->tensors().at("a").shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(file->tensors().at("b").size_bytes, 4u);
  EXPECT_EQ(reinterpret_cast<const char*>(file->tensors().at("b").data),
            bytes.data() + bytes.size() - 4);
}

struct BadFile {
  const char* header;
  size_t data_bytes;
  const char* says;
};
class BadSafetensorsTest : public ::testing::TestWithParam<BadFile> {};
TEST_P(BadSafetensorsTest, IsRefusedNamingTheTensor) {
  EXPECT_STATUS(OpenBytes(FileBytes(GetParam().header, GetParam().data_bytes)), kDataLoss,
                GetParam().says);
}
INSTANTIATE_TEST_SUITE_P(
    All, BadSafetensorsTest,
    ::testing::Values(
        BadFile{R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", 15,
                "tensor a: ends at byte 16 of 15"},
        BadFile{R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,8]}})", 8,
                "tensor a: 8 bytes for a shape"},
        BadFile{
            R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})",
            6, "tensor b: overlaps"},
        BadFile{
            R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
            12, "tensor b: 4 bytes before it"},
        BadFile{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 9,
                "5 bytes after the last tensor"},
        BadFile{
            R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
            4, "tensor a: named twice"},
        BadFile{R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", 0,
                "a dimension is"},
        BadFile{
            R"({"a":{"dtype":"F32","shape":[1099511627776,1099511627776],"data_offsets":[0,0]}})",
            0, "2^48"},
        BadFile{R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4,
                "a dimension is -1"},
        BadFile{R"({"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}})", 4,
                "unknown dtype F99"},
        BadFile{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4,
                "two ascending numbers"},
        BadFile{R"({"a":[1,2]})", 0, "expected dtype, shape"},
        BadFile{R"([1])", 0, "not a JSON object"}, BadFile{"{\"a\":", 0, "not a JSON object"}));

TEST(SafetensorsTest, HeaderThatClaimsMoreThanTheFile) {
  std::string bytes = FileBytes("{}", 0);
  const uint64_t huge = uint64_t{1} << 63;
  std::memcpy(bytes.data(), &huge, 8);
  EXPECT_STATUS(OpenBytes(bytes), kDataLoss, "its header claims");
  EXPECT_STATUS(OpenBytes("abc"), kDataLoss, "too short");
}

TEST(CheckpointTest, LoadsTheEmbeddedModelAndSkipsItsMtpLayer) {
  ASSERT_OK_AND_ASSIGN(const ModelConfig config, LoadModelConfig("tools/nano/checkpoint"));
  ASSERT_OK_AND_ASSIGN(const auto checkpoint, Checkpoint::Open("tools/nano/checkpoint"));
  ASSERT_OK_AND_ASSIGN(const ModelWeights weights, LoadModelWeights(*checkpoint, config));
  EXPECT_EQ(weights.layers.size(), 8u);
  EXPECT_EQ(checkpoint->num_skipped(), 19);
  EXPECT_EQ(checkpoint->dtype().value(), kernels::DType::kBf16);
  EXPECT_EQ(checkpoint->digest().size(), 16u);
}

TEST(CheckpointTest, OwnedRangesHoldOnlyTheOwnedExperts) {
  ASSERT_OK_AND_ASSIGN(const ModelConfig config, LoadModelConfig("tools/nano/checkpoint"));
  ASSERT_OK_AND_ASSIGN(const auto checkpoint, Checkpoint::Open("tools/nano/checkpoint"));
  ASSERT_OK_AND_ASSIGN(const ModelWeights weights, LoadModelWeights(*checkpoint, config));
  const auto bytes = [&](const std::vector<int>& owned) {
    uint64_t sum = 0;
    for (const auto& range :
         OwnedRanges(*checkpoint, weights, std::vector<std::vector<int>>(8, owned)))
      sum += range.size_bytes;
    return sum;
  };
  const uint64_t expert = 3 * 16 * 128 * 2;
  EXPECT_EQ(bytes({3, 4}) - bytes({}), 8 * 2 * expert);
}

// One named tensor of one float, in a folder with a config.
absl::Status OpenNamed(const std::string& name) {
  Folder folder;
  folder.Write("config.json", "{}");
  folder.Write(
      "model.safetensors",
      FileBytes(Json{{name, {{"dtype", "F32"}, {"shape", {1}}, {"data_offsets", {0, 4}}}}}.dump(),
                4));
  return Checkpoint::Open(folder.path()).status();
}

TEST(CheckpointTest, NamesAreRecognisedUnderEveryPrefix) {
  for (const char* prefix : {"", "model.", "model.language_model.", "language_model.model."}) {
    EXPECT_OK(OpenNamed(std::string(prefix) + "layers.0.linear_attn.A_log"));
  }
  EXPECT_OK(OpenNamed("model.visual.blocks.0.attn.qkv.weight"));
  EXPECT_OK(OpenNamed("mtp.fc.weight"));
  EXPECT_STATUS(OpenNamed("model.layers.0.mlp.experts.7.gate_proj.weight"), kUnimplemented,
                "stored one by one");
  EXPECT_STATUS(OpenNamed("model.layers.0.self_attn.q_proj.weight_scale_inv"), kUnimplemented,
                "quantised");
  EXPECT_STATUS(OpenNamed("model.layers.0.self_attn.q_proj.qweight"), kUnimplemented, "quantised");
  EXPECT_STATUS(OpenNamed("model.layers.0.mlp.gate_proj.weight"), kUnimplemented, "no such tensor");
}

TEST(CheckpointTest, TensorsOfAnotherShapeOrTypeAreRefusedByName) {
  Folder folder;
  folder.Write("config.json", "{}");
  folder.Write("model.safetensors",
               FileBytes(R"({"norm.weight":{"dtype":"F16","shape":[4],"data_offsets":[0,8]}})", 8));
  ASSERT_OK_AND_ASSIGN(const auto checkpoint, Checkpoint::Open(folder.path()));
  EXPECT_STATUS(checkpoint->Tensor("norm.weight", {4}), kUnimplemented,
                "dtype F16 is not supported");
  EXPECT_STATUS(checkpoint->Tensor("norm.weight", {5}), kDataLoss,
                "shape [4], config.json asks for [5]");
  EXPECT_STATUS(checkpoint->Tensor("embed_tokens.weight", {4, 4}), kDataLoss,
                "embed_tokens.weight is missing");
}

TEST(CheckpointTest, ShardsMustAgreeWithTheIndex) {
  Folder folder;
  folder.Write("config.json", "{}");
  folder.Write("a.safetensors",
               FileBytes(R"({"norm.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4));
  folder.Write("model.safetensors.index.json", R"({"weight_map":{"norm.weight":"a.safetensors"}})");
  EXPECT_OK(Checkpoint::Open(folder.path()));
  folder.Write(
      "model.safetensors.index.json",
      R"({"weight_map":{"norm.weight":"a.safetensors","lm_head.weight":"a.safetensors"}})");
  EXPECT_STATUS(Checkpoint::Open(folder.path()), kDataLoss,
                "lm_head.weight: the index places it here");
  folder.Write("model.safetensors.index.json", R"({"weight_map":{"norm.weight":"b.safetensors"}})");
  EXPECT_STATUS(Checkpoint::Open(folder.path()), absl::StatusCode::kNotFound, "b.safetensors");
  folder.Write("model.safetensors.index.json",
               R"({"weight_map":{"norm.weight":"../a.safetensors"}})");
  EXPECT_STATUS(Checkpoint::Open(folder.path()), kDataLoss, "a name in the same folder");
  folder.Write("model.safetensors.index.json",
               R"({"weight_map":{"lm_head.weight":"a.safetensors"}})");
  EXPECT_STATUS(Checkpoint::Open(folder.path()), kDataLoss,
                "norm.weight: the index does not place it");
}

TEST(CheckpointTest, FolderWithoutAModel) {
  EXPECT_STATUS(Checkpoint::Open("tests"), absl::StatusCode::kNotFound, "tests/config.json");
}

}  // namespace
}  // namespace atl
