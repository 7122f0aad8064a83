// The delta rule over F32x16, lanes over value channels; included once a page (see
// kernels/simd/f32x16.h). A row is applied in the pass of the next one, as late write does between
// steps: S <- fma(k, delta, decay · S), the same operation wherever it happens.

namespace {

// Vectors of value channels that pass together: 8 accumulators each, and AVX2 has 16 registers of
// half a vector.
inline constexpr int kPassVectors = sizeof(Mask16) > sizeof(uint16_t) ? 1 : 2;

// V · 16 value channels of one slice of one head.
template <int V>
struct DeltaLanes {
  int64_t slice_at;  // offset of the slice in the state
  int64_t width;     // of the slice: floats from key to key
  int lane;          // first of these within the slice
  int channel;       // first of these within the head
  int n[V];          // live lanes; the others are padding
};

// A row that is to be applied to S.
template <int V>
struct DeltaRow {
  const float* k;
  F32x16 delta[V];
  F32x16 decay;
};

// r = Sᵀk and z = Sᵀq of one row.
template <int V>
struct DeltaReads {
  F32x16 r[V];
  F32x16 z[V];
};

template <int kChain>
using Chain = std::integral_constant<int, kChain>;

struct DeltaHead {
  const DeltaRuleArgs* args;
  const DeltaSequence* sequence;
  int value_head;
  int key_head;
  const float* kq;  // [num_rows]
  float* slice;     // [key_dim][32]: S in L1 while the rows pass

