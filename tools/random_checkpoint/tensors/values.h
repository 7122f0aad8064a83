// Random weights of a sane scale, each a function of (seed, name, index) alone.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "worker/weights/inventory.h"

namespace atl::tools {

struct Distribution {
  enum class Form : uint8_t {
    kBell,     // mean and standard deviation; the sum of four uniform bytes, never beyond 3.5 σ
    kUniform,  // from mean − spread to mean + spread
  };
  Form form = Form::kBell;
  float mean = 0.0f;
  float spread = 1.0f;
};

// Of a tensor of a qwen3_5_moe checkpoint, such that logits vary, states decay at many speeds and
// routing is spread over the experts. By name; 1 / √inputs where nothing else is said.
Distribution DistributionOf(const worker::ExpectedTensor& tensor);

class RandomValues {
 public:
  RandomValues(uint64_t seed, const std::string& tensor_name, const Distribution& distribution);

  // Elements [begin, begin + out.size()) of the tensor in row-major order; begin even.
  void Fill(int64_t begin, std::span<float> out) const;

 private:
  uint64_t key_;
  Distribution distribution_;
};

}  // namespace atl::tools
