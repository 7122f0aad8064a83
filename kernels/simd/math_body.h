// The vector maths of every kernel body: exp, sigmoid, silu, log, softplus, rsqrt. Included once a
// ISA inside its region (no #pragma once), before the bodies that use it. Only operations of
// f32x16.h, so all ISAs give equal bits. NaN stays NaN; denormals are zero. Largest
// errors seen (every fifth float): exp 0.87 ulp, log 0.83, rsqrt 1.5, softplus 2.0, sigmoid 2.5,
// silu 2.8.

// e^x. +0 below −87.33, constant above 88.37 (so it never overflows), exactly 1 at 0.
inline F32x16 Exp(F32x16 x) {
  constexpr float kRound = 12582912.0f;  // 1.5 · 2^23: adding it leaves the nearest integer below
  const F32x16 clamped = Select(Less(Set1(88.37f), x), Set1(88.37f), x);
  const F32x16 shifted = Fma(clamped, Set1(0x1.715476p+0f), Set1(kRound));  // log2(e)
  const F32x16 n = Sub(shifted, Set1(kRound));
  // ln 2 in two parts; the upper one is short, so the first step is exact.
  F32x16 r = Fma(n, Set1(-0x1.62e4p-1f), clamped);
  r = Fma(n, Set1(-0x1.7f7d1cp-20f), r);
  // Minimax for (e^r − 1 − r) / r² on |r| ≤ ln 2 / 2, relative error 5.2e-11 before rounding.
  F32x16 p = Set1(0.000197903414242f);
  p = Fma(p, r, Set1(0.00139446596347f));
  p = Fma(p, r, Set1(0.00833349707488f));
  p = Fma(p, r, Set1(0.0416662949472f));
  p = Fma(p, r, Set1(0.166666658689f));
  p = Fma(p, r, Set1(0.5f));
  p = Fma(p, r, Set1(1.0f));
  p = Fma(p, r, Set1(1.0f));
  const F32x16 scaled = FromBits(AddU(BitsOf(p), ShiftLeftU<23>(BitsOf(shifted))));  // · 2^n
  const F32x16 tail = Select(Less(x, Set1(-87.33f)), Zero(), scaled);
  return Select(Equal(x, x), tail, x);
}

// 1 / (1 + e^−x): 1 at +inf, +0 at −inf.
inline F32x16 Sigmoid(F32x16 x) { return Div(Set1(1.0f), Add(Set1(1.0f), Exp(Sub(Zero(), x)))); }

// x · sigmoid(x). NaN at −inf (−inf · 0); every finite x has a finite result.
inline F32x16 Silu(F32x16 x) { return Mul(x, Sigmoid(x)); }

// ln x. −inf at 0 and denormals, NaN below; relatively accurate beside 1 too.
inline F32x16 Log(F32x16 x) {
  // x = 2^k · m with m in [√½, √2): shift the exponent's step from 1 to √½.
  const U32x16 moved = AddU(BitsOf(x), SetU(0x3f800000u - 0x3f3504f3u));
  const F32x16 k =
      Sub(FromBits(OrU(ShiftRightU<23>(moved), SetU(0x4b000000u))), Set1(8388608.0f + 127.0f));
  const F32x16 m = FromBits(AddU(AndU(moved, SetU(0x007fffffu)), SetU(0x3f3504f3u)));
  const F32x16 f = Sub(m, Set1(1.0f));
  // Minimax for (ln(1 + f) − f + f²/2) / f³, relative error of the logarithm 7.5e-10.
  F32x16 p = Set1(0.0674665152336f);
  p = Fma(p, f, Set1(-0.116756545708f));
  p = Fma(p, f, Set1(0.11888158847f));
  p = Fma(p, f, Set1(-0.124055882416f));
  p = Fma(p, f, Set1(0.142195527325f));
  p = Fma(p, f, Set1(-0.166679959049f));
  p = Fma(p, f, Set1(0.200021186426f));
  p = Fma(p, f, Set1(-0.250000095983f));
  p = Fma(p, f, Set1(0.333333126043f));
  const F32x16 f2 = Mul(f, f);
  F32x16 low = Fma(k, Set1(0x1.7f7d1cp-20f), Mul(Mul(f2, f), p));
  low = Fma(f2, Set1(-0.5f), low);
  const F32x16 result = Fma(k, Set1(0x1.62e4p-1f), Add(f, low));
  const F32x16 infinity = FromBits(SetU(0x7f800000u));
  const F32x16 nan = FromBits(SetU(0x7fc00000u));
  const F32x16 positive = Select(Less(x, infinity), result, x);  // +inf and NaN as they are
  const F32x16 zero = Select(Less(x, Set1(0x1p-126f)), Sub(Zero(), infinity), positive);
  return Select(LessEqual(x, Set1(-0x1p-126f)), nan, zero);
}

// ln(1 + e^u); u itself above 20 (where the reference does so). Relatively accurate at both ends.
inline F32x16 Softplus(F32x16 u) {
  const F32x16 e = Exp(u);
  const F32x16 w = Add(Set1(1.0f), e);
  // What the addition lost, as a correction: ln(1 + e) = ln(w) + (e − (w − 1)) / w.
  const F32x16 lost = Sub(e, Sub(w, Set1(1.0f)));
  const F32x16 result = Add(Log(w), Div(lost, w));
  return Select(Less(Set1(20.0f), u), u, result);
}

// 1 / √x, two correctly rounded operations.
inline F32x16 Rsqrt(F32x16 x) { return Div(Set1(1.0f), Sqrt(x)); }
