#include "tools/loadgen/plan/draws.h"

#include <cmath>
#include <numbers>

#include "common/base/check.h"

namespace atl::tools {
namespace {

// SplitMix64: a counter and a mixer of its bits.
constexpr uint64_t kStride = 0x9E3779B97F4A7C15;

uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

}  // namespace

Draws::Draws(const DrawKey& key)
    : state_(Mix(Mix(Mix(key.seed + kStride) + static_cast<uint64_t>(key.purpose)) + key.index)) {}

uint64_t Draws::Next() {
  state_ += kStride;
  return Mix(state_);
}

uint64_t Draws::Below(uint64_t end) {
  CHECK(end > 0);
  return Next() % end;  // the bias is below end / 2^64
}

double Draws::Uniform() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

double Draws::Exponential() { return -std::log1p(-Uniform()); }

double Draws::Normal() {
  const double radius = std::sqrt(2 * Exponential());
  return radius * std::cos(2 * std::numbers::pi * Uniform());
}

}  // namespace atl::tools
