// Random numbers of a load, a function of their key alone: no number depends on how many were drawn
// before for other requests, nor on the standard library's distributions.
#pragma once

#include <cstdint>

namespace atl::tools {

enum class DrawPurpose : uint64_t { kArrival = 1, kPrompt, kPrefix, kBehaviour };

struct DrawKey {
  uint64_t seed = 0;
  DrawPurpose purpose = DrawPurpose::kArrival;
  uint64_t index = 0;  // of the request, prompt or prefix
};

class Draws {
 public:
  explicit Draws(const DrawKey& key);

  uint64_t Next();
  uint64_t Below(uint64_t end);  // 0 … end − 1; end > 0
  double Uniform();              // [0, 1)
  double Exponential();          // of mean 1
  double Normal();               // of mean 0 and deviation 1

 private:
  uint64_t state_;
};

}  // namespace atl::tools
