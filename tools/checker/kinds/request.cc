// request: a body, as an endpoint of the coordinator gets it → the status, and the error if it is
// refused. What only a running cluster knows (the model's name, its context) is not asked.
#include <nlohmann/json.hpp>
#include <utility>
#include <variant>

#include "common/base/status_macros.h"
#include "common/text/json_tree.h"
#include "coordinator/api/openai/request/error_json.h"
#include "coordinator/api/openai/request/request_parser.h"
#include "coordinator/prompt/messages.h"
#include "tools/checker/kinds/kind.h"
#include "tools/checker/question/fields.h"
#include "tools/checker/question/named_files.h"

namespace atl::tools {
namespace {

constexpr int kDepthMax = 1000;                  // of a line; endpoints take far less
constexpr int32_t kPublishedVocabSize = 248320;  // of Qwen3.6-35B-A3B

coordinator::ApiError NoSuchEndpoint() {
  return {.status = 404,
          .message =
              "No body is read there; /v1/chat/completions, /v1/completions, /tokenize and "
              "/detokenize take one.",
          .code = "not_found"};
}

// The body as it is written in `line`, white space apart: its keys in order, its numbers' digits.
std::string BodyOf(const std::string& line) {
  const auto read = ReadJsonTree(line, {.depth_max = kDepthMax});
  const auto* question = std::get_if<JsonNode>(&read);
  if (question == nullptr) return std::string(kDepthMax, '[');  // too deep for every endpoint too
  const JsonNode* body = question->Find("body");
  return body == nullptr ? "" : WriteJson(*body);
}

template <typename Request>
std::optional<coordinator::ApiError> ErrorOf(
    const std::variant<Request, coordinator::ApiError>& parsed) {
  const auto* error = std::get_if<coordinator::ApiError>(&parsed);
  return error == nullptr ? std::nullopt : std::optional(*error);
}

class RequestKind : public Kind {
 public:
  RequestKind(std::unique_ptr<coordinator::ChatTemplate> chat_template, int32_t vocab_size)
      : chat_template_(std::move(chat_template)), limits_{.vocab_size = vocab_size} {}

  absl::Status Answer(const Json& in, const std::string& line, Json& out) override {
    ATOLL_ASSIGN_OR_RETURN(const std::string endpoint, StringField(in, "endpoint"));
    const auto body = in.find("body");
    if (body == in.end()) return InvalidArgument("body: expected an object, or a string of text");
    // A string is the text itself.
    const std::optional<coordinator::ApiError> error =
        Check(endpoint, body->is_string() ? body->get<std::string>() : BodyOf(line));
    out["status"] = error ? error->status : 200;
    if (error) {
      out["error"] = Json::parse(coordinator::ToJson(*error))["error"];
    } else {
      out["accepted"] = true;
    }
    return absl::OkStatus();
  }

 private:
  std::optional<coordinator::ApiError> Check(const std::string& endpoint,
                                             std::string_view body) const {
    if (endpoint == "/v1/completions")
      return ErrorOf(coordinator::ParseCompletionRequest(body, limits_));
    if (endpoint == "/detokenize")
      return ErrorOf(coordinator::ParseDetokenizeRequest(body, limits_));
    if (endpoint == "/v1/chat/completions") {
      const auto error = ErrorOf(coordinator::ParseChatRequest(body, limits_));
      return error ? error : RenderError(body);
    }
    if (endpoint == "/tokenize") {
      const auto parsed = coordinator::ParseTokenizeRequest(body, limits_);
      const auto* request = std::get_if<coordinator::TokenizeRequest>(&parsed);
      if (request == nullptr || request->prompt) return ErrorOf(parsed);
      return RenderError(body);
    }
    return NoSuchEndpoint();
  }

  // What the chat template says of a conversation.
  std::optional<coordinator::ApiError> RenderError(std::string_view body) const {
    const absl::Status status = Render(body);
    if (status.ok()) return std::nullopt;
    coordinator::ApiError error = coordinator::ToApiError(status);
    error.param = "messages";
    return error;
  }

  absl::Status Render(std::string_view body) const {
    ATOLL_ASSIGN_OR_RETURN(coordinator::TemplateInput input, coordinator::ReadTemplateInput(body));
    ATOLL_ASSIGN_OR_RETURN(input.messages, coordinator::MessagesFromOpenAi(
                                               std::move(input.messages).value_or(JsonNode())));
    return chat_template_->Render(input).status();
  }

  const std::unique_ptr<coordinator::ChatTemplate> chat_template_;
  const coordinator::ParseLimits limits_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Kind>> MakeRequest(const CheckFlags& flags) {
  ATOLL_ASSIGN_OR_RETURN(auto chat_template, LoadChosenTemplate(flags));
  int32_t vocab_size = kPublishedVocabSize;
  if (!flags.tokenizer.empty() || !flags.ranks.empty()) {
    ATOLL_ASSIGN_OR_RETURN(const auto tokenizer, LoadChosenTokenizer(flags));
    vocab_size = tokenizer->vocab_size();
  }
  return std::make_unique<RequestKind>(std::move(chat_template), vocab_size);
}

}  // namespace atl::tools
