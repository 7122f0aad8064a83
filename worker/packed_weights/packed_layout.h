// PackedLayout: which matrices of a model are kept packed, and where each lies in the packed
// form.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/tensor/weight_view.h"
#include "worker/weights/model_weights.h"

namespace atl::worker {

// Stands in the head and the name of a packed file; a change of the layout or of panels is a
// new version.
inline constexpr uint32_t kPackedFormatVersion = 1;

// A matrix [N, K] bf16 of the checkpoint and the place of its ⌈N / 32⌉ panels.
struct PackedMatrix {
  kernels::TensorView values;
  uint64_t offset = 0;  // of the packed form's begin

  int64_t num_panels() const { return kernels::NumPanels(values.dims[0]); }
  uint64_t panel_bytes() const {
    return static_cast<uint64_t>(kernels::PanelElements(values.dims[1])) * sizeof(kernels::Bf16);
  }
  uint64_t size_bytes() const { return static_cast<uint64_t>(num_panels()) * panel_bytes(); }
};

// What is packed and counts at once is a unit: the linear layers of a layer, one routed expert, the
// head. The layout follows from the model alone, whoever owns which expert: a head of the file with
// a byte for each unit, then every matrix on a page of its own, those of a huge page and more on
// huge ones. Matrices that are not bf16, and those of fewer rows than a panel has columns, stay
// where they are. One packed form has space for the whole model; untouched places cost nothing.
class PackedLayout {
 public:
  explicit PackedLayout(const ModelWeights& weights);

  int num_units() const { return static_cast<int>(units_.size()); }
  std::span<const PackedMatrix> unit(int index) const { return units_[static_cast<size_t>(index)]; }
  uint64_t unit_bytes(int index) const;
  uint64_t size_bytes() const { return size_bytes_; }
  // Where the byte that says whether a unit is complete stands.
  static uint64_t StateOffset(int index);

  // The units of a worker that owns owned[layer] of the experts, without empty ones: first what
  // every token reads, then the experts in the order in which layers run.
  std::vector<int> UnitsOf(const std::vector<std::vector<int>>& owned) const;

  // Lets the unit's views in `weights` know its panels in the packed form at `base`.
  void UsePacked(int index, const std::byte* base, ModelWeights& weights) const;

 private:
  int DenseUnit(size_t layer) const;
  int HeadUnit() const { return num_units() - 1; }

  int units_per_layer_ = 1;
  std::vector<std::vector<PackedMatrix>> units_;
  uint64_t size_bytes_ = 0;
};

}  // namespace atl::worker
