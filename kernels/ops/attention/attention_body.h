// Attention over F32x16; included once a page (see kernels/simd/f32x16.h). The order of additions
// is docs/adr/0001-one-answer.md, "Attention, in loop order"; the tiling below does not enter it.

namespace {

// Rows and vectors that one micro-kernel holds in registers: AVX2 has half of them.
inline constexpr int kTileRows = 6;
inline constexpr int kTileVectors = sizeof(Mask16) > sizeof(uint16_t) ? 1 : 4;

// A partial softmax of every row: its maximum, its sum, its weighted values.
struct Nodes {
  float* acc;  // [rows][channels]
  float* max;  // [rows]
  float* sum;  // [rows]
};

struct TileState {
  const AttentionArgs* args;
  int64_t position_begin;  // of the tile's first row
  int rows;                // positions × heads, position-major
  int heads;               // query heads of the KV head
  int64_t padded_rows;     // rows rounded up to 8, so that all acc are aligned
  int64_t channels;        // D rounded up to 16
  float* p;                // [rows][64]
  Nodes node;              // the running one of the span
  Nodes block;             // the transient one
  float* levels;           // finished nodes, newest last
  const float* const* q;   // [rows]

  int64_t Position(int row) const { return position_begin + row / heads; }
  // How many keys of block b the row sees; ≤ 0: none.
  int Visible(int row, int64_t b) const {
    const int64_t keys = Position(row) - b * kBlockTokens + 1;
    return static_cast<int>(keys < kBlockTokens ? keys : kBlockTokens);
  }
  Nodes NodesAt(float* memory) const {
    float* rest = memory + padded_rows * channels;
    return {memory, rest, rest + padded_rows};
  }
  int64_t NodesFloats() const { return padded_rows * (channels + 2); }
  Nodes Level(int level) const { return NodesAt(levels + level * NodesFloats()); }
};

// Scores of R rows with V · 16 keys: one chain over the channels in ascending order.
template <int R, int V, typename T>
inline void ScoreKeys(const TileState& tile, int row, const T* keys, float* scores) {
  F32x16 acc[R][V];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) acc[r][v] = Zero();
  const int head_dim = tile.args->kv.head_dim;
  const float* const* q = tile.q + row;
  for (int d = 0; d < head_dim; ++d) {
    F32x16 k[V];
    for (int v = 0; v < V; ++v) k[v] = Load(keys + d * kBlockTokens + 16 * v);
    for (int r = 0; r < R; ++r) {
      const F32x16 x = Set1(q[r][d]);
      for (int v = 0; v < V; ++v) acc[r][v] = Fma(x, k[v], acc[r][v]);
    }
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) Store(scores + r * kBlockTokens + 16 * v, acc[r][v]);
}

template <int R, typename T>
void ScoreRows(const TileState& tile, int row, const T* keys) {
  float* scores = tile.p + row * kBlockTokens;
  for (int key = 0; key < kBlockTokens; key += 16 * kTileVectors)
    ScoreKeys<R, kTileVectors>(tile, row, keys + key, scores + key);
}

// Turns a row's scores of block b into exp(s · scale − maximum), and gives maximum and sum. Keys
// after the row's position never enter: whatever their scores are, −inf is selected over them.
inline void SoftmaxRow(const TileState& tile, int row, int64_t b) {
  const F32x16 minus_infinity = FromBits(SetU(0xff800000u));
  const F32x16 scale = Set1(tile.args->scale);
  const int visible = tile.Visible(row, b);
  float* p = tile.p + row * kBlockTokens;
  F32x16 s[4];
  for (int i = 0; i < 4; ++i) {
    const int n = visible - 16 * i < 0 ? 0 : visible - 16 * i > 16 ? 16 : visible - 16 * i;
    s[i] = Select(FirstN(n), Mul(Load(p + 16 * i), scale), minus_infinity);
  }
  const float max = ReduceMax(Max(Max(Max(s[0], s[1]), s[2]), s[3]));
  for (int i = 0; i < 4; ++i) {
    s[i] = Exp(Sub(s[i], Set1(max)));
    Store(p + 16 * i, s[i]);
  }
  tile.block.max[row] = max;
  tile.block.sum[row] = ReduceAdd(Add(Add(Add(s[0], s[1]), s[2]), s[3]));
}

// A run of keys and of channels within a block's values [64][D].
template <typename T>
struct ValueRun {
  const T* values;
  int key_begin;
  int key_end;
  int channel;
  int num_channels;  // of the V · 16 lanes
};

