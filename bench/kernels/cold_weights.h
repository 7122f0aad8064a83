// Weights that no cache holds when their turn comes: copies of one operand, handed out in turn, as
// a step meets each matrix of a model once.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "kernels/tensor/buffer.h"
#include "kernels/tensor/weight_view.h"

namespace atl::kernels {

// Row-major as a mapped checkpoint has them, or in panels in huge pages as a worker packs them.
enum class WeightLayout { kRowMajor, kPanels };

class ColdWeights {
 public:
  ColdWeights(int64_t rows, int64_t columns, DType dtype, WeightLayout layout)
      : rows_(rows),
        columns_(columns),
        dtype_(dtype),
        layout_(layout),
        elements_(InLines(layout == WeightLayout::kPanels ? PanelsElements(rows, columns)
                                                          : rows * columns)),
        copies_(std::max<int64_t>(1, kColdBytes / (elements_ * ElementBytes()))),
        memory_(static_cast<size_t>(copies_ * elements_ * ElementBytes())),
        scales_(static_cast<size_t>(NumScaleBlocks(rows) * NumScaleBlocks(columns)) *
                sizeof(float)) {
    if (layout == WeightLayout::kPanels)
      madvise(memory_.data(), memory_.size_bytes(), MADV_HUGEPAGE);
    std::memset(memory_.data(), kSmallPositive, memory_.size_bytes());
    std::memset(scales_.data(), kSmallPositive, scales_.size_bytes());
  }

  WeightView Next() {
    const std::byte* const at = memory_.data() + turn_++ % copies_ * elements_ * ElementBytes();
    WeightView weight = TensorView::Dense(at, dtype_, {rows_, columns_});
    if (layout_ == WeightLayout::kPanels) weight.panels = reinterpret_cast<const Bf16*>(at);
    if (dtype_ == DType::kF8E4m3)
      weight.scales = F32(scales_.f32(), {NumScaleBlocks(rows_), NumScaleBlocks(columns_)});
    return weight;
  }

 private:
  static constexpr int64_t kColdBytes = int64_t{128} << 20;  // four times a large last-level cache
  static constexpr int kSmallPositive = 0x3c;  // a byte that makes such a number in every type

  // Panels are aligned to cache lines.
  static constexpr int64_t InLines(int64_t elements) { return (elements + 63) / 64 * 64; }
  int64_t ElementBytes() const { return static_cast<int64_t>(SizeOf(dtype_)); }

  int64_t rows_, columns_;
  DType dtype_;
  WeightLayout layout_;
  int64_t elements_, copies_, turn_ = 0;
  Buffer memory_, scales_;
};

}  // namespace atl::kernels
