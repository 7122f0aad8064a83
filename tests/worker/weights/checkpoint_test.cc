#include "worker/weights/checkpoint.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/safetensors_bytes.h"
#include "tests/support/status_matchers.h"
#include "worker/weights/model_weights.h"
#include "worker/weights/tensor_names.h"

namespace atl::worker {
namespace {

using Json = nlohmann::json;
constexpr auto kDataLoss = absl::StatusCode::kDataLoss;
constexpr auto kUnimplemented = absl::StatusCode::kUnimplemented;

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
              ("atoll_weights_" + std::to_string(getpid()) + "_" + std::to_string(++count_))) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  void Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
  }
  std::string path() const { return path_.string(); }

 private:
  static inline int count_ = 0;
  std::filesystem::path path_;
};

TEST(SafetensorsTest, ReadsShapesAndBytes) {
  const std::string bytes = testing::SafetensorsBytes(
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
  EXPECT_STATUS(OpenBytes(testing::SafetensorsBytes(GetParam().header, GetParam().data_bytes)),
                kDataLoss, GetParam().says);
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
  std::string bytes = testing::SafetensorsBytes("{}", 0);
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
  EXPECT_EQ(ChooseDType("auto", *checkpoint).value(), kernels::DType::kBf16);
  EXPECT_EQ(ChooseDType("fp32", *checkpoint).value(), kernels::DType::kF32);
  EXPECT_STATUS(ChooseDType("int8", *checkpoint), absl::StatusCode::kInvalidArgument,
                "--dtype int8");
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
      testing::SafetensorsBytes(
          Json{{name, {{"dtype", "F32"}, {"shape", {1}}, {"data_offsets", {0, 4}}}}}.dump(), 4));
  return Checkpoint::Open(folder.path()).status();
}

TEST(CheckpointTest, NamesAreRecognisedUnderEveryPrefix) {
  for (const char* prefix : {"", "model.", "model.language_model.", "language_model.model."}) {
    EXPECT_OK(OpenNamed(std::string(prefix) + "layers.0.linear_attn.A_log"));
  }
  EXPECT_OK(OpenNamed("model.visual.blocks.0.attn.qkv.weight"));
  EXPECT_OK(OpenNamed("mtp.fc.weight"));
  EXPECT_OK(OpenNamed("model.layers.0.mlp.experts.7.gate_proj.weight"));
  EXPECT_OK(OpenNamed("model.layers.0.mlp.experts.7.down_proj.weight_scale_inv"));
  EXPECT_OK(OpenNamed("model.layers.0.self_attn.q_proj.weight_scale_inv"));
  EXPECT_STATUS(OpenNamed("model.layers.0.mlp.experts.x.gate_proj.weight"), kUnimplemented,
                "no such tensor");
  EXPECT_STATUS(OpenNamed("model.layers.0.linear_attn.in_proj_a.weight_scale_inv"), kUnimplemented,
                "quantised");
  EXPECT_STATUS(OpenNamed("model.layers.0.self_attn.q_proj.qweight"), kUnimplemented, "quantised");
  EXPECT_STATUS(OpenNamed("model.layers.0.mlp.gate_proj.weight"), kUnimplemented, "no such tensor");
}

// A folder with one file of these tensors, given as a header in JSON.
absl::StatusOr<std::unique_ptr<Checkpoint>> OpenTensors(const Folder& folder,
                                                        const std::string& header,
                                                        const std::string& data) {
  folder.Write("config.json", "{}");
  const size_t padding = (8 - header.size() % 8) % 8;  // as writers align the data
  folder.Write("model.safetensors",
               testing::SafetensorsBytes(header + std::string(padding, ' '), 0) + data);
  return Checkpoint::Open(folder.path());
}

TEST(CheckpointTest, TensorsOfAnotherShapeOrTypeAreRefusedByName) {
  Folder folder;
  ASSERT_OK_AND_ASSIGN(
      const auto checkpoint,
      OpenTensors(folder, R"({"norm.weight":{"dtype":"I16","shape":[4],"data_offsets":[0,8]}})",
                  std::string(8, '\0')));
  EXPECT_STATUS(checkpoint->Tensor("norm.weight", {4}), kUnimplemented,
                "dtype I16 is not supported");
  EXPECT_STATUS(checkpoint->Tensor("norm.weight", {5}), kDataLoss,
                "shape [4], config.json asks for [5]");
  EXPECT_STATUS(checkpoint->Tensor("embed_tokens.weight", {4, 4}), kDataLoss,
                "embed_tokens.weight is missing");
}

TEST(CheckpointTest, HalfPrecisionVectorsAreWidened) {
  Folder folder;
  const uint16_t halves[] = {0x3c00, 0xc000, 0x0001, 0x7bff};
  ASSERT_OK_AND_ASSIGN(
      const auto checkpoint,
      OpenTensors(folder, R"({"norm.weight":{"dtype":"F16","shape":[4],"data_offsets":[0,8]}})",
                  std::string(reinterpret_cast<const char*>(halves), sizeof halves)));
  ASSERT_OK_AND_ASSIGN(const kernels::TensorView norm, checkpoint->Tensor("norm.weight", {4}));
  EXPECT_EQ(std::vector<float>(norm.f32(), norm.f32() + 4),
            (std::vector<float>{1.0f, -2.0f, 0x1p-24f, 65504.0f}));
}

