// The forward pass against transformers' recorded answers (README.md beside this file): each block
// fed the recorded input, and the logits of prompts whole and in chunks, in fp32. The limits are
// 10 × the recorded noise of transformers itself. Each test prints its worst figure as a multiple
// of its limit; mutations.md has the same figures with mistakes planted.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/golden/blocks.h"
#include "tests/support/status_matchers.h"
#include "worker/local/local_cluster.h"

namespace atl::testing {
namespace {

using Json = nlohmann::json;

constexpr double kNoiseFactor = 10.0;

struct Errors {
  double worst = 0.0;
  double median = 0.0;
};

// max |a − b| over each row in units of the largest |reference| of the tensor.
Errors RowErrors(const float* got, const float* reference, int64_t rows, int64_t width) {
  double largest = 0.0;
  for (int64_t i = 0; i < rows * width; ++i)
    largest = std::max(largest, std::abs(double{reference[i]}));
  std::vector<double> errors;
  for (int64_t r = 0; r < rows; ++r) {
    double row = 0.0;
    for (int64_t c = 0; c < width; ++c) {
      const double difference =
          std::abs(double{got[r * width + c]} - double{reference[r * width + c]});
      row = std::max(row, std::isfinite(difference) ? difference : 1e30);
    }
    errors.push_back(row / largest);
  }
  std::sort(errors.begin(), errors.end());
  return {errors.back(), errors[errors.size() / 2]};
}

class GoldenTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    folder_ = std::string("tests/golden/data/") + GetParam();
    ASSERT_OK_AND_ASSIGN(config_, LoadModelConfig(folder_));
    ASSERT_OK_AND_ASSIGN(checkpoint_, worker::Checkpoint::Open(folder_));
    ASSERT_OK_AND_ASSIGN(weights_, worker::LoadModelWeights(*checkpoint_, config_));
    ASSERT_OK_AND_ASSIGN(recording_,
                         worker::SafetensorsFile::Open(folder_ + "/recording.safetensors"));
    std::ifstream noise(folder_ + "/noise.json");
    noise_ = Json::parse(noise);
    ASSERT_OK_AND_ASSIGN(backend_, kernels::BestBackend());
    ASSERT_OK_AND_ASSIGN(cluster_, worker::LocalCluster::Create(config_, weights_, Options()));
  }

  worker::LocalClusterOptions Options() const {
    return {.executor = {.backend = backend_,
                         .decoder = {.dtype = kernels::DType::kF32},
                         .num_blocks = 8,
                         .num_slots = 1}};
  }

  bool Has(const std::string& name) const { return recording_->tensors().contains(name); }
  const worker::StoredTensor& Tensor(const std::string& name) const {
    return recording_->tensors().at(name);
  }
  const float* Floats(const std::string& name) const {
    return reinterpret_cast<const float*>(Tensor(name).data);
  }
  std::vector<TokenId> Ids(const std::string& name) const {
    const auto* ids = reinterpret_cast<const int32_t*>(Tensor(name).data);
    std::vector<TokenId> result;
    for (int64_t i = 0; i < Tensor(name).shape[0]; ++i) result.push_back(TokenId{ids[i]});
    return result;
  }

  void ExpectWithin(const Errors& errors, const Json& noise, const std::string& what) {
    ExpectLess(errors.worst, kNoiseFactor * noise["worst"].get<double>(), what + " worst row");
    ExpectLess(errors.median, kNoiseFactor * noise["median"].get<double>(), what + " median row");
  }

  void ExpectLess(double error, double limit, const std::string& what) {
    EXPECT_LE(error, limit) << what;
    if (error / limit < worst_of_limit_) return;
    worst_of_limit_ = error / limit;
    worst_what_ = what;
  }

  void TearDown() override {
    if (worst_what_.empty()) return;
    const std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    fmt::print("[ of limit ] {} {:.3g} {}\n", name, worst_of_limit_, worst_what_);
  }

  void ExpectLogits(const worker::SoloRun& run, const std::string& prompt,
                    const std::string& what) {
    ASSERT_OK_AND_ASSIGN(const worker::SoloOutput out, worker::RunSolo(*cluster_, run));
    const int64_t rows = static_cast<int64_t>(run.ids.size());
    ASSERT_EQ(static_cast<int64_t>(out.logits.size()), rows * config_.vocab_size);
    ExpectWithin(RowErrors(out.logits.data(), Floats(prompt + ".logits"), rows, config_.vocab_size),
                 noise_["noise"]["logits"], what);
  }

