#include "tools/random_checkpoint/random_checkpoint.h"

#include <filesystem>
#include <fstream>
#include <system_error>
#include <vector>

#include "common/base/status_macros.h"
#include "common/config/file.h"
#include "common/config/model_config.h"
#include "common/tokenizer/tokenizer_files.h"
#include "tools/random_checkpoint/tensors/progress.h"
#include "tools/random_checkpoint/tensors/shard_plan.h"
#include "tools/random_checkpoint/tensors/tensor_writer.h"
#include "tools/random_checkpoint/tokenizer_json.h"

namespace atl::tools {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRanksFile = "/tokenizer/qwen3.6-ranks-248044.tiktoken";
constexpr const char* kTemplateFile = "/template/qwen3_6.jinja";
constexpr size_t kTemplateBytesMax = size_t{1} << 20;
constexpr uint64_t kOtherFilesBytes = 32'000'000;  // tokenizer.json has 13 MB, the index up to 6

absl::Status WriteText(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file)
    return ResourceExhausted("{}: cannot be written; free some space and begin anew", path);
  return absl::OkStatus();
}

absl::Status MakeEmptyFolder(const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return InvalidArgument("{}: cannot be made a folder: {}", folder, error.message());
  const bool is_empty = fs::is_empty(folder, error);
  if (error) return InvalidArgument("{}: cannot be read: {}", folder, error.message());
  if (!is_empty) return InvalidArgument("{}: is not empty; name a new folder", folder);
  return absl::OkStatus();
}

absl::Status CheckSpace(const std::string& folder, uint64_t needed_bytes) {
  std::error_code error;
  const fs::space_info space = fs::space(folder, error);
  if (error) return InvalidArgument("{}: its free space is unknown: {}", folder, error.message());
  if (space.available >= needed_bytes) return absl::OkStatus();
  return ResourceExhausted(
      "{}: the checkpoint needs {}, {} are free; free some, choose another folder or fewer layers",
      folder, SizeText(needed_bytes), SizeText(space.available));
}

absl::StatusOr<std::vector<worker::ExpectedTensor>> InventoryOf(
    const RandomCheckpointOptions& options, const ModelConfig& config) {
  const worker::StoredForm form =
      options.type == ReleaseType::kFp8 ? worker::StoredForm::kFp8 : worker::StoredForm::kFused;
  ATOLL_ASSIGN_OR_RETURN(std::vector<worker::ExpectedTensor> tensors,
                         worker::TrunkInventory(config, form));
  if (options.mtp == MtpLayer::kWritten) {
    ATOLL_ASSIGN_OR_RETURN(const std::vector<worker::ExpectedTensor> mtp,
                           worker::MtpInventory(config, form));
    tensors.insert(tensors.end(), mtp.begin(), mtp.end());
  }
  return tensors;
}

// False where the model has fewer rows than the real vocabulary has ids.
absl::StatusOr<bool> WriteTokenizer(const RandomCheckpointOptions& options,
                                    const ModelConfig& config) {
  ATOLL_ASSIGN_OR_RETURN(const TokenizerParts parts,
                         ReadTiktoken(options.data + kRanksFile, Pattern::kQwen35));
  if (Value(parts.added.back().id) >= config.vocab_size) return false;
  const TokenizerTexts texts = MakeTokenizerTexts(parts);
  ATOLL_RETURN_IF_ERROR(WriteText(options.folder + "/tokenizer.json", texts.tokenizer_json));
  ATOLL_RETURN_IF_ERROR(
      WriteText(options.folder + "/tokenizer_config.json", texts.tokenizer_config_json));
  ATOLL_ASSIGN_OR_RETURN(const std::string chat_template,
                         ReadTextFile(options.data + kTemplateFile, kTemplateBytesMax));
  ATOLL_RETURN_IF_ERROR(WriteText(options.folder + "/chat_template.jinja", chat_template));
  ATOLL_RETURN_IF_ERROR(
      WriteText(options.folder + "/generation_config.json", PublishedGenerationConfig()));
  return true;
}

}  // namespace

absl::StatusOr<RandomCheckpointSummary> WriteRandomCheckpoint(
    const RandomCheckpointOptions& options) {
  ATOLL_ASSIGN_OR_RETURN(const ModelConfig config,
                         ParseModelConfig(options.config, "the config given"));
  ATOLL_ASSIGN_OR_RETURN(const std::vector<worker::ExpectedTensor> tensors,
                         InventoryOf(options, config));
  ATOLL_ASSIGN_OR_RETURN(const std::string config_text,
                         WithReleaseType(options.config, options.type, tensors));
  const kernels::DType dtype =
      options.type == ReleaseType::kF32 ? kernels::DType::kF32 : kernels::DType::kBf16;
  ATOLL_ASSIGN_OR_RETURN(const ShardPlan plan, PlanShards(tensors, dtype, options.shard_bytes_max));
  ATOLL_RETURN_IF_ERROR(MakeEmptyFolder(options.folder));
  ATOLL_RETURN_IF_ERROR(CheckSpace(options.folder, plan.file_bytes() + kOtherFilesBytes));
  RandomCheckpointSummary summary = {plan.tensors.size(), plan.shards.size(), plan.tensor_bytes};
  ATOLL_ASSIGN_OR_RETURN(summary.has_tokenizer, WriteTokenizer(options, config));
  ATOLL_RETURN_IF_ERROR(WriteTensors(plan, options.folder, options.seed, options.num_threads));
  ATOLL_RETURN_IF_ERROR(
      WriteText(options.folder + "/model.safetensors.index.json", plan.index_json));
  ATOLL_RETURN_IF_ERROR(WriteText(options.folder + "/config.json", config_text));
  return summary;
}

}  // namespace atl::tools
