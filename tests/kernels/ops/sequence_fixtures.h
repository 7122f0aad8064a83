// What the tests of the sequence operators share: ISAs of this CPU, seeded numbers, bytes
// compared, digests, and scalar arithmetic whose every rounding is written out.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/dispatch/kernel_context.h"
#include "kernels/simd/f32x16.h"
#include "kernels/tensor/tensor_view.h"

ATOLL_ISA_REF_BEGIN
#include "kernels/simd/math_body.h"
// One fused multiply-add, and the canonical functions of one number.
inline float FmaOne(float a, float b, float c) { return std::fma(a, b, c); }
inline float ExpOne(float x) { return Lane0(Exp(Set1(x))); }
inline float SiluOne(float x) { return Lane0(Silu(Set1(x))); }
inline float SigmoidOne(float x) { return Lane0(Sigmoid(Set1(x))); }
inline float SoftplusOne(float x) { return Lane0(Softplus(Set1(x))); }
inline float RsqrtOne(float x) { return Lane0(Rsqrt(Set1(x))); }
ATOLL_ISA_END

namespace atl::kernels {

// Tests run kernels on their own thread.
inline const bool kDenormalsOff = (SetDenormalsToZero(), true);

inline std::vector<Backend> RunnableBackends() {
  std::vector<Backend> result;
  for (const Backend backend : {Backend::kRef, Backend::kAvx2, Backend::kAvx512})
    if (ChooseBackend(std::string(NameOf(backend))).ok()) result.push_back(backend);
  return result;
}

inline std::string NameOfParam(const ::testing::TestParamInfo<std::tuple<Backend, DType>>& info) {
  return std::string(NameOf(std::get<0>(info.param))) + "_" +
         std::string(NameOf(std::get<1>(info.param)));
}

// Seeded numbers, the same with every compiler and library.
class Numbers {
 public:
  explicit Numbers(uint64_t seed) : state_(seed) {}
  uint64_t Bits() {
    state_ += 0x9e3779b97f4a7c15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  int Below(int n) { return static_cast<int>(Bits() >> 33) % n; }
  // Uniform in [−1, 1), of 24 bits.
  float Next() {
    return static_cast<float>(static_cast<int64_t>(Bits() >> 40) - (1 << 23)) * 0x1p-23f;
  }
  std::vector<float> Many(int64_t count, float scale = 1.0f) {
    std::vector<float> result(static_cast<size_t>(count));
    for (float& x : result) x = scale * Next();
    return result;
  }

 private:
  uint64_t state_;
};

inline uint64_t Digest(std::span<const float> values) {
  uint64_t digest = 0xcbf29ce484222325u;  // FNV-1a
  for (const float value : values) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    for (int shift = 0; shift < 32; shift += 8)
      digest = (digest ^ (bits >> shift & 0xffu)) * 0x100000001b3u;
  }
  return digest;
}

// Equal bytes; the message names the first that differs.
inline ::testing::AssertionResult SameBytes(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size())
    return ::testing::AssertionFailure() << a.size() << " values against " << b.size();
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0) {
      return ::testing::AssertionFailure()
             << "value " << i << " of " << a.size() << ": " << a[i] << " against " << b[i];
    }
  }
  return ::testing::AssertionSuccess();
}

// Cuts [0, total) into chunks of `size`; 0: all of it, −1: random chunks.
inline std::vector<int> Chunks(int total, int size) {
  std::vector<int> chunks;
  Numbers numbers(7);
  for (int done = 0; done < total; done += chunks.back()) {
    const int wanted = size == 0 ? total : size < 0 ? 1 + numbers.Below(90) : size;
    chunks.push_back(std::min(wanted, total - done));
  }
  return chunks;
}
inline constexpr int kChunkSizes[] = {1, 7, 16, 63, 64, 65, 130, -1, 0};

}  // namespace atl::kernels
