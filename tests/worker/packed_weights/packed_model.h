// A model of the repository to pack, in a folder that is removed with the test.
#pragma once

#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "kernels/ops/gemm/panels.h"
#include "tests/support/status_matchers.h"
#include "worker/packed_weights/packed_file.h"
#include "worker/packed_weights/packed_store.h"
#include "worker/weights/model_weights.h"

namespace atl::worker {

class TemporaryFolder {
 public:
  TemporaryFolder()
      : path_(std::filesystem::temp_directory_path() /
              ("atoll_packed_" + std::to_string(getpid()) + "_" + std::to_string(++count_))) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string path() const { return path_.string(); }
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  static inline int count_ = 0;
  std::filesystem::path path_;
};

// bf16, experts fused, head of its own.
inline constexpr const char* kUntied = "tests/golden/data/untied8";

struct PackedModel {
  explicit PackedModel(const std::string& folder = kUntied)
      : config(LoadModelConfig(folder).value()),
        checkpoint(Checkpoint::Open(folder).value()),
        weights(LoadModelWeights(*checkpoint, config).value()),
        layout(weights) {}

  std::vector<std::vector<int>> AllExperts() const {
    std::vector<int> experts(static_cast<size_t>(config.num_experts));
    std::iota(experts.begin(), experts.end(), 0);
    return std::vector<std::vector<int>>(weights.layers.size(), experts);
  }
  std::vector<int> AllUnits() const { return layout.UnitsOf(AllExperts()); }

  // The bytes that a matrix has to have as panels.
  static std::vector<kernels::Bf16> PanelsOf(const PackedMatrix& matrix) {
    kernels::SetDenormalsToZero();
    kernels::KernelContext context(kernels::Backend::kRef, nullptr);
    kernels::Buffer buffer(matrix.size_bytes());
    EXPECT_OK(PackPanels(context, {.w = matrix.values,
                                   .count = matrix.num_panels(),
                                   .panels = reinterpret_cast<kernels::Bf16*>(buffer.data())}));
    std::vector<kernels::Bf16> panels(matrix.size_bytes() / sizeof(kernels::Bf16));
    std::memcpy(panels.data(), buffer.data(), matrix.size_bytes());
    return panels;
  }

  // Whether a unit stands in the packed form at `base` as it should.
  bool IsPacked(int unit, const std::byte* base) const {
    for (const PackedMatrix& matrix : layout.unit(unit)) {
      const std::vector<kernels::Bf16> panels = PanelsOf(matrix);
      if (std::memcmp(base + matrix.offset, panels.data(), matrix.size_bytes()) != 0) return false;
    }
    return true;
  }

  ModelConfig config;
  std::unique_ptr<Checkpoint> checkpoint;
  ModelWeights weights;
  PackedLayout layout;
};

// Runs PackNext until it has nothing left to pack, adopting into `weights` as a step would.
inline absl::Status PackAll(PackedStore& store, ModelWeights& weights) {
  while (true) {
    ATOLL_ASSIGN_OR_RETURN(const PackProgress progress, store.PackNext({}));
    store.Adopt(weights);
    if (progress == PackProgress::kDone) return absl::OkStatus();
  }
}

inline std::string ReadBytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void WriteBytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace atl::worker
