// Attention over F32x16; included once an ISA (see kernels/simd/f32x16.h). The order of additions
// is docs/arithmetic.md 3; the tiling below does not enter it.

namespace {

// Rows and vectors that one micro-kernel holds in registers: AVX2 has half of them.
inline constexpr bool kManyRegisters = sizeof(Mask16) == sizeof(uint16_t);
inline constexpr int kTileRows = kManyRegisters ? 8 : 4;
inline constexpr int kTileVectors = kManyRegisters ? 2 : 1;

// A partial softmax of every row: its maximum, its sum, its weighted values.
struct Nodes {
  float* acc;  // [rows][channels]
  float* max;  // [rows]
  float* sum;  // [rows]
};

struct TileState {
  TileState(const AttentionArgs& args_of, const AttentionTile& tile_of, std::byte* scratch)
      : args(&args_of),
        tile(&tile_of),
        heads(args_of.plan->num_heads() / args_of.plan->num_kv_heads()),
        rows(tile_of.num_positions * heads),
        memory(rows, args_of.plan->head_dim()),
        node(NodesAt(reinterpret_cast<float*>(scratch))),
        levels(reinterpret_cast<float*>(scratch) + memory.nodes_floats()) {}

  // How many keys of block b the position sees.
  int Visible(int position, int64_t b) const {
    const int64_t keys = tile->position + position - b * kBlockTokens + 1;
    return static_cast<int>(keys < kBlockTokens ? keys : kBlockTokens);
  }
  Nodes NodesAt(float* at) const {
    float* rest = at + memory.padded_rows * memory.channels;
    return {at, rest, rest + memory.padded_rows};
  }
  Nodes Level(int level) const { return NodesAt(levels + level * memory.nodes_floats()); }
  // Where a row of the tile stands in q, gate or out.
  float* Row(const TensorView& view, int row) const {
    const int64_t head = int64_t{tile->kv_head} * heads + row % heads;
    return view.f32() + (tile->row + row / heads) * view.strides[0] + head * view.strides[1];
  }

  const AttentionArgs* args;
  const AttentionTile* tile;
  int heads;  // query heads of the KV head
  int rows;   // positions × heads, position-major
  TileMemory memory;
  Nodes node;     // the running one of the span
  float* levels;  // finished nodes, newest last
};

// One block as some rows see it: so many of its keys, `first` if it is its span's first.
template <typename T>
struct BlockView {
  const T* keys;
  const T* values;
  const T* next_keys;
  int num_keys;
  bool first;
};

// Probabilities of R rows over a block, and what the running node and the block are multiplied by
// when they merge.
struct Weights {
  alignas(64) float p[kTileRows * kBlockTokens];
  alignas(64) float earlier[16];
  alignas(64) float later[16];
};

// Scores of R rows with V · 16 keys: one chain over the channels in ascending order. As much as it
// reads is fetched from `ahead` on.
template <int R, int V, typename T>
inline void ScoreKeys(const TileState& tile, int row, const T* keys, const T* ahead,
                      float* scores) {
  F32x16 acc[R][V];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) acc[r][v] = Zero();
  const int head_dim = tile.args->plan->head_dim();
  const float* q[R];
  for (int r = 0; r < R; ++r) q[r] = tile.Row(tile.args->q, row + r);
  for (int d = 0; d < head_dim; ++d) {
    Prefetch(ahead + d * 16 * V);
    F32x16 k[V];
    for (int v = 0; v < V; ++v) k[v] = Load(keys + d * kBlockTokens + 16 * v);
    for (int r = 0; r < R; ++r) {
      F32x16 x = Set1(q[r][d]);
      KeepInRegisters(x);
      for (int v = 0; v < V; ++v) acc[r][v] = Fma(x, k[v], acc[r][v]);
    }
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) Store(scores + r * kBlockTokens + 16 * v, acc[r][v]);
}

struct Softmax {
  float max;
  float sum;
};