  const float* K(int row) const { return Row(args->k, row, key_head); }
  const float* Q(int row) const { return Row(args->q, row, key_head); }
  const float* V(int row) const { return Row(args->v, row, value_head); }
  float* Out(int row) const { return Row(args->out, row, value_head); }
  float Beta(int row) const { return *Row(args->beta, row, value_head); }
  float Decay(int row) const { return *Row(args->decay, row, value_head); }
  float* Row(const TensorView& view, int row, int head) const {
    const int64_t head_stride = view.rank == 3 ? view.strides[1] : 1;
    return view.f32() + (sequence->row_begin + row) * view.strides[0] + head * head_stride;
  }
  int64_t Slot(int64_t position) const { return position % sequence->waiting.ring_size; }
  float* WaitingK(int64_t slot) const {
    const DeltaShape& shape = args->shape;
    return sequence->waiting.k + (slot * shape.num_key_heads + key_head) * shape.key_dim;
  }
  float* WaitingDelta(int64_t slot) const {
    const DeltaShape& shape = args->shape;
    return sequence->waiting.delta + (slot * shape.num_value_heads + value_head) * shape.value_dim;
  }
  float* WaitingDecay(int64_t slot) const {
    return sequence->waiting.decay + slot * args->shape.num_value_heads + value_head;
  }
  int64_t num_waiting() const { return sequence->position_begin - sequence->state_length; }
};

// k · q in the tree of sixteen lanes.
inline float Dot(const float* a, const float* b, int count) {
  F32x16 sum = Zero();
  for (int i = 0; i < count; i += 16) {
    const int n = count - i < 16 ? count - i : 16;
    sum = Fma(LoadN(a + i, n, 0.0f), LoadN(b + i, n, 0.0f), sum);
  }
  return ReduceAdd(sum);
}

template <int V>
inline DeltaRow<V> WaitingRow(const DeltaHead& head, const DeltaLanes<V>& lanes, int64_t position) {
  const int64_t slot = head.Slot(position);
  DeltaRow<V> row;
  row.k = head.WaitingK(slot);
  row.decay = Set1(*head.WaitingDecay(slot));
  for (int v = 0; v < V; ++v)
    row.delta[v] = LoadN(head.WaitingDelta(slot) + lanes.channel + 16 * v, lanes.n[v], 0.0f);
  return row;
}

// S <- fma(k, delta, decay · S) for one key.
template <int V>
inline void Apply(const DeltaRow<V>& row, int key, F32x16 (&s)[V]) {
  const F32x16 k = Set1(row.k[key]);
  for (int v = 0; v < V; ++v) s[v] = Fma(k, row.delta[v], Mul(row.decay, s[v]));
}

// Applies a row to S at `from` and puts the result at `to` (may be the same).
template <int V>
void ApplyRow(const DeltaLanes<V>& lanes, int key_dim, const DeltaRow<V>& row, const float* from,
              float* to) {
  for (int key = 0; key < key_dim; ++key, from += lanes.width, to += lanes.width) {
    F32x16 s[V];
    for (int v = 0; v < V; ++v) s[v] = Load(from + 16 * v);
    Apply<V>(row, key, s);
    for (int v = 0; v < V; ++v) Store(to + 16 * v, s[v]);
  }
}

// One pass over S: applies `row` in place, unless it is null, and reads S with k and q of a new
// row, in four chains of key channels.
template <int V, typename RowOrNull>
inline void ReadPass(const DeltaHead& head, const DeltaLanes<V>& lanes, int new_row, float* s_at,
                     const RowOrNull& row, DeltaReads<V>& reads) {
  const int key_dim = head.args->shape.key_dim;
  const int64_t width = lanes.width;
  const float* k = head.K(new_row);
  const float* q = head.Q(new_row);
  // Chains are named by constants throughout, so that they stay in registers.
  F32x16 r[4][V], z[4][V];
  for (int chain = 0; chain < 4; ++chain)
    for (int v = 0; v < V; ++v) r[chain][v] = z[chain][v] = Zero();
  const auto step = [&](int key, auto chain) {
    F32x16 s[V];
    for (int v = 0; v < V; ++v) s[v] = Load(s_at + 16 * v);
    if constexpr (!std::is_same_v<RowOrNull, std::nullptr_t>) {
      Apply<V>(row, key, s);
      for (int v = 0; v < V; ++v) Store(s_at + 16 * v, s[v]);
    }
    const F32x16 k1 = Set1(k[key]), q1 = Set1(q[key]);
    for (int v = 0; v < V; ++v) {
      r[chain][v] = Fma(k1, s[v], r[chain][v]);
      z[chain][v] = Fma(q1, s[v], z[chain][v]);
    }
    s_at += width;
  };
  int key = 0;
  for (; key + 4 <= key_dim; key += 4) {
    step(key, Chain<0>());
    step(key + 1, Chain<1>());
    step(key + 2, Chain<2>());
    step(key + 3, Chain<3>());
  }
  if (key < key_dim) step(key, Chain<0>());
  if (key + 1 < key_dim) step(key + 1, Chain<1>());
  if (key + 2 < key_dim) step(key + 2, Chain<2>());
  for (int v = 0; v < V; ++v) {
    reads.r[v] = Add(Add(r[0][v], r[1][v]), Add(r[2][v], r[3][v]));
    reads.z[v] = Add(Add(z[0][v], z[1][v]), Add(z[2][v], z[3][v]));
  }
}

// The row's delta and output from what the pass read.
template <int V>
inline DeltaRow<V> FinishRow(const DeltaHead& head, const DeltaLanes<V>& lanes, int new_row,
                             const DeltaReads<V>& reads) {
  DeltaRow<V> row;
  row.k = head.K(new_row);
  row.decay = Set1(head.Decay(new_row));
  const F32x16 beta = Set1(head.Beta(new_row)), kq = Set1(head.kq[new_row]);
  const float* value = head.V(new_row) + lanes.channel;
  float* out = head.Out(new_row) + lanes.channel;
  for (int v = 0; v < V; ++v) {
    const F32x16 missing = Sub(LoadN(value + 16 * v, lanes.n[v], 0.0f), Mul(row.decay, reads.r[v]));
    row.delta[v] = Mul(beta, missing);
    StoreN(out + 16 * v, Fma(row.delta[v], kq, Mul(row.decay, reads.z[v])), lanes.n[v]);
  }
  return row;
}

// Puts a new row into the ring: each task its own part of delta; k and decay by the task of the
// first slice (k only of the key head's first value head), so that nothing is written twice.
template <int V>
inline void Wait(const DeltaHead& head, const DeltaLanes<V>& lanes, int new_row,
                 const DeltaRow<V>& row) {
  const DeltaShape& shape = head.args->shape;
  const int64_t slot = head.Slot(head.sequence->position_begin + new_row);
  for (int v = 0; v < V; ++v)
    StoreN(head.WaitingDelta(slot) + lanes.channel + 16 * v, row.delta[v], lanes.n[v]);
  if (lanes.channel != 0) return;
  *head.WaitingDecay(slot) = head.Decay(new_row);
  if (head.value_head % (shape.num_value_heads / shape.num_key_heads) == 0)
    std::memcpy(head.WaitingK(slot), row.k, static_cast<size_t>(shape.key_dim) * sizeof(float));
}

template <int V>
void CopyLanes(const DeltaLanes<V>& lanes, int key_dim, const float* from, float* to) {
  for (int key = 0; key < key_dim; ++key, to += lanes.width) {
    for (int v = 0; v < V; ++v)
      Store(to + 16 * v, from == nullptr ? Zero() : Load(from + key * lanes.width + 16 * v));
  }
}

template <int V>
void RunLanes(const DeltaHead& head, const DeltaLanes<V>& lanes) {
  const DeltaSequence& sequence = *head.sequence;
  const int key_dim = head.args->shape.key_dim;
  const int64_t begin = sequence.position_begin;
  const bool waits = begin > sequence.state_length;
  // One row that only waits needs no copy of S: the last waiting row is applied in its own pass.
  const bool in_place = waits && sequence.num_rows == 1 && sequence.store == DeltaStore::kWait;
  float* const state = sequence.state + lanes.slice_at + lanes.lane;
  float* const copy = head.slice + lanes.lane;

  if (waits && sequence.state_length == 0) CopyLanes<V>(lanes, key_dim, nullptr, state);
  for (int64_t p = sequence.state_length; p < begin - (in_place ? 1 : 0); ++p)
    ApplyRow<V>(lanes, key_dim, WaitingRow<V>(head, lanes, p), state, state);

  DeltaReads<V> reads;
  if (in_place) {
    ReadPass<V>(head, lanes, 0, state, WaitingRow<V>(head, lanes, begin - 1), reads);
  } else {
    CopyLanes<V>(lanes, key_dim, begin == 0 ? nullptr : state, copy);
    ReadPass<V>(head, lanes, 0, copy, nullptr, reads);
  }
  for (int new_row = 0;; ++new_row) {
    const DeltaRow<V> row = FinishRow<V>(head, lanes, new_row, reads);
    if (sequence.store == DeltaStore::kWait) Wait<V>(head, lanes, new_row, row);
    if (new_row + 1 < sequence.num_rows) {
      ReadPass<V>(head, lanes, new_row + 1, copy, row, reads);
      continue;
    }
    float* const end =
        sequence.store == DeltaStore::kSpare ? sequence.spare + lanes.slice_at + lanes.lane : state;
    if (sequence.store != DeltaStore::kWait) ApplyRow<V>(lanes, key_dim, row, copy, end);
    return;
  }
}

// The vectors of a slice, as many at a time as the page's registers hold.
void RunSlice(const DeltaHead& head, int64_t slice_at, int channel, int width) {
  const int value_dim = head.args->shape.value_dim;
  const auto live = [&](int first) {
    const int n = value_dim - first;
    return n < 0 ? 0 : n > 16 ? 16 : n;
  };
  if constexpr (kPassVectors == 2) {
    if (width == 32) {
      RunLanes<2>(head, {slice_at, width, 0, channel, {live(channel), live(channel + 16)}});
      return;
    }
  }
  for (int lane = 0; lane < width; lane += 16)
    RunLanes<1>(head, {slice_at, width, lane, channel + lane, {live(channel + lane)}});
}

}  // namespace

void RunHead(const DeltaRuleArgs& args, const DeltaTask& task) {
  const DeltaShape& shape = args.shape;
  DeltaHead head{};
  head.args = &args;
  head.sequence = task.sequence;
  head.value_head = task.value_head;
  head.key_head = task.value_head / (shape.num_value_heads / shape.num_key_heads);
  head.slice = reinterpret_cast<float*>(task.scratch);
  float* kq = head.slice + int64_t{shape.key_dim} * kDeltaSlice;
  head.kq = kq;
  for (int row = 0; row < task.sequence->num_rows; ++row)
    kq[row] = Dot(head.K(row), head.Q(row), shape.key_dim);
  const int64_t padded = PaddedValueDim(shape.value_dim);
  const int64_t head_at = task.value_head * padded * shape.key_dim;
  for (int64_t channel = 0; channel < padded; channel += kDeltaSlice) {
    const int width =
        static_cast<int>(padded - channel < kDeltaSlice ? padded - channel : int64_t{kDeltaSlice});
    RunSlice(head, head_at + channel * shape.key_dim, static_cast<int>(channel), width);
  }
}
