// Embedding over F32x16; included once an ISA (see kernels/simd/f32x16.h).

namespace {

template <typename Weight>
inline void WidenRow(const Weight* from, float* to, int64_t count) {
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) Store(to + i, Load(from + i));
  const int rest = static_cast<int>(count - i);
  if (rest > 0) StoreN(to + i, LoadN(from + i, rest, 0.0f), rest);
}

}  // namespace

void EmbeddingRow(const EmbeddingArgs& args, int64_t t) {
  const int64_t from = Value(args.ids[static_cast<size_t>(t)]) * args.table.strides[0];
  float* to = args.out.f32() + t * args.out.strides[0];
  const int64_t hidden = args.out.dims[1];
  if (args.table.dtype == DType::kBf16)
    WidenRow(args.table.bf16() + from, to, hidden);
  else if (args.table.dtype == DType::kF16)
    WidenRow(args.table.f16() + from, to, hidden);
  else
    WidenRow(args.table.f32() + from, to, hidden);
}
