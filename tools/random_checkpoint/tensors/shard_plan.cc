#include "tools/random_checkpoint/tensors/shard_plan.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

namespace atl::tools {
namespace {

using kernels::DType;
using Json = nlohmann::json;
using Kind = worker::ExpectedTensor::Kind;

constexpr size_t kShardsMax = 500;  // below the files that a process may usually have open, 1,024

// safetensors' names.
std::string_view StoredName(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "F32";
    case DType::kBf16:
      return "BF16";
    case DType::kF16:
      return "F16";
    case DType::kF8E4m3:
      return "F8_E4M3";
  }
  return "";
}

DType DTypeOf(Kind kind, DType dtype) {
  if (kind == Kind::kFp8Matrix) return DType::kF8E4m3;
  return kind == Kind::kFp8Scales ? DType::kBf16 : dtype;
}

// Places the tensors of one shard, wide types first, so that each is aligned to its own.
Shard LayOut(const std::vector<PlacedTensor*>& tensors, std::string file) {
  std::vector<PlacedTensor*> ordered = tensors;
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const PlacedTensor* a, const PlacedTensor* b) {
                     return kernels::SizeOf(a->dtype) > kernels::SizeOf(b->dtype);
                   });
  Json header = {{"__metadata__", {{"format", "pt"}}}};
  uint64_t at = 0;
  for (PlacedTensor* placed : ordered) {
    placed->offset = at;
    at += placed->size_bytes();
    header[placed->tensor.name] = {{"dtype", StoredName(placed->dtype)},
                                   {"shape", placed->tensor.shape},
                                   {"data_offsets", {placed->offset, at}}};
  }
  std::string text = header.dump();
  constexpr size_t kAlignment = 8;
  text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
  const uint64_t text_bytes = text.size();
  std::string prefix(sizeof text_bytes, '\0');
  std::memcpy(prefix.data(), &text_bytes, sizeof text_bytes);
  Shard shard = {std::move(file), prefix + text, 0};
  shard.size_bytes = shard.header.size() + at;
  for (PlacedTensor* placed : ordered) placed->offset += shard.header.size();
  return shard;
}

}  // namespace

uint64_t ShardPlan::file_bytes() const {
  uint64_t sum = 0;
  for (const Shard& shard : shards) sum += shard.size_bytes;
  return sum;
}

absl::StatusOr<ShardPlan> PlanShards(std::vector<worker::ExpectedTensor> tensors, DType dtype,
                                     uint64_t shard_bytes_max) {
  ShardPlan plan;
  uint64_t shard_bytes = 0;
  size_t num_shards = 1;
  for (worker::ExpectedTensor& tensor : tensors) {
    PlacedTensor placed = {std::move(tensor), dtype};
    placed.dtype = DTypeOf(placed.tensor.kind, dtype);
    const uint64_t size = placed.size_bytes();
    if (shard_bytes > 0 && shard_bytes + size > shard_bytes_max) {
      ++num_shards;
      shard_bytes = 0;
    }
    shard_bytes += size;
    plan.tensor_bytes += size;
    placed.shard = num_shards - 1;
    plan.tensors.push_back(std::move(placed));
  }
  if (num_shards > kShardsMax) {
    return InvalidArgument("--shard-size {} makes {} files, at most {} are written; give more",
                           shard_bytes_max, num_shards, kShardsMax);
  }
  std::vector<std::vector<PlacedTensor*>> by_shard(num_shards);
  for (PlacedTensor& placed : plan.tensors) by_shard[placed.shard].push_back(&placed);
  for (size_t i = 0; i < num_shards; ++i) {
    plan.shards.push_back(
        LayOut(by_shard[i], fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, num_shards)));
  }
  Json index = {{"metadata", {{"total_size", plan.tensor_bytes}}}};
  Json& weight_map = index["weight_map"] = Json::object();
  for (const PlacedTensor& placed : plan.tensors)
    weight_map[placed.tensor.name] = plan.shards[placed.shard].file;
  plan.index_json = index.dump(1) + "\n";
  return plan;
}

}  // namespace atl::tools
