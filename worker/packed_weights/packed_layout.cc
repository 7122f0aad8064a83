#include "worker/packed_weights/packed_layout.h"

#include <functional>

#include "common/base/check.h"
#include "worker/packed_weights/packed_head.h"

namespace atl::worker {
namespace {

using kernels::WeightView;

constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kHugePageBytes = uint64_t{2} << 20;

constexpr uint64_t AlignUp(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

// A product reads whole panels, so a matrix of a few rows would be read many times its size.
bool IsPacked(const WeightView& weight) {
  return weight.values.data != nullptr && weight.values.dtype == kernels::DType::kBf16 &&
         weight.scales.data == nullptr && weight.rows() >= kernels::kPanelColumns;
}

// Calls `visit` with the linear layers of a layer, those of the mixer that it does not have
// included.
template <typename Layer, typename Visit>
void ForDense(Layer& layer, Visit&& visit) {
  for (auto* weight :
       {&layer.attention.q_proj, &layer.attention.k_proj, &layer.attention.v_proj,
        &layer.attention.o_proj, &layer.delta_net.in_proj_qkv, &layer.delta_net.in_proj_z,
        &layer.delta_net.in_proj_b, &layer.delta_net.in_proj_a, &layer.delta_net.out_proj,
        &layer.moe.router, &layer.moe.shared_gate_proj, &layer.moe.shared_up_proj,
        &layer.moe.shared_down_proj, &layer.moe.shared_gate}) {
    if (IsPacked(*weight)) visit(*weight);
  }
}

template <typename Expert, typename Visit>
void ForExpert(Expert& expert, Visit&& visit) {
  for (auto* weight : {&expert.gate, &expert.up, &expert.down})
    if (IsPacked(*weight)) visit(*weight);
}

// Calls visit(unit, weight) with the packed matrices of a model in the order of the layout.
template <typename Weights, typename Visit>
void ForUnit(Weights& weights, int index, int units_per_layer, Visit&& visit) {
  const auto layer = static_cast<size_t>(index / units_per_layer);
  const int expert = index % units_per_layer - 1;
  if (layer == weights.layers.size()) {
    if (IsPacked(weights.head)) visit(weights.head);
  } else if (expert < 0) {
    ForDense(weights.layers[layer], visit);
  } else {
    ForExpert(weights.layers[layer].moe.experts[static_cast<size_t>(expert)], visit);
  }
}

}  // namespace

PackedLayout::PackedLayout(const ModelWeights& weights) {
  if (!weights.layers.empty())
    units_per_layer_ = 1 + static_cast<int>(weights.layers[0].moe.experts.size());
  units_.resize(weights.layers.size() * static_cast<size_t>(units_per_layer_) + 1);
  size_bytes_ = AlignUp(StateOffset(num_units()), kPageBytes);
  for (int index = 0; index < num_units(); ++index) {
    ForUnit(weights, index, units_per_layer_, [&](const WeightView& weight) {
      PackedMatrix matrix = {.values = weight.values};
      const bool is_huge = matrix.size_bytes() >= kHugePageBytes;
      matrix.offset = AlignUp(size_bytes_, is_huge ? kHugePageBytes : kPageBytes);
      size_bytes_ = AlignUp(matrix.offset + matrix.size_bytes(), kPageBytes);
      units_[static_cast<size_t>(index)].push_back(matrix);
    });
  }
}

uint64_t PackedLayout::unit_bytes(int index) const {
  uint64_t bytes = 0;
  for (const PackedMatrix& matrix : unit(index)) bytes += matrix.size_bytes();
  return bytes;
}

uint64_t PackedLayout::StateOffset(int index) {
  return sizeof(PackedHead) + static_cast<uint64_t>(index);
}

int PackedLayout::DenseUnit(size_t layer) const {
  return static_cast<int>(layer) * units_per_layer_;
}

std::vector<int> PackedLayout::UnitsOf(const std::vector<std::vector<int>>& owned) const {
  std::vector<int> units;
  const auto add = [&](int index) {
    if (!unit(index).empty()) units.push_back(index);
  };
  for (size_t layer = 0; layer < owned.size(); ++layer) add(DenseUnit(layer));
  add(HeadUnit());
  for (size_t layer = 0; layer < owned.size(); ++layer) {
    for (const int expert : owned[layer]) add(DenseUnit(layer) + 1 + expert);
  }
  return units;
}

void PackedLayout::UsePacked(int index, const std::byte* base, ModelWeights& weights) const {
  auto matrix = unit(index).begin();
  ForUnit(weights, index, units_per_layer_, [&](WeightView& weight) {
    CHECK(weight.values.data == matrix->values.data && weight.first_row == 0,
          "unit {} of other weights", index);
    weight.panels = reinterpret_cast<const kernels::Bf16*>(base + matrix->offset);
    ++matrix;
  });
}

}  // namespace atl::worker
