#include "tools/random_checkpoint/tensors/values.h"

#include <cmath>
#include <string_view>

#include "common/base/check.h"
#include "common/base/fnv.h"
#include "worker/weights/tensor_names.h"

namespace atl::tools {
namespace {

struct NamedDistribution {
  std::string_view suffix;
  Distribution distribution;
  bool by_inputs = false;  // the spread is to be divided by √inputs
};

constexpr auto kBell = Distribution::Form::kBell;
constexpr auto kUniform = Distribution::Form::kUniform;

// The first that fits. Zero-centred norms have mean 0, the gated one 1; the router's spread keeps
// its choices far apart, the head's its logits.
constexpr NamedDistribution kDistributions[] = {
    {"embed_tokens.weight", {kBell, 0.0f, 1.0f}},
    {"lm_head.weight", {kBell, 0.0f, 3.0f}, true},
    {"linear_attn.norm.weight", {kBell, 1.0f, 0.25f}},
    {"q_norm.weight", {kBell, 0.3f, 0.3f}},
    {"k_norm.weight", {kBell, 0.3f, 0.3f}},
    {"norm.weight", {kBell, 0.0f, 0.3f}},
    {"norm_embedding.weight", {kBell, 0.0f, 0.3f}},
    {"norm_hidden.weight", {kBell, 0.0f, 0.3f}},
    {"A_log", {kUniform, -1.0f, 2.5f}},
    {"dt_bias", {kBell, -1.0f, 1.0f}},
    {"conv1d.weight", {kBell, 0.2f, 1.0f}, true},
    {"mlp.gate.weight", {kBell, 0.0f, 4.0f}, true},
    {"o_proj.weight", {kBell, 0.0f, 0.7f}, true},
    {"out_proj.weight", {kBell, 0.0f, 0.7f}, true},
    {"down_proj.weight", {kBell, 0.0f, 0.7f}, true},
    {"down_proj", {kBell, 0.0f, 0.7f}, true},
    {"", {kBell, 0.0f, 1.0f}, true},
};

// SplitMix64: every counter gives 64 bits. Source: Steele, Lea, Flood, "Fast Splittable
// Pseudorandom Number Generators", OOPSLA 2014, figure 17 (constants of variant 13).
uint64_t SplitMix(uint64_t key, uint64_t counter) {
  uint64_t z = key + (counter + 1) * 0x9e3779b97f4a7c15ull;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ z >> 27) * 0x94d049bb133111ebull;
  return z ^ z >> 31;
}

// The four bytes added up, 0 … 1020.
uint32_t SumOfBytes(uint32_t bits) {
  const uint32_t pairs = (bits & 0x00ff00ffu) + (bits >> 8 & 0x00ff00ffu);
  return (pairs & 0xffffu) + (pairs >> 16);
}

constexpr float kBytesMean = 510.0f;
constexpr float kBytesDeviation = 147.8005f;  // √(4 · (256² − 1) / 12)

}  // namespace

Distribution DistributionOf(const worker::ExpectedTensor& tensor) {
  CHECK(!tensor.shape.empty());
  const std::string name = worker::CanonicalName(tensor.name);
  const NamedDistribution* chosen = kDistributions;
  while (!name.ends_with(chosen->suffix)) ++chosen;
  Distribution result = chosen->distribution;
  if (chosen->by_inputs) result.spread /= std::sqrt(static_cast<float>(tensor.shape.back()));
  return result;
}

RandomValues::RandomValues(uint64_t seed, const std::string& tensor_name,
                           const Distribution& distribution)
    : key_(SplitMix(seed, Fnv1a(tensor_name))), distribution_(distribution) {}

void RandomValues::Fill(int64_t begin, std::span<float> out) const {
  CHECK(begin % 2 == 0, "begin {}", begin);
  const bool is_bell = distribution_.form == Distribution::Form::kBell;
  const float scale = distribution_.spread / (is_bell ? kBytesDeviation : 0x1p31f);
  const float middle = is_bell ? kBytesMean : 0x1p31f;
  const float mean = distribution_.mean;
  const auto value = [&](uint32_t bits) {
    const float drawn = is_bell ? static_cast<float>(static_cast<int32_t>(SumOfBytes(bits)))
                                : static_cast<float>(bits);
    return mean + scale * (drawn - middle);
  };
  auto counter = static_cast<uint64_t>(begin / 2);
  size_t i = 0;
  for (; i + 2 <= out.size(); i += 2) {
    const uint64_t bits = SplitMix(key_, counter++);
    out[i] = value(static_cast<uint32_t>(bits));
    out[i + 1] = value(static_cast<uint32_t>(bits >> 32));
  }
  if (i < out.size()) out[i] = value(static_cast<uint32_t>(SplitMix(key_, counter)));
}

}  // namespace atl::tools
