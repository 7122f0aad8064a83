// What a checkpoint consists of: whatever the loaders ask for, by its name in the files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/config/model_config.h"

namespace atl::worker {

// How releases store the experts and the linear layers (docs/model.md 2.1, 2.2).
enum class StoredForm : uint8_t {
  kFused,     // all experts of a layer in two tensors: the bf16 release
  kOneByOne,  // three matrices an expert
  kFp8,       // one by one; experts and most linear layers in F8_E4M3 with scales
};

struct ExpectedTensor {
  enum class Kind : uint8_t {
    kPlain,  // norms, convolutions, gates: fp32 in some releases whose matrices are bf16
    kMatrix,
    kFp8Matrix,
    kFp8Scales,  // of the matrix before it
  };
  std::string name;  // "model.language_model.layers.3.mlp.gate.weight", "mtp.fc.weight"
  std::vector<int64_t> shape;
  Kind kind = Kind::kPlain;

  int64_t num_elements() const;
};

// In the order in which they are loaded. No name and no shape is known here: the loaders of
// model_weights.h run over a source that has everything and writes down what it is asked for.
absl::StatusOr<std::vector<ExpectedTensor>> TrunkInventory(const ModelConfig& config,
                                                           StoredForm form);
absl::StatusOr<std::vector<ExpectedTensor>> MtpInventory(const ModelConfig& config,
                                                         StoredForm form);

}  // namespace atl::worker
