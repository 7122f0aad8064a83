// The delta rule over F32x16, lanes over value channels; included once an ISA after
// delta_rows_body.h (see kernels/simd/f32x16.h). A row is applied in the pass of the next one, as
// late write does between steps: S <- fma(k, delta, decay · S), the same operation wherever it
// happens.

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

// One value head of one sequence, and a tile of its rows in scratch.
struct DeltaHead {
  const DeltaShape* shape;
  const DeltaSequence* sequence;
  const DeltaScratch* rows;
  RowTile tile;
  int value_head;
  int key_head;

  const float* K(int row) const { return rows->k + row * rows->key_width; }
  const float* Q(int row) const { return rows->q + row * rows->key_width; }
  int64_t Slot(int64_t position) const { return position % sequence->waiting.ring_size; }
  float* WaitingK(int64_t slot) const {
    return sequence->waiting.k + (slot * shape->num_key_heads + key_head) * shape->key_dim;
  }
  float* WaitingDelta(int64_t slot) const {
    return sequence->waiting.delta +
           (slot * shape->num_value_heads + value_head) * shape->value_dim;
  }
  float* WaitingDecay(int64_t slot) const {
    return sequence->waiting.decay + slot * shape->num_value_heads + value_head;
  }
};

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

// Applies a row to S.
template <int V>
void ApplyRow(const DeltaLanes<V>& lanes, int key_dim, const DeltaRow<V>& row, float* s_at) {
  for (int key = 0; key < key_dim; ++key, s_at += lanes.width) {
    F32x16 s[V];
    for (int v = 0; v < V; ++v) s[v] = Load(s_at + 16 * v);
    Apply<V>(row, key, s);
    for (int v = 0; v < V; ++v) Store(s_at + 16 * v, s[v]);
  }
}

