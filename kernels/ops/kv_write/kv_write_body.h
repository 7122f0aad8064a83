// KvWrite over F32x16; included once an ISA (see kernels/simd/f32x16.h).

namespace {

inline int AtMost16(int n) { return n < 16 ? n : 16; }

// K is turned: rows of 16 tokens become channels of 16 keys.
template <typename T>
void WriteKeys(const KvWriteArgs& args, const KvWriteRun& run) {
  T* keys = reinterpret_cast<T*>(args.kv.Keys(run.block, run.kv_head)) + run.key;
  const float* rows = args.k.f32() + run.row * args.k.strides[0] + run.kv_head * args.k.strides[1];
  for (int row = 0; row < run.num_rows; row += 16) {
    const int num_rows = AtMost16(run.num_rows - row);
    for (int d = 0; d < args.kv.head_dim; d += 16) {
      const int num_channels = AtMost16(args.kv.head_dim - d);
      F32x16 square[16];
      for (int i = 0; i < 16; ++i) {
        square[i] = i < num_rows
                        ? LoadN(rows + (row + i) * args.k.strides[0] + d, num_channels, 0.0f)
                        : Zero();
      }
      Transpose(square);
      for (int c = 0; c < num_channels; ++c)
        StoreN(keys + (d + c) * kBlockTokens + row, square[c], num_rows);
    }
  }
}

template <typename T>
void WriteValues(const KvWriteArgs& args, const KvWriteRun& run) {
  const int head_dim = args.kv.head_dim;
  T* values = reinterpret_cast<T*>(args.kv.Values(run.block, run.kv_head)) + run.key * head_dim;
  const float* rows = args.v.f32() + run.row * args.v.strides[0] + run.kv_head * args.v.strides[1];
  for (int row = 0; row < run.num_rows; ++row) {
    const float* from = rows + row * args.v.strides[0];
    for (int d = 0; d < head_dim; d += 16) {
      const int n = AtMost16(head_dim - d);
      StoreN(values + row * head_dim + d, LoadN(from + d, n, 0.0f), n);
    }
  }
}

}  // namespace

void WriteRun(const KvWriteArgs& args, const KvWriteRun& run) {
  if (args.kv.dtype == DType::kBf16) {
    WriteKeys<Bf16>(args, run);
    WriteValues<Bf16>(args, run);
  } else {
    WriteKeys<float>(args, run);
    WriteValues<float>(args, run);
  }
}
