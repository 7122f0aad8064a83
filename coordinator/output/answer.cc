#include "coordinator/output/answer.h"

#include <algorithm>

namespace atl::coordinator {

int64_t NumCharacters(std::string_view bytes) {
  return std::count_if(bytes.begin(), bytes.end(), [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;  // no continuation byte
  });
}

}  // namespace atl::coordinator
