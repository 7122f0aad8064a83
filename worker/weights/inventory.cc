#include "worker/weights/inventory.h"

#include <fmt/format.h>

#include <functional>
#include <numeric>
#include <utility>

#include "common/base/status_macros.h"
#include "worker/weights/model_weights.h"
#include "worker/weights/tensor_names.h"
#include "worker/weights/weight_source.h"

namespace atl::worker {
namespace {

using Kind = ExpectedTensor::Kind;
using kernels::TensorView;
using kernels::WeightView;

// Answers with views of no memory.
class Recorder : public WeightSource {
 public:
  explicit Recorder(StoredForm form) : form_(form) {}

  // Nothing that is optional: a tied head is not asked for.
  bool Has(const std::string&) const override { return false; }

  absl::StatusOr<TensorView> Tensor(const std::string& name,
                                    std::initializer_list<int64_t> shape) override {
    Add(name, shape, Kind::kPlain);
    return TensorView::Dense(nullptr, kernels::DType::kBf16, shape);
  }

  absl::StatusOr<WeightView> Matrix(const std::string& name, int64_t rows,
                                    int64_t columns) override {
    if (form_ == StoredForm::kFp8 && IsQuantisedInFp8(name)) {
      Add(name, {rows, columns}, Kind::kFp8Matrix);
      Add(ScaleNameOf(name), {kernels::NumScaleBlocks(rows), kernels::NumScaleBlocks(columns)},
          Kind::kFp8Scales);
    } else {
      Add(name, {rows, columns}, Kind::kMatrix);
    }
    return WeightView(TensorView::Dense(nullptr, kernels::DType::kBf16, {rows, columns}));
  }

  absl::StatusOr<std::vector<kernels::ExpertWeights>> Experts(const std::string& prefix,
                                                              const ExpertShape& shape) override {
    const int64_t e = shape.num_experts, i = shape.intermediate, h = shape.hidden;
    std::vector<kernels::ExpertWeights> experts;
    if (form_ == StoredForm::kFused) {
      Add(prefix + "gate_up_proj", {e, 2 * i, h}, Kind::kMatrix);
      Add(prefix + "down_proj", {e, h, i}, Kind::kMatrix);
      return experts;
    }
    for (int64_t n = 0; n < e; ++n) {
      const std::string name = fmt::format("{}{}.", prefix, n);
      kernels::ExpertWeights expert;
      ATOLL_ASSIGN_OR_RETURN(expert.gate, Matrix(name + "gate_proj.weight", i, h));
      ATOLL_ASSIGN_OR_RETURN(expert.up, Matrix(name + "up_proj.weight", i, h));
      ATOLL_ASSIGN_OR_RETURN(expert.down, Matrix(name + "down_proj.weight", h, i));
      experts.push_back(expert);
    }
    return experts;
  }

  std::vector<ExpectedTensor> Take() { return std::move(tensors_); }

 private:
  void Add(const std::string& name, std::vector<int64_t> shape, Kind kind) {
    tensors_.push_back({PublishedName(name), std::move(shape), kind});
  }

  const StoredForm form_;
  std::vector<ExpectedTensor> tensors_;
};

}  // namespace

int64_t ExpectedTensor::num_elements() const {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

absl::StatusOr<std::vector<ExpectedTensor>> TrunkInventory(const ModelConfig& config,
                                                           StoredForm form) {
  Recorder recorder(form);
  ATOLL_RETURN_IF_ERROR(LoadModelWeights(recorder, config).status());
  return recorder.Take();
}

absl::StatusOr<std::vector<ExpectedTensor>> MtpInventory(const ModelConfig& config,
                                                         StoredForm form) {
  Recorder recorder(form);
  ATOLL_RETURN_IF_ERROR(LoadMtpWeights(recorder, config).status());
  return recorder.Take();
}

}  // namespace atl::worker
