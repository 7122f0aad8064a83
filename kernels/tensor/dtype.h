// Element types of weights, caches and rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace atl::kernels {

// kF16 and kF8E4m3 are types of weights only: nothing is computed, kept or sent in them.
enum class DType : uint8_t { kF32, kBf16, kF16, kF8E4m3 };

constexpr size_t SizeOf(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return 4;
    case DType::kBf16:
    case DType::kF16:
      return 2;
    case DType::kF8E4m3:
      return 1;
  }
  return 0;
}

// vLLM's and torch's names: "float32", "bfloat16", "float16", "float8_e4m3fn".
constexpr std::string_view NameOf(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "float32";
    case DType::kBf16:
      return "bfloat16";
    case DType::kF16:
      return "float16";
    case DType::kF8E4m3:
      return "float8_e4m3fn";
  }
  return "";
}

// A bfloat16: the upper half of a float.
struct Bf16 {
  uint16_t bits = 0;
};

inline float ToFloat(Bf16 value) {
  const uint32_t bits = static_cast<uint32_t>(value.bits) << 16;
  float result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

// IEEE half precision.
struct F16 {
  uint16_t bits = 0;
};

// 1 sign, 4 exponent (bias 7) and 3 mantissa bits; no infinities, NaN is 0x7f and 0xff, at most 448
// (docs/model.md 2.2).
struct F8E4m3 {
  uint8_t bits = 0;
};

// Exact. `bits` are a magnitude's, moved to a float's place; a subnormal, m · smallest, then reads
// as (1 + m) · smallest / 2 and is put right by exact arithmetic, since the compute threads take
// denormal floats for zero.
inline float FromNarrowBits(uint32_t bits, float smallest, uint32_t sign) {
  float result;
  std::memcpy(&result, &bits, sizeof result);
  if (result < smallest) result = result + result - smallest;
  std::memcpy(&bits, &result, sizeof bits);
  bits |= sign;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

inline float ToFloat(F16 value) {
  const uint32_t magnitude = value.bits & 0x7fffu;
  const uint32_t not_finite = magnitude >= 0x7c00u ? 0x7f800000u : 0;
  return FromNarrowBits(((magnitude << 13) + (112u << 23)) | not_finite, 0x1p-14f,
                        (value.bits & 0x8000u) << 16);
}

inline float ToFloat(F8E4m3 value) {
  const uint32_t magnitude = value.bits & 0x7fu;
  const uint32_t bits = magnitude == 0x7fu ? 0x7fc00000u : (magnitude << 20) + (120u << 23);
  return FromNarrowBits(bits, 0x1p-6f, (value.bits & 0x80u) << 24);
}

// Rounds to nearest even; a NaN becomes the quiet NaN of its sign. The vector ISAs give the same
// bits.
inline Bf16 ToBf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7fffffffu) > 0x7f800000u)
    return Bf16{static_cast<uint16_t>((bits >> 16 & 0x8000u) | 0x7fc0u)};
  return Bf16{static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16)};
}

}  // namespace atl::kernels