// Turns a row's scores into exp(s · scale − maximum), and gives maximum and sum. Keys after the
// row's position never enter: whatever their scores are, −inf is selected over them.
inline Softmax SoftmaxRow(float* p, float score_scale, int num_keys) {
  const F32x16 minus_infinity = FromBits(SetU(0xff800000u));
  const F32x16 scale = Set1(score_scale);
  F32x16 s[4];
  for (int i = 0; i < 4; ++i) {
    const int n = num_keys - 16 * i < 0 ? 0 : num_keys - 16 * i > 16 ? 16 : num_keys - 16 * i;
    s[i] = Select(FirstN(n), Mul(Load(p + 16 * i), scale), minus_infinity);
  }
  const float max = ReduceMax(Max(Max(Max(s[0], s[1]), s[2]), s[3]));
  for (int i = 0; i < 4; ++i) {
    s[i] = Exp(Sub(s[i], Set1(max)));
    Store(p + 16 * i, s[i]);
  }
  return {max, ReduceAdd(Add(Add(Add(s[0], s[1]), s[2]), s[3]))};
}

// The running node's maxima and sums of R rows go on over a block; rows are lanes.
template <int R>
inline void MergeSums(const TileState& tile, int row, const Softmax (&block)[R], bool first,
                      Weights& weights) {
  float max[16] = {}, sum[16] = {};
  for (int r = 0; r < R; ++r) {
    max[r] = block[r].max;
    sum[r] = block[r].sum;
  }
  if (first) {
    StoreN(tile.node.max + row, Load(max), R);
    StoreN(tile.node.sum + row, Load(sum), R);
    return;
  }
  const F32x16 earlier_max = LoadN(tile.node.max + row, R, 0.0f);
  const F32x16 merged = Max(earlier_max, Load(max));
  const F32x16 u = Exp(Sub(earlier_max, merged));
  const F32x16 w = Exp(Sub(Load(max), merged));
  Store(weights.earlier, u);
  Store(weights.later, w);
  StoreN(tile.node.max + row, merged, R);
  StoreN(tile.node.sum + row, Fma(Load(sum), w, Mul(LoadN(tile.node.sum + row, R, 0.0f), u)), R);
}

// A run of channels within a block's values [64][D]; as much as it has is fetched from `ahead` on.
template <typename T>
struct ValueRun {
  const T* values;
  const T* ahead;
  int num_keys;
  int num_channels;  // of the V · 16 lanes
};

// acc of R rows and V · 16 channels: one chain over the keys in ascending order.
template <int R, int V, typename T>
inline void WeighValues(const TileState& tile, const ValueRun<T>& run, const Weights& weights,
                        F32x16 (&acc)[R][V]) {
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) acc[r][v] = Zero();
  const int head_dim = tile.args->plan->head_dim();
  for (int key = 0; key < run.num_keys; ++key) {
    Prefetch(run.ahead + key * 16 * V);
    const T* value = run.values + key * head_dim;
    F32x16 x[V];
    if constexpr (V == 1) {
      x[0] = run.num_channels == 16 ? Load(value) : LoadN(value, run.num_channels, 0.0f);
    } else {
      for (int v = 0; v < V; ++v) x[v] = Load(value + 16 * v);
    }
    for (int r = 0; r < R; ++r) {
      F32x16 weight = Set1(weights.p[r * kBlockTokens + key]);
      KeepInRegisters(weight);
      for (int v = 0; v < V; ++v) acc[r][v] = Fma(weight, x[v], acc[r][v]);
    }
  }
}

// The running node's values of R rows and V · 16 channels at `out` go on over a block.
template <int R, int V, typename T>
inline void AccumulateRun(const TileState& tile, const ValueRun<T>& run, const Weights& weights,
                          bool first, float* out) {
  F32x16 acc[R][V];
  WeighValues(tile, run, weights, acc);
  for (int r = 0; r < R; ++r) {
    float* node = out + r * tile.memory.channels;
    for (int v = 0; v < V; ++v) {
      const F32x16 merged = first ? acc[r][v]
                                  : Fma(acc[r][v], Set1(weights.later[r]),
                                        Mul(Load(node + 16 * v), Set1(weights.earlier[r])));
      Store(node + 16 * v, merged);
    }
  }
}

