#include "tools/verify_checkpoint/evidence/golden_answer.h"

#include <nlohmann/json.hpp>

#include "common/base/status_macros.h"
#include "common/config/file.h"
#include "common/text/checked_json.h"

namespace atl::tools {
namespace {

using Json = nlohmann::json;

constexpr const char* kFile = "/tokenizer/qwen3.6-35b-a3b.golden.ids.json";
constexpr size_t kFileBytesMax = 1 << 16;
constexpr JsonLimits kLimits = {.depth_max = 4, .values_max = 4096, .token_bytes_max = 4096};

std::vector<TokenId> IdsOf(const Json& golden, const char* key) {
  std::vector<TokenId> ids;
  for (const Json& id : golden.value(key, Json::array())) {
    if (id.is_number_integer()) ids.push_back(TokenId{id.get<int32_t>()});
  }
  return ids;
}

}  // namespace

absl::StatusOr<GoldenAnswer> ReadGoldenAnswer(const std::string& data) {
  const std::string path = data + kFile;
  ATOLL_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path, kFileBytesMax));
  ATOLL_ASSIGN_OR_RETURN(const Json golden, ParseJsonObject(text, kLimits));
  GoldenAnswer answer = {.prompt_ids = IdsOf(golden, "prompt_ids"),
                         .answer_ids = IdsOf(golden, "token_ids")};
  if (golden.contains("prompt") && golden["prompt"].is_string())
    answer.prompt = golden["prompt"].get<std::string>();
  if (answer.prompt.empty() || answer.prompt_ids.empty() || answer.answer_ids.empty())
    return DataLoss("{}: has no prompt, prompt_ids and token_ids; take the repository's", path);
  return answer;
}

}  // namespace atl::tools
