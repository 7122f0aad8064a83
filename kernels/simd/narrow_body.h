// Loads of the types that only weights have, F16 and F8_E4M3; included once an ISA (see f32x16.h).
// Lane by lane what ToFloat of kernels/tensor/dtype.h gives: exact.

// `bits`: magnitudes at a float's place, their exponents rebased; subnormals, m · smallest, read as
// (1 + m) · smallest / 2.
inline F32x16 MendSubnormals(U32x16 bits, float smallest) {
  const F32x16 x = FromBits(bits), least = Set1(smallest);
  return Select(Less(x, least), Sub(Add(x, x), least), x);
}

inline F32x16 WithSign(F32x16 magnitude, U32x16 sign) {
  return FromBits(OrU(BitsOf(magnitude), sign));
}

inline F32x16 Load(const F16* p) {
  const U32x16 raw = WidenU(reinterpret_cast<const uint16_t*>(p));
  const U32x16 shifted = AddU(ShiftLeftU<13>(AndU(raw, SetU(0x7fffu))), SetU(112u << 23));
  const Mask16 not_finite = LessEqual(Set1(65536.0f), FromBits(shifted));
  const F32x16 finite = MendSubnormals(shifted, 0x1p-14f);
  const F32x16 other = FromBits(OrU(shifted, SetU(0x7f800000u)));
  return WithSign(Select(not_finite, other, finite), ShiftLeftU<16>(AndU(raw, SetU(0x8000u))));
}

inline F32x16 Load(const F8E4m3* p) {
  const U32x16 raw = WidenU(reinterpret_cast<const uint8_t*>(p));
  const U32x16 shifted = AddU(ShiftLeftU<20>(AndU(raw, SetU(0x7fu))), SetU(120u << 23));
  const F32x16 number = MendSubnormals(shifted, 0x1p-6f);
  const Mask16 nan = Equal(number, Set1(480.0f));  // what 0x7f would be
  return WithSign(Select(nan, FromBits(SetU(0x7fc00000u)), number),
                  ShiftLeftU<24>(AndU(raw, SetU(0x80u))));
}

template <typename Narrow>
inline F32x16 LoadNarrowN(const Narrow* p, int n, float identity) {
  if (n >= 16) return Load(p);
  Narrow copy[16] = {};
  for (int i = 0; i < n; ++i) copy[i] = p[i];
  return Select(FirstN(n), Load(copy), Set1(identity));
}
inline F32x16 LoadN(const F16* p, int n, float identity) { return LoadNarrowN(p, n, identity); }
inline F32x16 LoadN(const F8E4m3* p, int n, float identity) { return LoadNarrowN(p, n, identity); }