// acc of R rows and V · 16 channels goes on over [key_begin, key_end), one chain in ascending
// order; from +0 if key_begin is 0.
template <int R, int V, typename T>
inline void AccumulateKeys(const TileState& tile, int row, const ValueRun<T>& run) {
  F32x16 acc[R][V];
  float* out = tile.block.acc + row * tile.channels + run.channel;
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v)
      acc[r][v] = run.key_begin == 0 ? Zero() : Load(out + r * tile.channels + 16 * v);
  const int head_dim = tile.args->kv.head_dim;
  const float* p = tile.p + row * kBlockTokens;
  for (int key = run.key_begin; key < run.key_end; ++key) {
    const T* value = run.values + key * head_dim + run.channel;
    F32x16 x[V];
    if constexpr (V == 1) {
      x[0] = run.num_channels == 16 ? Load(value) : LoadN(value, run.num_channels, 0.0f);
    } else {
      for (int v = 0; v < V; ++v) x[v] = Load(value + 16 * v);
    }
    for (int r = 0; r < R; ++r) {
      const F32x16 weight = Set1(p[r * kBlockTokens + key]);
      for (int v = 0; v < V; ++v) acc[r][v] = Fma(weight, x[v], acc[r][v]);
    }
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) Store(out + r * tile.channels + 16 * v, acc[r][v]);
}

template <int R, int V, typename T>
inline void AccumulateRun(const TileState& tile, int row, int64_t b, ValueRun<T> run) {
  // Rows ascend in position: the first sees the fewest keys. The others go on alone.
  run.key_begin = 0;
  run.key_end = tile.Visible(row, b);
  AccumulateKeys<R, V>(tile, row, run);
  run.key_begin = run.key_end;
  for (int r = 1; r < R; ++r) {
    run.key_end = tile.Visible(row + r, b);
    if (run.key_end > run.key_begin) AccumulateKeys<1, V>(tile, row + r, run);
  }
}

template <int R, typename T>
void AccumulateRows(const TileState& tile, int row, int64_t b, const T* values) {
  const int head_dim = tile.args->kv.head_dim;
  ValueRun<T> run{values, 0, 0, 0, 16};
  if constexpr (kTileVectors > 1) {
    for (; run.channel + 16 * kTileVectors <= head_dim; run.channel += 16 * kTileVectors)
      AccumulateRun<R, kTileVectors>(tile, row, b, run);
  }
  for (; run.channel < head_dim; run.channel += 16) {
    run.num_channels = head_dim - run.channel < 16 ? head_dim - run.channel : 16;
    AccumulateRun<R, 1>(tile, row, b, run);
  }
}

template <int R, typename T>
void AttendRows(const TileState& tile, int row, int64_t b, const T* keys, const T* values) {
  ScoreRows<R>(tile, row, keys);
  for (int r = 0; r < R; ++r) SoftmaxRow(tile, row + r, b);
  AccumulateRows<R>(tile, row, b, values);
}

// Rows from row_begin on, all of which see something of block b, into tile.block.
template <typename T>
void AttendBlock(const TileState& tile, int row_begin, int64_t b, const T* keys, const T* values) {
  int row = row_begin;
  for (; row + kTileRows <= tile.rows; row += kTileRows)
    AttendRows<kTileRows>(tile, row, b, keys, values);
  switch (tile.rows - row) {
    case 5:
      return AttendRows<5>(tile, row, b, keys, values);
    case 4:
      return AttendRows<4>(tile, row, b, keys, values);
    case 3:
      return AttendRows<3>(tile, row, b, keys, values);
    case 2:
      return AttendRows<2>(tile, row, b, keys, values);
    case 1:
      return AttendRows<1>(tile, row, b, keys, values);
    default:
      return;
  }
}

// b of a row becomes a ⊕ b: a is the earlier part.
inline void MergeRow(const TileState& tile, int row, const Nodes& a, const Nodes& b) {
  const float max = a.max[row] > b.max[row] ? a.max[row] : b.max[row];
  const F32x16 u = Exp(Set1(a.max[row] - max));
  const F32x16 w = Exp(Set1(b.max[row] - max));
  const F32x16 sum = Fma(Set1(b.sum[row]), w, Mul(Set1(a.sum[row]), u));
  b.max[row] = max;
  b.sum[row] = Lane0(sum);
  const float* from = a.acc + row * tile.channels;
  float* to = b.acc + row * tile.channels;
  for (int64_t c = 0; c < tile.channels; c += 16)
    Store(to + c, Fma(Load(to + c), w, Mul(Load(from + c), u)));
}

