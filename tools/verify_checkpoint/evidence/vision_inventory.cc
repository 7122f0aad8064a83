#include "tools/verify_checkpoint/evidence/vision_inventory.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/status_macros.h"
#include "common/text/checked_json.h"

namespace atl::tools {
namespace {

using Json = nlohmann::json;

constexpr JsonLimits kLimits = {.depth_max = 16, .values_max = 1 << 16, .token_bytes_max = 1 << 16};
constexpr int64_t kSizeMax = 65536;

struct VisionSizes {
  int64_t depth = 0, hidden = 0, intermediate = 0, channels = 0, patch = 0, temporal_patch = 0,
          merge = 0, positions = 0, out_hidden = 0;
};

absl::StatusOr<VisionSizes> ReadSizes(const std::string& text) {
  ATOLL_ASSIGN_OR_RETURN(const Json config, ParseJsonObject(text, kLimits));
  if (!config.contains("vision_config") || !config["vision_config"].is_object())
    return NotFound("config.json has no vision_config");
  const Json& vision = config["vision_config"];
  VisionSizes sizes;
  const std::pair<const char*, int64_t*> fields[] = {{"depth", &sizes.depth},
                                                     {"hidden_size", &sizes.hidden},
                                                     {"intermediate_size", &sizes.intermediate},
                                                     {"in_channels", &sizes.channels},
                                                     {"patch_size", &sizes.patch},
                                                     {"temporal_patch_size", &sizes.temporal_patch},
                                                     {"spatial_merge_size", &sizes.merge},
                                                     {"num_position_embeddings", &sizes.positions},
                                                     {"out_hidden_size", &sizes.out_hidden}};
  for (const auto& [key, value] : fields) {
    if (!vision.contains(key) || !vision[key].is_number_integer() ||
        vision[key].get<int64_t>() < 1 || vision[key].get<int64_t>() > kSizeMax) {
      return InvalidArgument("vision_config.{}: expected an integer from 1 to {}; correct it", key,
                             kSizeMax);
    }
    *value = vision[key].get<int64_t>();
  }
  return sizes;
}

class VisionTable {
 public:
  explicit VisionTable(const VisionSizes& sizes) : sizes_(sizes) {}

  std::vector<worker::ExpectedTensor> Make() && {
    const int64_t h = sizes_.hidden, wide = sizes_.intermediate;
    const int64_t merged = h * sizes_.merge * sizes_.merge;
    AddWithBias("patch_embed.proj",
                {h, sizes_.channels, sizes_.temporal_patch, sizes_.patch, sizes_.patch});
    Add("pos_embed.weight", {sizes_.positions, h});
    for (int64_t n = 0; n < sizes_.depth; ++n) {
      const std::string block = fmt::format("blocks.{}.", n);
      AddWithBias(block + "norm1", {h});
      AddWithBias(block + "norm2", {h});
      AddWithBias(block + "attn.qkv", {3 * h, h});
      AddWithBias(block + "attn.proj", {h, h});
      AddWithBias(block + "mlp.linear_fc1", {wide, h});
      AddWithBias(block + "mlp.linear_fc2", {h, wide});
    }
    AddWithBias("merger.norm", {h});
    AddWithBias("merger.linear_fc1", {merged, merged});
    AddWithBias("merger.linear_fc2", {sizes_.out_hidden, merged});
    return std::move(tensors_);
  }

 private:
  void Add(const std::string& name, std::vector<int64_t> shape) {
    tensors_.push_back(
        {"model.visual." + name, std::move(shape), worker::ExpectedTensor::Kind::kPlain});
  }
  void AddWithBias(const std::string& module, const std::vector<int64_t>& shape) {
    Add(module + ".weight", shape);
    Add(module + ".bias", {shape[0]});
  }

  const VisionSizes sizes_;
  std::vector<worker::ExpectedTensor> tensors_;
};

}  // namespace

absl::StatusOr<std::vector<worker::ExpectedTensor>> VisionInventory(const std::string& config) {
  ATOLL_ASSIGN_OR_RETURN(const VisionSizes sizes, ReadSizes(config));
  return VisionTable(sizes).Make();
}

}  // namespace atl::tools
