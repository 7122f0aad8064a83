// Gated DeltaNet between its projections, in the recurrent form with late write
// (docs/arithmetic.md 4, docs/step-protocol.md 6): short convolution, norms of q and k, gates,
// delta rule, gated norm, all in one pass over a head, so that no row of it travels through memory
// twice.
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

  // C: q and k of all key heads, then v of all value heads.
  int conv_channels() const { return 2 * num_key_heads * key_dim + num_value_heads * value_dim; }
};

// Floats of one layer's state: per value head, slices of 32 value channels (the last may be padded
// to 16), each [key_dim][width].
int64_t DeltaStateFloats(const DeltaShape& shape);

// A ring of pre-convolution columns of one sequence and layer: the column of position p at index p
// mod ring_size, C elements of the cache's type.
struct ConvColumns {
  void* ring = nullptr;
  int ring_size = 0;
  DType dtype = DType::kBf16;
};

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
  // position_begin = 0: the state starts as zero, unread; all rows are applied and stored to
  // `state`
  kOwn,
};

// One sequence of a step: first the waiting rows [state_length, position_begin) are applied to
// `state` and stored back (true even if the step is abandoned later), then its new rows run on what
// `store` says. The caller sets the state's length to position_begin afterwards (kOwn: see commit).
// A state of length 0 is zero whatever it holds: it is not read.
struct DeltaSequence {
  int row_begin = 0;
  int num_rows = 0;
  int64_t position_begin = 0;
  int64_t state_length = 0;
  float* state = nullptr;
  float* spare = nullptr;
  DeltaWaitingRows waiting;
  DeltaStore store = DeltaStore::kWait;
  // Columns before position_begin are read from `columns`. `new_columns` gets the last of the new
  // rows, as many as it holds, and, where it is another ring, the columns before them. The same
  // ring holds taps − 1 + num_rows columns at least, so that nothing committed is overwritten.
  ConvColumns columns;
  ConvColumns new_columns;
};

struct DeltaWeights {
  TensorView conv;     // [taps, C] fp32, the last tap meets the row itself; 2 … 8 taps
  TensorView a_log;    // [Vh] bf16 or fp32
  TensorView dt_bias;  // [Vh] bf16 or fp32
  TensorView norm;     // [Dv] bf16 or fp32, used as it is (docs/model.md 3.3)
};

// Row t of a sequence, S the state before it (docs/model.md 3.6):
//   c = silu(Σ_j conv[j] · qkv[t − (taps−1) + j]), taps in ascending time, one fma after another
//     from +0, on columns rounded to the ring's type; before position 0 they are zero
//   k = c · 1/sqrt(Σc² + l2_epsilon), q likewise times q_scale; v = c
//   beta = sigmoid(b); decay = exp(−exp(a_log) · softplus(a + dt_bias))
//   r = Sᵀk, z = Sᵀq: four chains each, key channel i in chain i mod 4, added (0+1)+(2+3)
//   delta = beta·(v − decay·r); o = fma(delta, k·q, decay·z); S = fma(k, delta, decay·S)
//   out = ((o · 1/sqrt(Σo²/Dv + norm_epsilon)) · norm) · silu(z of the row)
// Sums over a row and k·q go by the 16-lane tree. Shapes: qkv [T, C], z, out [T, Vh, Dv], a, b [T,
// Vh], all fp32, rows strided; `out` may be `z`. Threads split (sequence, head).
struct DeltaRuleArgs {
  DeltaShape shape;
  TensorView qkv;
  TensorView z;
  TensorView a;
  TensorView b;
  DeltaWeights weights;
  float l2_epsilon = 1e-6f;
  float q_scale = 1.0f;
  float norm_epsilon = 1e-6f;
  std::span<const DeltaSequence> sequences;
  TensorView out;
};
// kInvalidArgument: shapes that disagree, a ring or a state that is missing or too small.
absl::Status DeltaRule(KernelContext& context, const DeltaRuleArgs& args);

// Scratch that DeltaRule takes of each thread.
size_t DeltaRuleScratchBytes(const DeltaShape& shape, int taps);

}  // namespace atl::kernels