  std::string folder_;
  ModelConfig config_;
  std::unique_ptr<worker::Checkpoint> checkpoint_;
  worker::ModelWeights weights_;
  std::unique_ptr<worker::SafetensorsFile> recording_;
  Json noise_;
  kernels::Backend backend_{};
  std::unique_ptr<worker::LocalCluster> cluster_;

 private:
  double worst_of_limit_ = 0.0;
  std::string worst_what_;
};

TEST_P(GoldenTest, LogitsOfWholePrompts) {
  for (const std::string prompt : {"prompt0", "prompt1"})
    ExpectLogits({.ids = Ids(prompt + ".ids")}, prompt, prompt);
}

// What a step leaves behind for the next: keys and values, columns, states, waiting rows.
TEST_P(GoldenTest, LogitsOfChunks) {
  ExpectLogits({.ids = Ids("prompt0.ids"), .chunks = {1}}, "prompt0", "prompt0 row by row");
  ExpectLogits({.ids = Ids("prompt1.ids"), .chunks = {5, 1, 1, 2, 11, 1, 7}}, "prompt1",
               "prompt1 in chunks");
}

TEST_P(GoldenTest, GreedyContinuation) {
  worker::SoloRun run = {.ids = Ids("prompt0.ids"), .probe = Probe::kNone};
  const std::vector<TokenId> expected = Ids("prompt0.greedy");
  run.num_generate = static_cast<int32_t>(expected.size());
  ASSERT_OK_AND_ASSIGN(const worker::SoloOutput out, worker::RunSolo(*cluster_, run));
  EXPECT_EQ(out.generated, expected);
}

// Every block by itself, fed what transformers fed it: a mixer from an empty state, positions from
// 0.
TEST_P(GoldenTest, LayersFedTheRecordedInput) {
  Blocks blocks(config_, weights_, backend_);
  int num_blocks_seen = 0;
  for (const std::string prompt : {"prompt0", "prompt1"}) {
    for (int layer = 0; layer < config_.num_layers(); ++layer) {
      const std::string name = prompt + ".layer" + std::to_string(layer);
      if (!Has(name + ".mixer_in")) continue;
      ++num_blocks_seen;
      const int64_t rows = Tensor(prompt + ".ids").shape[0], h = config_.hidden_size;
      const bool is_full =
          config_.layer_types[static_cast<size_t>(layer)] == LayerType::kFullAttention;
      ASSERT_OK_AND_ASSIGN(const std::vector<float> mixed,
                           blocks.Mix(layer, Floats(name + ".mixer_in"), rows));
      ExpectWithin(RowErrors(mixed.data(), Floats(name + ".mixer_out"), rows, h),
                   noise_["noise_fed"][is_full ? "full" : "linear"], name + " mixer");
      ASSERT_OK_AND_ASSIGN(const std::vector<float> added,
                           blocks.Moe(layer, Floats(name + ".moe_in"), rows));
      ExpectWithin(RowErrors(added.data(), Floats(name + ".moe_out"), rows, h),
                   noise_["noise_fed"]["moe"], name + " moe");
    }
  }
  EXPECT_GE(num_blocks_seen, config_.num_layers());
}

// The files hold the speculative layer and the vision tower, and the trunk above was read past
// them.
TEST_P(GoldenTest, SkipsMtpAndVisionByName) {
  int num_mtp = 0, num_vision = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    if (entry.path().filename().string().rfind("model", 0) != 0 ||
        entry.path().extension() != ".safetensors")
      continue;
    ASSERT_OK_AND_ASSIGN(const auto file, worker::SafetensorsFile::Open(entry.path().string()));
    for (const auto& [name, tensor] : file->tensors()) {
      num_mtp += name.rfind("mtp.", 0) == 0 ? 1 : 0;
      num_vision += name.rfind("model.visual.", 0) == 0 ? 1 : 0;
    }
  }
  EXPECT_EQ(checkpoint_->num_skipped(), num_mtp + num_vision);
  const bool has_both = folder_.ends_with("untied8") || folder_.ends_with("fp8nested3");
  EXPECT_EQ(num_mtp > 0, has_both);
  EXPECT_EQ(num_vision > 0, has_both);
}

INSTANTIATE_TEST_SUITE_P(Shapes, GoldenTest,
                         ::testing::Values("tied4", "untied8", "experts256", "unfriendly", "yarn4",
                                           "tied3", "deep12", "half6", "fp8flat3", "fp8nested3"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace atl::testing
