// Element types of weights, caches and rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace atl::kernels {

enum class DType : uint8_t { kF32, kBf16 };

constexpr size_t SizeOf(DType dtype) { return dtype == DType::kF32 ? 4 : 2; }

// vLLM's names: "float32", "bfloat16".
constexpr std::string_view NameOf(DType dtype) {
  return dtype == DType::kF32 ? "float32" : "bfloat16";
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

// Rounds to nearest even; a NaN becomes the quiet NaN of its sign. The vector pages give the same
// bits.
inline Bf16 ToBf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7fffffffu) > 0x7f800000u)
    return Bf16{static_cast<uint16_t>((bits >> 16 & 0x8000u) | 0x7fc0u)};
  return Bf16{static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16)};
}

}  // namespace atl::kernels
