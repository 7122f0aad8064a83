// Safetensors files made by hand.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace atl::testing {

// The bytes of a file with this header, as it is, and `data_bytes` zeros behind it.
inline std::string SafetensorsBytes(std::string_view header, size_t data_bytes) {
  const uint64_t size = header.size();
  std::string bytes(sizeof size, '\0');
  std::memcpy(bytes.data(), &size, sizeof size);
  return bytes.append(header).append(data_bytes, '\0');
}

}  // namespace atl::testing