TEST(CheckpointTest, ScalesBelongToF8MatricesAndToNothingElse) {
  const std::string q = "layers.0.self_attn.q_proj.weight", scale = ScaleNameOf(q);
  const auto matrix = [&](const Json& tensors, size_t bytes) {
    Folder folder;
    const auto checkpoint = OpenTensors(folder, tensors.dump(), std::string(bytes, '\0'));
    EXPECT_OK(checkpoint.status());
    return (*checkpoint)->Matrix(q, 130, 2);
  };
  const auto entry = [](const char* dtype, std::vector<int> shape, size_t begin, size_t end) {
    return Json{{"dtype", dtype}, {"shape", shape}, {"data_offsets", {begin, end}}};
  };
  const Json f8 = entry("F8_E4M3", {130, 2}, 0, 260);
  ASSERT_OK_AND_ASSIGN(const kernels::WeightView view,
                       matrix({{q, f8}, {scale, entry("BF16", {2, 1}, 260, 264)}}, 264));
  EXPECT_EQ(view.scales.dims[0], 2);
  EXPECT_STATUS(matrix({{q, f8}}, 260), kDataLoss, "q_proj.weight_scale_inv is missing");
  EXPECT_STATUS(matrix({{q, f8}, {scale, entry("BF16", {1, 1}, 260, 262)}}, 262), kDataLoss,
                "weight_scale_inv: shape [1, 1], config.json asks for [2, 1]");
  EXPECT_STATUS(matrix({{q, f8}, {scale, entry("F16", {2, 1}, 260, 264)}}, 264), kUnimplemented,
                "float16 scales");
  EXPECT_STATUS(
      matrix({{q, entry("BF16", {130, 2}, 0, 520)}, {scale, entry("BF16", {2, 1}, 520, 524)}}, 524),
      kDataLoss, "only F8_E4M3 needs them");
}

TEST(CheckpointTest, ExpertsFusedOrOneByOneAreTheSameViews) {
  const std::string prefix = "layers.0.mlp.experts.";
  Json fused, single;
  fused[prefix + "gate_up_proj"] = {
      {"dtype", "BF16"}, {"shape", {2, 6, 4}}, {"data_offsets", {0, 96}}};
  fused[prefix + "down_proj"] = {
      {"dtype", "BF16"}, {"shape", {2, 4, 3}}, {"data_offsets", {96, 144}}};
  std::string data;
  for (char i = 0; i < 72; ++i) data += {i, 0x3f};
  size_t at = 0;
  for (const char* matrix : {"gate_proj", "up_proj", "down_proj"}) {
    for (const char* expert : {"0", "1"}) {
      const bool down = std::string(matrix) == "down_proj";
      single[prefix + expert + "." + matrix + ".weight"] = {
          {"dtype", "BF16"},
          {"shape", down ? std::vector<int>{4, 3} : std::vector<int>{3, 4}},
          {"data_offsets", {at, at + 24}}};
      at += 24;
    }
  }
  // Fused data are gate 0, up 0, gate 1, up 1, down 0, down 1.
  const std::string by_matrix = data.substr(0, 24) + data.substr(48, 24) + data.substr(24, 24) +
                                data.substr(72, 24) + data.substr(96);
  Folder one, two;
  ASSERT_OK_AND_ASSIGN(const auto a, OpenTensors(one, fused.dump(), data));
  ASSERT_OK_AND_ASSIGN(const auto b, OpenTensors(two, single.dump(), by_matrix));
  ASSERT_OK_AND_ASSIGN(const auto from_fused, a->Experts(prefix, {2, 3, 4}));
  ASSERT_OK_AND_ASSIGN(const auto from_single, b->Experts(prefix, {2, 3, 4}));
  for (size_t e = 0; e < 2; ++e) {
    for (const auto matrix : {&kernels::ExpertWeights::gate, &kernels::ExpertWeights::up,
                              &kernels::ExpertWeights::down}) {
      EXPECT_EQ(0, std::memcmp((from_fused[e].*matrix).values.data,
                               (from_single[e].*matrix).values.data, 24));
    }
  }
  EXPECT_OK(a->CheckAllUsed());
  ASSERT_OK_AND_ASSIGN(const auto fewer, b->Experts(prefix, {1, 3, 4}));
  ASSERT_OK_AND_ASSIGN(const auto again, Checkpoint::Open(two.path()));
  ASSERT_OK(again->Experts(prefix, {1, 3, 4}));
  EXPECT_STATUS(again->CheckAllUsed(), kDataLoss, "experts.1.down_proj.weight: config.json");
}

TEST(CheckpointTest, ShardsMustAgreeWithTheIndex) {
  Folder folder;
  folder.Write("config.json", "{}");
  folder.Write("a.safetensors",
               testing::SafetensorsBytes(
                   R"({"norm.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4));
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
}  // namespace atl::worker