template <int R, typename T>
inline void AccumulateRows(const TileState& tile, int row, const BlockView<T>& block,
                           const Weights& weights) {
  const int head_dim = tile.args->plan->head_dim();
  const T* ahead = row == 0 ? block.next_keys : block.values;
  float* node = tile.node.acc + row * tile.memory.channels;
  int c = 0;
  if constexpr (kTileVectors > 1) {
    for (; c + 16 * kTileVectors <= head_dim; c += 16 * kTileVectors)
      AccumulateRun<R, kTileVectors>(
          tile, ValueRun<T>{block.values + c, ahead + c * kBlockTokens, block.num_keys, 16},
          weights, block.first, node + c);
  }
  for (; c < head_dim; c += 16) {
    const int num_channels = head_dim - c < 16 ? head_dim - c : 16;
    AccumulateRun<R, 1>(
        tile, ValueRun<T>{block.values + c, ahead + c * kBlockTokens, block.num_keys, num_channels},
        weights, block.first, node + c);
  }
}

// The node of R rows goes on over a block. The tile's first rows fetch ahead what is read next:
// the block's values, then the next block's keys; for others it is there.
template <int R, typename T>
[[gnu::noinline, gnu::flatten]] void AttendRows(const TileState& tile, int row,
                                                const BlockView<T>& block) {
  Weights weights;
  const T* ahead = row == 0 ? block.values : block.keys;
  const int head_dim = tile.args->plan->head_dim();
  for (int key = 0; key < kBlockTokens; key += 16 * kTileVectors)
    ScoreKeys<R, kTileVectors>(tile, row, block.keys + key, ahead + key * head_dim,
                               weights.p + key);
  Softmax softmax[R];
  for (int r = 0; r < R; ++r)
    softmax[r] = SoftmaxRow(weights.p + r * kBlockTokens, tile.args->scale, block.num_keys);
  MergeSums<R>(tile, row, softmax, block.first, weights);
  AccumulateRows<R>(tile, row, block, weights);
}

template <int R, typename T>
void AttendFrom(const TileState& tile, int row, int end, const BlockView<T>& block) {
  for (; row + R <= end; row += R) AttendRows<R>(tile, row, block);
  if constexpr (R > 1) AttendFrom<R / 2>(tile, row, end, block);
}

// All rows see all of a block but the last, where each position sees one key more.
template <typename T>
void AttendBlock(const TileState& tile, int64_t b) {
  const AttentionTile& of = *tile.tile;
  const KvLayerView& kv = tile.args->kv;
  const int32_t id = Value(of.blocks[static_cast<size_t>(b)]);
  const int64_t last = of.last_block();
  const int32_t next = Value(of.blocks[static_cast<size_t>(b < last ? b + 1 : b)]);
  BlockView<T> block{reinterpret_cast<const T*>(kv.Keys(id, of.kv_head)),
                     reinterpret_cast<const T*>(kv.Values(id, of.kv_head)),
                     reinterpret_cast<const T*>(kv.Keys(next, of.kv_head)), kBlockTokens,
                     b % kSpanBlocks == 0};
  if (b < last) return AttendFrom<kTileRows>(tile, 0, tile.rows, block);
  for (int position = 0; position < of.num_positions; ++position) {
    block.num_keys = tile.Visible(position, b);
    AttendFrom<kTileRows>(tile, position * tile.heads, (position + 1) * tile.heads, block);
  }
}

