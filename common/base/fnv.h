// FNV-1a, 64 bits: a digest against accidents, not against enemies.
#pragma once

#include <cstdint>
#include <string_view>

namespace atl {

inline constexpr uint64_t kFnvBasis = 0xcbf29ce484222325u;

// The digest of what gave `hash`, followed by `bytes`.
constexpr uint64_t Fnv1a(std::string_view bytes, uint64_t hash = kFnvBasis) {
  for (const char byte : bytes) hash = (hash ^ static_cast<uint8_t>(byte)) * 0x100000001b3u;
  return hash;
}

}  // namespace atl