inline void CopyRow(const TileState& tile, int row, const Nodes& from, const Nodes& to) {
  to.max[row] = from.max[row];
  to.sum[row] = from.sum[row];
  for (int64_t c = 0; c < tile.channels; c += 16)
    Store(to.acc + row * tile.channels + c, Load(from.acc + row * tile.channels + c));
}

// The row's running node, the stack folded onto it from the newest, divided by its sum.
inline void FinishRow(const TileState& tile, int row, int depth, float* out) {
  for (int level = depth - 1; level >= 0; --level)
    MergeRow(tile, row, tile.Level(level), tile.node);
  const F32x16 sum = Set1(tile.node.sum[row]);
  const float* acc = tile.node.acc + row * tile.channels;
  const int head_dim = tile.args->kv.head_dim;
  for (int c = 0; c < head_dim; c += 16)
    StoreN(out + c, Div(Load(acc + c), sum), head_dim - c < 16 ? head_dim - c : 16);
}

template <typename T>
void AttendBlocks(TileState& tile, const AttentionTile& task) {
  const AttentionArgs& args = *tile.args;
  const int64_t last_block = tile.Position(tile.rows - 1) / kBlockTokens;
  int depth = 0;  // of the stack, the same for all rows that go on
  int row_begin = 0;
  for (int64_t b = 0; b <= last_block; ++b) {
    const int32_t block = Value(task.sequence->blocks[static_cast<size_t>(b)]);
    AttendBlock(tile, row_begin, b, reinterpret_cast<const T*>(args.kv.Keys(block, task.kv_head)),
                reinterpret_cast<const T*>(args.kv.Values(block, task.kv_head)));
    if (b % kSpanBlocks != 0) {
      for (int row = row_begin; row < tile.rows; ++row) MergeRow(tile, row, tile.node, tile.block);
    }
    std::swap(tile.node, tile.block);
    // Rows that end in this block leave; a span that they may have finished need not be pushed.
    for (; row_begin < tile.rows && tile.Position(row_begin) / kBlockTokens == b; ++row_begin) {
      const int64_t t = task.sequence->row_begin + task.row + row_begin / tile.heads;
      const int64_t head = task.kv_head * tile.heads + row_begin % tile.heads;
      FinishRow(tile, row_begin, depth,
                args.out.f32() + t * args.out.strides[0] + head * args.out.strides[1]);
    }
    if (b % kSpanBlocks != kSpanBlocks - 1) continue;
    // A binary counter: the bits of the number of finished spans say which nodes are on the stack.
    for (int64_t span = b / kSpanBlocks; (span & 1) != 0; span >>= 1) {
      --depth;
      for (int row = row_begin; row < tile.rows; ++row)
        MergeRow(tile, row, tile.Level(depth), tile.node);
    }
    for (int row = row_begin; row < tile.rows; ++row)
      CopyRow(tile, row, tile.node, tile.Level(depth));
    ++depth;
  }
}

}  // namespace

void AttendTile(const AttentionArgs& args, const AttentionTile& task) {
  TileState tile{};
  tile.args = &args;
  tile.position_begin = task.sequence->position_begin + task.row;
  tile.heads = static_cast<int>(args.q.dims[1]) / args.kv.num_kv_heads;
  tile.rows = task.num_positions * tile.heads;
  tile.padded_rows = RoundUp(tile.rows, 8);
  tile.channels = RoundUp(args.kv.head_dim, 16);
  const float* q[kMaxTileRows];
  for (int row = 0; row < tile.rows; ++row) {
    const int64_t t = task.sequence->row_begin + task.row + row / tile.heads;
    const int64_t head = task.kv_head * tile.heads + row % tile.heads;
    q[row] = args.q.f32() + t * args.q.strides[0] + head * args.q.strides[1];
  }
  tile.q = q;
  tile.p = reinterpret_cast<float*>(task.scratch);
  float* nodes = tile.p + tile.padded_rows * kBlockTokens;
  tile.node = tile.NodesAt(nodes);
  tile.block = tile.NodesAt(nodes + tile.NodesFloats());
  tile.levels = nodes + 2 * tile.NodesFloats();
  if (args.kv.dtype == DType::kBf16) {
    AttendBlocks<Bf16>(tile, task);
  } else {
    AttendBlocks<float>(tile, task);
  }
}
