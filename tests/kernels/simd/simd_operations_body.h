// Every operation of F32x16; included once an ISA by simd_test.cc.

namespace {

inline constexpr int kNumOperations = 27;

inline void PutU(uint32_t*& out, U32x16 words) {
  const F32x16 values = FromBits(words);
  float bits[16];
  Store(bits, values);
  std::memcpy(out, bits, sizeof bits);
  out += 16;
}
inline void Put(uint32_t*& out, F32x16 values) { PutU(out, BitsOf(values)); }
inline void PutWord(uint32_t*& out, float value) { Put(out, Set1(value)); }
inline void PutMask(uint32_t*& out, Mask16 mask) { PutU(out, SetU(BitsOf(mask))); }

// Sixteen words for each operation.
inline void Operations(const float* pa, const float* pb, const float* pc, uint32_t* out) {
  const F32x16 a = Load(pa), b = Load(pb), c = Load(pc);
  Put(out, Add(a, b));
  Put(out, Sub(a, b));
  Put(out, Mul(a, b));
  Put(out, Div(a, b));
  Put(out, Sqrt(a));
  Put(out, Fma(a, b, c));
  Put(out, Max(a, b));
  PutMask(out, Less(a, b));
  PutMask(out, LessEqual(a, b));
  PutMask(out, Equal(a, b));
  Put(out, Select(Less(a, b), b, c));
  PutU(out, AddU(BitsOf(a), BitsOf(b)));
  PutU(out, SubU(BitsOf(a), BitsOf(b)));
  PutU(out, AndU(BitsOf(a), BitsOf(b)));
  PutU(out, OrU(BitsOf(a), BitsOf(b)));
  PutU(out, ShiftLeftU<23>(BitsOf(a)));
  PutU(out, ShiftRightU<16>(BitsOf(a)));
  PutWord(out, ReduceAdd(a));
  PutWord(out, ReduceMax(a));
  PutWord(out, Lane0(a));
  Bf16 narrow[32];
  Store(narrow, a);
  Store(narrow + 16, b);
  PutU(out, LoadU(narrow));
  Prefetch(narrow);
  PrefetchL2(narrow);
  Bf16 copy[33];
  StoreU(copy + 1, BitsOf(c));
  PutU(out, LoadU(copy + 1));
  Put(out, Load(narrow + 1));
  for (int n : {0, 7, 16}) {
    Bf16 part[16] = {};
    StoreN(part, Load(narrow + 16), n);
    Put(out, Add(LoadN(part, n, 1.0f), LoadN(pc, n, 2.0f)));
  }
  PutMask(out, FirstN(5));
}

inline void TransposeWords(const float* from, float* to) {
  F32x16 rows[16];
  for (int i = 0; i < 16; ++i) rows[i] = Load(from + 16 * i);
  Transpose(rows);
  for (int i = 0; i < 16; ++i) Store(to + 16 * i, rows[i]);
}

inline void CopyPart(const float* from, float* to, const Bf16* narrow, Bf16* narrow_to, int n) {
  StoreN(to, LoadN(from, n, 0.0f), n);
  StoreN(narrow_to, LoadN(narrow, n, 0.0f), n);
}

inline void LoadPart(const float* from, int n, float* widened) {
  Store(widened, LoadN(from, n, -3.0f));
}

inline void Reduce(const float* x, float* sum, float* most) {
  *sum = ReduceAdd(Load(x));
  *most = ReduceMax(Load(x));
}

inline void Narrow(const float* from, Bf16* to) { Store(to, Load(from)); }

}  // namespace