// b of every row becomes a ⊕ b: a is the earlier part.
void MergeNodes(const TileState& tile, const Nodes& a, const Nodes& b) {
  const int64_t channels = tile.memory.channels;
  for (int row = 0; row < tile.rows; ++row) {
    const float max = a.max[row] > b.max[row] ? a.max[row] : b.max[row];
    const F32x16 u = Exp(Set1(a.max[row] - max));
    const F32x16 w = Exp(Set1(b.max[row] - max));
    const F32x16 sum = Fma(Set1(b.sum[row]), w, Mul(Set1(a.sum[row]), u));
    b.max[row] = max;
    b.sum[row] = Lane0(sum);
    const float* from = a.acc + row * channels;
    float* to = b.acc + row * channels;
    for (int64_t c = 0; c < channels; c += 16)
      Store(to + c, Fma(Load(to + c), w, Mul(Load(from + c), u)));
  }
}

// A binary counter: the bits of the number of nodes pushed say which subtrees are on the stack.
class NodeStack {
 public:
  explicit NodeStack(const TileState& tile) : tile_(tile) {}

  void Push(const Nodes& node) {
    for (int64_t n = num_pushed_++; (n & 1) != 0; n >>= 1)
      MergeNodes(tile_, tile_.Level(--depth_), node);
    std::memcpy(tile_.Level(depth_++).acc, node.acc,
                static_cast<size_t>(tile_.memory.nodes_floats()) * sizeof(float));
  }
  // From the newest: what is not there is skipped, never merged as empty.
  void FoldOnto(const Nodes& node) {
    while (depth_ > 0) MergeNodes(tile_, tile_.Level(--depth_), node);
  }

 private:
  const TileState& tile_;
  int64_t num_pushed_ = 0;
  int depth_ = 0;
};

// A row's values divided by its sum, times its gate.
inline void FinishRow(const TileState& tile, int row) {
  const AttentionArgs& args = *tile.args;
  const F32x16 sum = Set1(tile.node.sum[row]);
  const float* acc = tile.node.acc + row * tile.memory.channels;
  const float* gate = args.gate.rank == 0 ? nullptr : tile.Row(args.gate, row);
  float* out = tile.Row(args.out, row);
  const int head_dim = args.plan->head_dim();
  for (int c = 0; c < head_dim; c += 16) {
    const int n = head_dim - c < 16 ? head_dim - c : 16;
    F32x16 value = Div(Load(acc + c), sum);
    if (gate != nullptr) value = Mul(value, Sigmoid(LoadN(gate + c, n, 0.0f)));
    StoreN(out + c, value, n);
  }
}

template <typename T>
void AttendSpans(const TileState& tile, const AttentionTask& task) {
  NodeStack stack(tile);
  const int64_t end = task.tile.last_block() + 1;
  for (int64_t span = task.span_begin; span < task.span_end; ++span) {
    const int64_t span_end = (span + 1) * kSpanBlocks;
    for (int64_t b = span * kSpanBlocks; b < (span_end < end ? span_end : end); ++b)
      AttendBlock<T>(tile, b);
    if (span + 1 < task.span_end) stack.Push(tile.node);
  }
  stack.FoldOnto(tile.node);
}

}  // namespace

void AttendTask(const AttentionArgs& args, const AttentionTask& task, std::byte* scratch) {
  TileState tile(args, task.tile, scratch);
  if (task.part >= 0) tile.node = tile.NodesAt(args.plan->Part(task.part));
  if (args.kv.dtype == DType::kBf16) {
    AttendSpans<Bf16>(tile, task);
  } else {
    AttendSpans<float>(tile, task);
  }
  if (task.part >= 0) return;
  for (int row = 0; row < tile.rows; ++row) FinishRow(tile, row);
}

void MergeParts(const AttentionArgs& args, const AttentionSplit& split, std::byte* scratch) {
  TileState tile(args, split.tile, scratch);
  NodeStack stack(tile);
  const int last = split.part_begin + split.num_parts - 1;
  for (int part = split.part_begin; part < last; ++part)
    stack.Push(tile.NodesAt(args.plan->Part(part)));
  tile.node = tile.NodesAt(args.plan->Part(last));
  stack.FoldOnto(tile.node);
  for (int row = 0; row < tile.rows; ++row) FinishRow(tile, row);
}
