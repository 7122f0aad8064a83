// Gated DeltaNet, recurrent form with late write (docs/adr/0001 §2, docs/ARCHITECTURE.md "A step on
// a home").
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/dispatch/kernel_context.h"
#include "kernels/tensor/tensor_view.h"

namespace atl::kernels {

struct DeltaShape {
  int num_key_heads = 0;  // value head j reads key head j / (num_value_heads / num_key_heads)
  int num_value_heads = 0;
  int key_dim = 0;
  int value_dim = 0;
};

// Floats of one layer's state: per value head, slices of 32 value channels (the last may be padded
// to 16), each [key_dim][width].
int64_t DeltaStateFloats(const DeltaShape& shape);

// beta = sigmoid(b); decay = exp(−exp(A_log) · softplus(a + dt_bias)). Shapes: a, b, beta, decay
// [T, Vh] fp32; a_log, dt_bias [Vh] bf16 or fp32.
struct DeltaGatesArgs {
  TensorView a;
  TensorView b;
  TensorView a_log;
  TensorView dt_bias;
  TensorView beta;
  TensorView decay;
};
absl::Status DeltaGates(KernelContext& context, const DeltaGatesArgs& args);

// Waiting rows of one sequence and layer, by position mod ring_size: k [ring][Kh·Dk], delta
// [ring][Vh·Dv], decay [ring][Vh].
struct DeltaWaitingRows {
  float* k = nullptr;
  float* delta = nullptr;
  float* decay = nullptr;
  int ring_size = 0;
};

// Where the new rows of a sequence go.
enum class DeltaStore : uint8_t {
  kWait,   // to the ring: the state keeps only committed rows (num_rows ≤ ring_size / 2)
  kSpare,  // all rows are applied and stored to `spare`; state keeps only committed rows
  kOwn,  // position_begin = 0: the state starts as zero, unread; all rows are applied and stored to
         // `state`
};

// One sequence of a step: first the waiting rows [state_length, position_begin) are applied to
// `state` and stored back (true even if the step is abandoned later), then its new rows run on a
// copy in L1. The caller sets the state's length to position_begin afterwards (kOwn: see commit). A
// state of length 0 is zero whatever it holds: it is not read.
struct DeltaSequence {
  int row_begin = 0;
  int num_rows = 0;
  int64_t position_begin = 0;
  int64_t state_length = 0;
  float* state = nullptr;
  float* spare = nullptr;
  DeltaWaitingRows waiting;
  DeltaStore store = DeltaStore::kWait;
};

// Per value head and new token, S the state before it: r = Sᵀk, z = Sᵀq (four chains each, key
// channel i in chain i mod 4, added (0+1)+(2+3)); delta = beta·(v − decay·r); o = fma(delta, k·q,
// decay·z) with k·q by the 16-lane tree (lanes of fused multiply-adds from +0); then S = fma(k,
// delta, decay·S). Shapes: q, k [T, Kh, Dk] (normalised, q scaled), v, out [T, Vh, Dv], beta, decay
// [T, Vh]: all fp32, rows strided. Threads split (sequence, head).
struct DeltaRuleArgs {
  DeltaShape shape;
  TensorView q;
  TensorView k;
  TensorView v;
  TensorView beta;
  TensorView decay;
  std::span<const DeltaSequence> sequences;
  TensorView out;
};
// kInvalidArgument: shapes that disagree, a ring or a state that is missing or too small.
absl::Status DeltaRule(KernelContext& context, const DeltaRuleArgs& args);

// Scratch that DeltaRule takes of each thread when no sequence has more than `max_rows` new rows.
size_t DeltaRuleScratchBytes(const DeltaShape& shape, int max_rows);

}  // namespace atl::kernels