// One pass over S: applies `row` in place, unless it is null, and reads S with k and q of a new
// row, in four chains of key channels.
template <int V, typename RowOrNull>
// NOLINTNEXTLINE(readability-function-size): a struct of these would not stay in registers
inline void ReadPass(const DeltaHead& head, const DeltaLanes<V>& lanes, int new_row, float* s_at,
                     const RowOrNull& row, DeltaReads<V>& reads) {
  const int key_dim = head.shape->key_dim;
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

// The row's delta from what the pass read; its output takes the place of v.
template <int V>
inline DeltaRow<V> FinishRow(const DeltaHead& head, const DeltaLanes<V>& lanes, int new_row,
                             const DeltaReads<V>& reads) {
  const DeltaScratch& rows = *head.rows;
  DeltaRow<V> row;
  row.k = head.K(new_row);
  row.decay = Set1(rows.decay[new_row]);
  const F32x16 beta = Set1(rows.beta[new_row]), kq = Set1(rows.kq[new_row]);
  float* value = rows.v + new_row * rows.value_width + lanes.channel;
  for (int v = 0; v < V; ++v) {
    const F32x16 missing = Sub(Load(value + 16 * v), Mul(row.decay, reads.r[v]));
    row.delta[v] = Mul(beta, missing);
    Store(value + 16 * v, Fma(row.delta[v], kq, Mul(row.decay, reads.z[v])));
  }
  return row;
}

// Puts a new row into the ring: each task its own part of delta; k and decay with the first slice
// (k only by the key head's first value head), so that nothing is written twice.
template <int V>
inline void Wait(const DeltaHead& head, const DeltaLanes<V>& lanes, int new_row,
                 const DeltaRow<V>& row) {
  const DeltaShape& shape = *head.shape;
  const int64_t slot = head.Slot(head.sequence->position_begin + new_row);
  for (int v = 0; v < V; ++v)
    StoreN(head.WaitingDelta(slot) + lanes.channel + 16 * v, row.delta[v], lanes.n[v]);
  if (lanes.channel != 0) return;
  *head.WaitingDecay(slot) = head.rows->decay[new_row];
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

// Before the first row: applies the waiting rows to the state, but for `left` of them, and copies
// it to where the rows run, if that is elsewhere.
template <int V>
void BeginLanes(const DeltaHead& head, const DeltaLanes<V>& lanes, int left, float* run_at) {
  const DeltaSequence& sequence = *head.sequence;
  const int key_dim = head.shape->key_dim;
  float* const state = sequence.state + lanes.slice_at + lanes.lane;
  if (sequence.position_begin == 0) return CopyLanes<V>(lanes, key_dim, nullptr, run_at);
  if (sequence.state_length == 0) CopyLanes<V>(lanes, key_dim, nullptr, state);
  for (int64_t p = sequence.state_length; p < sequence.position_begin - left; ++p)
    ApplyRow<V>(lanes, key_dim, WaitingRow<V>(head, lanes, p), state);
  if (run_at != state) CopyLanes<V>(lanes, key_dim, state, run_at);
}

// One row that only waits needs no copy of S: the last waiting row is applied in its own pass.
template <int V>
[[gnu::noinline, gnu::flatten]] void RunOneRow(const DeltaHead& head, const DeltaLanes<V>& lanes) {
  const DeltaSequence& sequence = *head.sequence;
  float* const state = sequence.state + lanes.slice_at + lanes.lane;
  const bool waits = sequence.position_begin > sequence.state_length;
  BeginLanes<V>(head, lanes, waits ? 1 : 0, state);
  DeltaReads<V> reads;
  if (waits) {
    ReadPass<V>(head, lanes, 0, state, WaitingRow<V>(head, lanes, sequence.position_begin - 1),
                reads);
  } else {
    ReadPass<V>(head, lanes, 0, state, nullptr, reads);
  }
  Wait<V>(head, lanes, 0, FinishRow<V>(head, lanes, 0, reads));
}

template <int V>
[[gnu::noinline, gnu::flatten]] void RunLanes(const DeltaHead& head, const DeltaLanes<V>& lanes) {
  const DeltaSequence& sequence = *head.sequence;
  const bool wait = sequence.store == DeltaStore::kWait;
  const int num_rows = head.tile.count();
  float* const s_at = (wait                                   ? head.rows->slice
                       : sequence.store == DeltaStore::kSpare ? sequence.spare + lanes.slice_at
                                                              : sequence.state + lanes.slice_at) +
                      lanes.lane;
  if (head.tile.begin == 0) BeginLanes<V>(head, lanes, 0, s_at);
  DeltaReads<V> reads;
  ReadPass<V>(head, lanes, 0, s_at, nullptr, reads);
  for (int new_row = 0;; ++new_row) {
    const DeltaRow<V> row = FinishRow<V>(head, lanes, new_row, reads);
    if (wait) Wait<V>(head, lanes, new_row, row);
    if (new_row + 1 < num_rows) {
      ReadPass<V>(head, lanes, new_row + 1, s_at, row, reads);
      continue;
    }
    if (!wait) ApplyRow<V>(lanes, head.shape->key_dim, row, s_at);
    return;
  }
}

template <int V>
void RunLanesOrRow(const DeltaHead& head, const DeltaLanes<V>& lanes) {
  if (head.sequence->num_rows == 1 && head.sequence->store == DeltaStore::kWait)
    return RunOneRow<V>(head, lanes);
  RunLanes<V>(head, lanes);
}

// The vectors of a slice, as many at a time as the ISA's registers hold.
void RunSlice(const DeltaHead& head, int64_t slice_at, int channel, int width) {
  const auto live = [&](int first) {
    const int n = head.shape->value_dim - first;
    return n < 0 ? 0 : n > 16 ? 16 : n;
  };
  if constexpr (kPassVectors == 2) {
    if (width == 32) {
      RunLanesOrRow<2>(head, {slice_at, width, 0, channel, {live(channel), live(channel + 16)}});
      return;
    }
  }
  for (int lane = 0; lane < width; lane += 16)
    RunLanesOrRow<1>(head, {slice_at, width, lane, channel + lane, {live(channel + lane)}});
}

// Convolution of v and gates, the rule slice by slice, and the gated norm: one value head's tile.
void RunValueHead(const DeltaRuleArgs& args, const DeltaHead& head) {
  const DeltaShape& shape = args.shape;
  const int first_row = head.sequence->row_begin + head.tile.begin;
  const int64_t values_at = int64_t{2} * shape.num_key_heads * shape.key_dim;
  const HeadChannels channels{values_at + int64_t{head.value_head} * shape.value_dim,
                              shape.value_dim, true};
  ConvolveHead(args, *head.sequence, channels, head.tile, *head.rows, head.rows->v);
  GateRows(args, head.value_head, first_row, head.tile.count(), *head.rows);
  const int64_t padded = head.rows->value_width;
  const int64_t head_at = head.value_head * padded * shape.key_dim;
  for (int64_t channel = 0; channel < padded; channel += kDeltaSlice) {
    const int width =
        static_cast<int>(padded - channel < kDeltaSlice ? padded - channel : int64_t{kDeltaSlice});
    RunSlice(head, head_at + channel * shape.key_dim, static_cast<int>(channel), width);
  }
  GateOutputs(args, head.value_head, first_row, head.tile.count(), *head.rows);
}

}  // namespace

void RunHeads(const DeltaRuleArgs& args, const DeltaTask& task) {
  const DeltaShape& shape = args.shape;
  const DeltaSequence& sequence = *task.sequence;
  const int heads_of_a_key = shape.num_value_heads / shape.num_key_heads;
  const DeltaScratch scratch(shape, static_cast<int>(args.weights.conv.dims[0]), task.scratch);
  DeltaHead head{};
  head.shape = &shape;
  head.sequence = &sequence;
  head.rows = &scratch;
  head.key_head = task.head_begin / heads_of_a_key;
  // Of the tasks that share a key head, one puts its columns into the ring.
  const bool first = task.head_begin % heads_of_a_key == 0;
  const int64_t key_at = int64_t{head.key_head} * shape.key_dim;
  const int64_t keys = int64_t{shape.num_key_heads} * shape.key_dim;
  for (int begin = 0; begin < sequence.num_rows; begin += kDeltaTileRows) {
    const int left = sequence.num_rows - begin;
    head.tile = {begin, begin + (left < kDeltaTileRows ? left : kDeltaTileRows)};
    ConvolveHead(args, sequence, {key_at, shape.key_dim, first}, head.tile, scratch, scratch.q);
    ConvolveHead(args, sequence, {keys + key_at, shape.key_dim, first}, head.tile, scratch,
                 scratch.k);
    NormaliseKeys(args, head.tile.count(), scratch);
    for (head.value_head = task.head_begin; head.value_head < task.head_end; ++head.value_head)
      RunValueHead(args, head);
  }
}
