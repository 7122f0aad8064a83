// The rows of one head around the delta rule, over F32x16: convolution, norms and gates of a tile
// of rows, into scratch; included once an ISA (see kernels/simd/f32x16.h). Scratch is padded to 16
// channels with zeros, which change no sum.

namespace {

// Rows [begin, end) of a sequence.
struct RowTile {
  int begin;
  int end;

  int count() const { return end - begin; }
};

// Channels of one head within the convolution's.
struct HeadChannels {
  int64_t first;
  int count;
  bool store;  // whether this task puts their columns into the ring
};

inline int LiveLanes(int count, int64_t first) {
  return count - first < 16 ? static_cast<int>(count - first) : 16;
}

inline F32x16 LoadWeights(const TensorView& view, int64_t index, int n) {
  return view.dtype == DType::kF32 ? LoadN(view.f32() + index, n, 0.0f)
                                   : LoadN(view.bf16() + index, n, 0.0f);
}

// Rows of a head stand a page or more apart, where the processor's own prefetch ends: so many rows
// ahead they are asked for.
inline constexpr int64_t kRowsAhead = 6;

inline void PrefetchRow(const float* row, int count) {
  for (int c = 0; c < count; c += 16) Prefetch(row + c);
}

// Σ a·b in the tree of sixteen lanes; `count` is a multiple of 16.
inline float Dot(const float* a, const float* b, int64_t count) {
  F32x16 sum = Zero();
  for (int64_t i = 0; i < count; i += 16) sum = Fma(Load(a + i), Load(b + i), sum);
  return ReduceAdd(sum);
}

// What the ring would give back: rounded to T.
template <typename T>
inline F32x16 Rounded(F32x16 x) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return x;
  } else {
    T copy[16];
    Store(copy, x);
    return Load(copy);
  }
}

template <typename T>
inline T* RingColumn(const ConvColumns& columns, int64_t position, int64_t num_channels) {
  return static_cast<T*>(columns.ring) + position % columns.ring_size * num_channels;
}

// The column of `row` (negative: before this call, from the ring) to `to`.
template <typename T>
inline void GatherColumn(const DeltaRuleArgs& args, const DeltaSequence& sequence,
                         const HeadChannels& channels, int row, float* to) {
  const int64_t position = sequence.position_begin + row;
  const float* x = nullptr;
  const T* ring = nullptr;
  if (row >= 0) {
    x = args.qkv.f32() + (sequence.row_begin + row) * args.qkv.strides[0] + channels.first;
    PrefetchRow(x + kRowsAhead * args.qkv.strides[0], channels.count);
  } else if (position >= 0) {
    ring = RingColumn<T>(sequence.columns, position, args.qkv.dims[1]) + channels.first;
  }
  for (int c = 0; c < channels.count; c += 16) {
    const int n = LiveLanes(channels.count, c);
    const F32x16 column = x != nullptr      ? Rounded<T>(LoadN(x + c, n, 0.0f))
                          : ring != nullptr ? LoadN(ring + c, n, 0.0f)
                                            : Zero();
    Store(to + c, column);
  }
}

// Columns of the tile, and the taps before it, to scratch; the last of the sequence to the ring.
template <typename T>
[[gnu::noinline, gnu::flatten]] void GatherColumns(const DeltaRuleArgs& args,
                                                   const DeltaSequence& sequence,
                                                   const HeadChannels& channels,
                                                   const RowTile& tile, float* columns) {
  const int before = static_cast<int>(args.weights.conv.dims[0]) - 1;
  const int64_t width = PaddedTo16(channels.count);
  const ConvColumns& ring = sequence.new_columns;
  // Another ring lacks the columns before this call.
  const int oldest = ring.ring == sequence.columns.ring ? 0 : -before;
  const int kept = sequence.num_rows - ring.ring_size;
  const int store_begin = kept > oldest ? kept : oldest;
  for (int row = tile.begin - before; row < tile.end; ++row, columns += width) {
    GatherColumn<T>(args, sequence, channels, row, columns);
    const int64_t position = sequence.position_begin + row;
    const bool first_seen = row >= tile.begin || tile.begin == 0;
    if (!channels.store || row < store_begin || position < 0 || !first_seen) continue;
    T* to = RingColumn<T>(ring, position, args.qkv.dims[1]) + channels.first;
    for (int c = 0; c < channels.count; c += 16)
      StoreN(to + c, Load(columns + c), LiveLanes(channels.count, c));
  }
}

