// Every function of math_body.h; included once an ISA by math_test.cc, after it.

namespace {

inline constexpr int kNumFunctions = 6;

// y[f][16]: exp, sigmoid, silu, log, softplus, rsqrt.
inline void Functions(const float* px, float* y) {
  const F32x16 x = Load(px);
  Store(y, Exp(x));
  Store(y + 16, Sigmoid(x));
  Store(y + 32, Silu(x));
  Store(y + 48, Log(x));
  Store(y + 64, Softplus(x));
  Store(y + 80, Rsqrt(x));
}

}  // namespace
