// Any bytes as a safetensors file: refused in a sentence, or tensors that fill the data exactly.
#include <cstddef>
#include <cstdint>

#include "common/base/check.h"
#include "tests/hostile/sentence.h"
#include "worker/weights/safetensors/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto* const bytes = reinterpret_cast<const std::byte*>(data);
  const auto file = atl::worker::SafetensorsFile::FromBytes(bytes, size, "x.safetensors");
  if (!file.ok()) {
    atl::testing::CheckSentence(file.status());
    return 0;
  }
  uint64_t total = 8 + (*file)->header().size();
  for (const auto& [name, tensor] : (*file)->tensors()) {
    CHECK(tensor.size_bytes == 0 || ((*file)->Contains(tensor.data) &&
                                     (*file)->Contains(tensor.data + tensor.size_bytes - 1)),
          "tensor {}", name);
    total += tensor.size_bytes;
  }
  CHECK(total == size, "{} of {} bytes", total, size);
  return 0;
}
