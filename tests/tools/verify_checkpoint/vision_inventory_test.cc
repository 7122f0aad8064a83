#include "tools/verify_checkpoint/evidence/vision_inventory.h"

#include <nlohmann/json.hpp>

#include "tests/support/status_matchers.h"
#include "tools/random_checkpoint/published_config.h"

namespace atl::tools {
namespace {

using Json = nlohmann::json;

// docs/model.md 1.3.
Json PublishedVision() {
  return {{"depth", 27},
          {"hidden_size", 1152},
          {"intermediate_size", 4304},
          {"num_heads", 16},
          {"in_channels", 3},
          {"patch_size", 16},
          {"temporal_patch_size", 2},
          {"spatial_merge_size", 2},
          {"num_position_embeddings", 2304},
          {"out_hidden_size", 2048}};
}

std::string WithVision(const Json& vision) {
  Json config = Json::parse(PublishedConfig(40));
  config["vision_config"] = vision;
  return config.dump();
}

// All of a release: the published number of tensors, and its bytes to the last.
TEST(VisionInventoryTest, CompletesThePublishedRelease) {
  const std::string text = WithVision(PublishedVision());
  ASSERT_OK_AND_ASSIGN(const ModelConfig config, ParseModelConfig(text, "config.json"));
  ASSERT_OK_AND_ASSIGN(const auto vision, VisionInventory(text));
  EXPECT_EQ(vision.size(), 333u);
  const auto count = [&](worker::StoredForm form, int64_t* elements) {
    size_t tensors = vision.size();
    for (const worker::ExpectedTensor& tensor : vision) *elements += tensor.num_elements();
    for (const auto& part :
         {worker::TrunkInventory(config, form), worker::MtpInventory(config, form)}) {
      tensors += part.value().size();
      for (const worker::ExpectedTensor& tensor : *part) *elements += tensor.num_elements();
    }
    return tensors;
  };
  int64_t elements = 0;
  EXPECT_EQ(count(worker::StoredForm::kFused, &elements), 1045u);
  EXPECT_EQ(elements * 2, 71'903'645'408);
  EXPECT_EQ(count(worker::StoredForm::kFp8, &elements), 64'196u);
}

TEST(VisionInventoryTest, NamesTheKeyAtFault) {
  EXPECT_STATUS(VisionInventory(PublishedConfig(4)), absl::StatusCode::kNotFound,
                "no vision_config");
  Json vision = PublishedVision();
  vision["depth"] = -1;
  EXPECT_STATUS(VisionInventory(WithVision(vision)), absl::StatusCode::kInvalidArgument,
                "vision_config.depth");
}

}  // namespace
}  // namespace atl::tools
