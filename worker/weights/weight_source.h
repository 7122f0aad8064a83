// Where a model's weights come from: the files of a checkpoint, or a list of what would be asked
// for.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "kernels/tensor/weight_view.h"

namespace atl::worker {

// Names are canonical: "layers.3.self_attn.q_proj.weight", "lm_head.weight", "mtp.fc.weight".
// Errors name file and tensor: kDataLoss for what is absent, of another shape or contradictory,
// kUnimplemented for a type that Atoll does not read.
class WeightSource {
 public:
  virtual ~WeightSource() = default;

  virtual bool Has(const std::string& name) const = 0;

  // What no release quantises: norms, convolutions, gates. bf16 or fp32.
  virtual absl::StatusOr<kernels::TensorView> Tensor(const std::string& name,
                                                     std::initializer_list<int64_t> shape) = 0;

  // The matrix [rows, columns] of a linear layer or a table, in the type of its file.
  virtual absl::StatusOr<kernels::WeightView> Matrix(const std::string& name, int64_t rows,
                                                     int64_t columns) = 0;

  // The routed experts under `prefix` ("layers.3.mlp.experts."), whether stored fused or one by
  // one.
  struct ExpertShape {
    int num_experts = 0;
    int64_t intermediate = 0;
    int64_t hidden = 0;
  };
  virtual absl::StatusOr<std::vector<kernels::ExpertWeights>> Experts(const std::string& prefix,
                                                                      const ExpertShape& shape) = 0;
};

}  // namespace atl::worker