// silu(Σ_j w[j] · columns[row + j]) of all rows; `out` is as wide as the columns.
[[gnu::noinline, gnu::flatten]] void ConvolveColumns(const DeltaRuleArgs& args,
                                                     const HeadChannels& channels, int num_rows,
                                                     const float* columns, float* out) {
  const int taps = static_cast<int>(args.weights.conv.dims[0]);
  const int64_t stride = args.weights.conv.strides[0], width = PaddedTo16(channels.count);
  const float* weight = args.weights.conv.f32() + channels.first;
  for (int row = 0; row < num_rows; ++row, columns += width, out += width) {
    for (int c = 0; c < channels.count; c += 16) {
      const int n = LiveLanes(channels.count, c);
      F32x16 sum = Zero();
      for (int j = 0; j < taps; ++j)
        sum = Fma(LoadN(weight + j * stride + c, n, 0.0f), Load(columns + j * width + c), sum);
      Store(out + c, Silu(sum));
    }
  }
}

// NOLINTNEXTLINE(readability-function-size): what it works on, each from another owner
void ConvolveHead(const DeltaRuleArgs& args, const DeltaSequence& sequence,
                  const HeadChannels& channels, const RowTile& tile, const DeltaScratch& scratch,
                  float* out) {
  if (sequence.new_columns.dtype == DType::kBf16) {
    GatherColumns<Bf16>(args, sequence, channels, tile, scratch.columns);
  } else {
    GatherColumns<float>(args, sequence, channels, tile, scratch.columns);
  }
  ConvolveColumns(args, channels, tile.count(), scratch.columns, out);
}

// x = (x · 1/sqrt(Σx² + epsilon)) · scale; the multiplication by 1 changes no bit.
inline void NormaliseRow(float* x, int64_t width, float epsilon, float scale) {
  const F32x16 inverse = Rsqrt(Add(Set1(Dot(x, x, width)), Set1(epsilon)));
  for (int64_t i = 0; i < width; i += 16) Store(x + i, Mul(Mul(Load(x + i), inverse), Set1(scale)));
}

// Normalises q and k, and multiplies them.
[[gnu::noinline, gnu::flatten]] void NormaliseKeys(const DeltaRuleArgs& args, int num_rows,
                                                   const DeltaScratch& scratch) {
  const int64_t width = scratch.key_width;
  for (int row = 0; row < num_rows; ++row) {
    float* q = scratch.q + row * width;
    float* k = scratch.k + row * width;
    NormaliseRow(q, width, args.l2_epsilon, args.q_scale);
    NormaliseRow(k, width, args.l2_epsilon, 1.0f);
    scratch.kq[row] = Dot(k, q, width);
  }
}

// beta and decay of one value head, lanes over rows.
[[gnu::noinline, gnu::flatten]] void GateRows(const DeltaRuleArgs& args, int value_head,
                                              int first_row, int num_rows,
                                              const DeltaScratch& scratch) {
  const F32x16 rate = Exp(Set1(Lane0(LoadWeights(args.weights.a_log, value_head, 1))));
  const F32x16 bias = Set1(Lane0(LoadWeights(args.weights.dt_bias, value_head, 1)));
  for (int row = 0; row < num_rows; row += 16) {
    float a[16] = {}, b[16] = {};
    for (int i = 0; i < LiveLanes(num_rows, row); ++i) {
      a[i] = args.a.f32()[(first_row + row + i) * args.a.strides[0] + value_head];
      b[i] = args.b.f32()[(first_row + row + i) * args.b.strides[0] + value_head];
    }
    const F32x16 decay_log = Mul(rate, Softplus(Add(Load(a), bias)));
    Store(scratch.decay + row, Exp(Sub(Zero(), decay_log)));
    Store(scratch.beta + row, Sigmoid(Load(b)));
  }
}

// The gated norm of one value head's outputs, from scratch to `out`.
[[gnu::noinline, gnu::flatten]] void GateOutputs(const DeltaRuleArgs& args, int value_head,
                                                 int first_row, int num_rows,
                                                 const DeltaScratch& scratch) {
  const int count = args.shape.value_dim;
  for (int row = 0; row < num_rows; ++row) {
    const float* o = scratch.v + row * scratch.value_width;
    const float* z =
        args.z.f32() + (first_row + row) * args.z.strides[0] + value_head * args.z.strides[1];
    float* out =
        args.out.f32() + (first_row + row) * args.out.strides[0] + value_head * args.out.strides[1];
    PrefetchRow(z + kRowsAhead * args.z.strides[0], count);
    const F32x16 mean = Div(Set1(Dot(o, o, scratch.value_width)), Set1(static_cast<float>(count)));
    const F32x16 scale = Rsqrt(Add(mean, Set1(args.norm_epsilon)));
    for (int c = 0; c < count; c += 16) {
      const int n = LiveLanes(count, c);
      const F32x16 weighted = Mul(Mul(Load(o + c), scale), LoadWeights(args.weights.norm, c, n));
      StoreN(out + c, Mul(weighted, Silu(LoadN(z + c, n, 0.0f))), n);
    }
  }
}

}  // namespace
