#include "coordinator/prompt/served_model.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "common/base/status_macros.h"
#include "common/config/file.h"
#include "common/config/model_config.h"

namespace atl::coordinator {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr size_t kTemplateBytesMax = size_t{1} << 20;
constexpr size_t kTokenizerConfigBytesMax = size_t{16} << 20;
constexpr int64_t kLengthMax = std::numeric_limits<int32_t>::max() / 2;
constexpr int64_t kScriptedLength = int64_t{1} << 20;

bool Exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

absl::StatusOr<Json> ReadTokenizerConfig(const std::string& directory) {
  const std::string file = directory + "/tokenizer_config.json";
  if (!Exists(file)) return Json::object();
  ATOLL_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(file, kTokenizerConfigBytesMax));
  Json config = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!config.is_object()) return InvalidArgument("{}: not a JSON object", file);
  return config;
}

// A token is given as its text, or as an object that holds it in "content".
std::vector<std::pair<std::string, std::string>> SpecialTokensOf(const Json& tokenizer_config) {
  std::vector<std::pair<std::string, std::string>> tokens;
  for (const char* key : {"bos_token", "eos_token", "pad_token", "unk_token"}) {
    Json token = tokenizer_config.value(key, Json());
    if (token.is_object()) token = token.value("content", Json());
    if (token.is_string()) tokens.emplace_back(key, token.get<std::string>());
  }
  return tokens;
}

absl::StatusOr<std::unique_ptr<const ChatTemplate>> LoadTemplate(const ServedModelOptions& options,
                                                                 const Json& tokenizer_config) {
  std::string file = options.chat_template_file;
  if (file.empty()) file = options.directory + "/chat_template.jinja";
  std::string source;
  const Json inline_source = tokenizer_config.value("chat_template", Json());
  if (options.chat_template_file.empty() && !Exists(file) && inline_source.is_string()) {
    file = options.directory + "/tokenizer_config.json: chat_template";
    source = inline_source.get<std::string>();
  } else if (options.chat_template_file.empty() && !Exists(file)) {
    return NotFound("{}: no such file; give a template with --chat-template", file);
  } else {
    ATOLL_ASSIGN_OR_RETURN(source, ReadTextFile(file, kTemplateBytesMax));
  }
  absl::StatusOr<std::unique_ptr<ChatTemplate>> parsed = ChatTemplate::Parse(std::move(source));
  if (!parsed.ok()) return Annotate(parsed.status(), file);
  return std::unique_ptr<const ChatTemplate>(std::move(*parsed));
}

absl::StatusOr<int32_t> ContextLength(const ServedModelOptions& options,
                                      const ModelConfig& config) {
  const int64_t longest = std::min(config.context_length(), kLengthMax);
  if (options.max_model_len == 0) return static_cast<int32_t>(longest);
  if (options.max_model_len < 0 || options.max_model_len > longest) {
    return InvalidArgument(
        "--max-model-len {}: expected 1 to {}, which is what {}/config.json allows "
        "(max_position_embeddings, stretched where YaRN is configured)",
        options.max_model_len, longest, options.directory);
  }
  return static_cast<int32_t>(options.max_model_len);
}

absl::StatusOr<int32_t> ScriptedLength(const ServedModelOptions& options) {
  if (options.max_model_len == 0) return static_cast<int32_t>(kScriptedLength);
  if (options.max_model_len < 0 || options.max_model_len > kLengthMax) {
    return InvalidArgument("--max-model-len {}: expected 1 to {}", options.max_model_len,
                           kLengthMax);
  }
  return static_cast<int32_t>(options.max_model_len);
}

std::string LastComponent(const std::string& directory) {
  const fs::path path = fs::path(directory).lexically_normal();
  std::string name = path.filename().string();
  if (name.empty() || name == ".") name = path.parent_path().filename().string();
  return name.empty() ? "model" : name;
}

// What the configuration says: lengths, vocabulary, stop ids. After tokenizer and defaults.
absl::Status Configure(const ServedModelOptions& options, ServedModel& model) {
  const std::string& directory = options.directory;
  ATOLL_ASSIGN_OR_RETURN(const ModelConfig config, LoadModelConfig(directory));
  ATOLL_ASSIGN_OR_RETURN(model.max_model_len, ContextLength(options, config));
  model.vocab_size = config.vocab_size;
  if (model.tokenizer->vocab_size() > config.vocab_size) {
    return InvalidArgument("{}: tokenizer.json has ids up to {}, config.json's vocab_size is {}",
                           directory, model.tokenizer->vocab_size() - 1, config.vocab_size);
  }
  const std::vector<int32_t>& eos =
      model.defaults.eos_token_ids.empty() ? config.eos_token_ids : model.defaults.eos_token_ids;
  for (const int32_t id : eos) {
    if (id >= config.vocab_size) {
      return InvalidArgument("{}: eos_token_id {} is outside the vocabulary of {}", directory, id,
                             config.vocab_size);
    }
    model.stop_ids.push_back(TokenId{id});
  }
  return absl::OkStatus();
}

// The same of a script, whose text ends with the end of a turn, or of all text.
absl::Status ConfigureScripted(const ServedModelOptions& options, ServedModel& model) {
  ATOLL_ASSIGN_OR_RETURN(model.max_model_len, ScriptedLength(options));
  model.vocab_size = model.tokenizer->vocab_size();
  for (const char* literal : {"<|im_end|>", "<|endoftext|>"}) {
    const std::optional<TokenId> id = model.tokenizer->IdOf(literal);
    if (id) model.stop_ids.push_back(*id);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<const ServedModel>> LoadServedModel(
    const ServedModelOptions& options) {
  const std::string& directory = options.directory;
  std::error_code error;
  const bool is_scripted = options.kind == ModelKind::kScripted;
  if (!fs::is_directory(directory, error)) {
    return NotFound("{}: no such folder; {}", directory,
                    is_scripted ? "--tokenizer names the folder of a tokenizer and a template"
                                : "--model names the folder of a checkpoint");
  }
  auto model = std::make_unique<ServedModel>();
  const std::string own_name = is_scripted ? "scripted" : LastComponent(directory);
  model->name = options.name.empty() ? own_name : options.name;
  model->created_unix_s = std::chrono::duration_cast<std::chrono::seconds>(
                              std::chrono::system_clock::now().time_since_epoch())
                              .count();
  ATOLL_ASSIGN_OR_RETURN(model->tokenizer, Tokenizer::FromDirectory(directory));
  ATOLL_ASSIGN_OR_RETURN(model->defaults, LoadGenerationConfig(directory));
  ATOLL_RETURN_IF_ERROR(is_scripted ? ConfigureScripted(options, *model)
                                    : Configure(options, *model));
  ATOLL_ASSIGN_OR_RETURN(const Json tokenizer_config, ReadTokenizerConfig(directory));
  model->special_tokens = SpecialTokensOf(tokenizer_config);
  ATOLL_ASSIGN_OR_RETURN(model->chat_template, LoadTemplate(options, tokenizer_config));
  return std::unique_ptr<const ServedModel>(std::move(model));
}

}  // namespace atl::coordinator
