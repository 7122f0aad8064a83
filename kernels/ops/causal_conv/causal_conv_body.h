// The causal convolution over F32x16, lanes over channels; included once a page (see
// kernels/simd/f32x16.h).

namespace {

// Sixteen channels of a sequence.
struct ConvLanes {
  int channel;
  int n;  // of the sixteen
};

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

// The column of `row` (negative: before this call, from the ring).
template <typename T>
inline F32x16 Column(const TensorView& x, const ConvSequence& sequence, int row, ConvLanes lanes) {
  if (row >= 0) {
    const float* from = x.f32() + (sequence.row_begin + row) * x.strides[0] + lanes.channel;
    return Rounded<T>(LoadN(from, lanes.n, 0.0f));
  }
  const int64_t index = (sequence.position_begin + row) % sequence.columns.ring_size;
  const T* from = static_cast<const T*>(sequence.columns.ring) + index * x.dims[1] + lanes.channel;
  return LoadN(from, lanes.n, 0.0f);
}

template <typename T>
void ConvolveLanes(const CausalConvArgs& args, const ConvTile& tile, ConvLanes lanes) {
  const ConvSequence& sequence = *tile.sequence;
  const int taps = static_cast<int>(args.weight.dims[1]);
  float turned[kMaxTaps][16] = {};
  for (int lane = 0; lane < lanes.n; ++lane) {
    const int64_t at = (lanes.channel + lane) * args.weight.strides[0];
    for (int j = 0; j < taps; ++j) {
      turned[j][lane] = args.weight.dtype == DType::kF32 ? args.weight.f32()[at + j]
                                                         : ToFloat(args.weight.bf16()[at + j]);
    }
  }
  // window[j] is the column that tap j meets; columns before position 0 do not exist.
  F32x16 window[kMaxTaps];
  for (int j = 0; j < taps; ++j) {
    const int row = tile.row_begin - taps + j;
    window[j] =
        sequence.position_begin + row >= 0 ? Column<T>(args.x, sequence, row, lanes) : Zero();
  }
  for (int row = tile.row_begin; row < tile.row_end; ++row) {
    for (int j = 0; j + 1 < taps; ++j) window[j] = window[j + 1];
    window[taps - 1] = Column<T>(args.x, sequence, row, lanes);
    const int64_t missing = taps - 1 - (sequence.position_begin + row);
    F32x16 sum = Zero();
    for (int j = missing > 0 ? static_cast<int>(missing) : 0; j < taps; ++j)
      sum = Fma(Load(turned[j]), window[j], sum);
    float* out = args.out.f32() + (sequence.row_begin + row) * args.out.strides[0] + lanes.channel;
    StoreN(out, Silu(sum), lanes.n);
  }
}

template <typename T>
void StoreColumnAs(const TensorView& x, const ConvSequence& sequence, int row) {
  const int channels = static_cast<int>(x.dims[1]);
  const int64_t index = (sequence.position_begin + row) % sequence.columns.ring_size;
  T* to = static_cast<T*>(sequence.columns.ring) + index * channels;
  const float* from = x.f32() + (sequence.row_begin + row) * x.strides[0];
  for (int c = 0; c < channels; c += 16) {
    const int n = channels - c < 16 ? channels - c : 16;
    StoreN(to + c, LoadN(from + c, n, 0.0f), n);
  }
}

}  // namespace

void ConvolveTile(const CausalConvArgs& args, const ConvTile& tile) {
  for (int c = tile.channel_begin; c < tile.channel_end; c += 16) {
    const ConvLanes lanes{c, tile.channel_end - c < 16 ? tile.channel_end - c : 16};
    if (tile.sequence->columns.dtype == DType::kBf16) {
      ConvolveLanes<Bf16>(args, tile, lanes);
    } else {
      ConvolveLanes<float>(args, tile, lanes);
    }
  }
}

void StoreColumn(const TensorView& x, const ConvSequence& sequence, int row) {
  if (sequence.columns.dtype == DType::kBf16) {
    StoreColumnAs<Bf16>(x, sequence, row);
  } else {
    StoreColumnAs<float>(x, sequence, row);
  }
}
