// The messages of one MoE layer, in the one place that both sides read
// (docs/step-protocol.md 5).
//
//   dispatch = [transport header][ExchangeCounts][rows × H][pairs × ExchangePair]
//   return   = [transport header][pairs × H]
//
// H values of the exchange type a row. Pairs ascend by row, then by expert; what returns has the
// order of the dispatch's pairs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/tensor/dtype.h"
#include "worker/transport/transport.h"

namespace atl::worker {

struct ExchangeCounts {
  uint32_t rows = 0;
  uint32_t pairs = 0;
  uint64_t reserved = 0;  // keeps what follows 16-byte aligned
};

struct ExchangePair {
  uint32_t row = 0;  // of this message
  uint16_t expert = 0;
  uint16_t reserved = 0;
};

class DispatchLayout {
 public:
  DispatchLayout(int hidden, kernels::DType dtype)
      : row_bytes_(static_cast<size_t>(hidden) * kernels::SizeOf(dtype)) {}

  size_t row_bytes() const { return row_bytes_; }
  static constexpr size_t counts_offset() { return kMessageHeaderBytes; }
  size_t row_offset(size_t row) const {
    return kMessageHeaderBytes + sizeof(ExchangeCounts) + row * row_bytes_;
  }
  // Pairs begin at the next multiple of 8 behind the rows.
  size_t pairs_offset(size_t rows) const { return (row_offset(rows) + 7) / 8 * 8; }
  size_t dispatch_bytes(size_t rows, size_t pairs) const {
    return pairs_offset(rows) + pairs * sizeof(ExchangePair);
  }
  size_t combine_offset(size_t pair) const { return kMessageHeaderBytes + pair * row_bytes_; }

 private:
  size_t row_bytes_;
};

}  // namespace atl::worker
