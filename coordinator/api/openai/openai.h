// OpenAI's dialect, and vLLM's beside it: what the router's rows need of it. Bodies become typed
// requests in the room `request`; answer_writer.h spells chats and completions.
//
//   {"POST", "/v1/chat/completions", "chat_completions", generate({PrepareChatBody, MakeChatWriter})}
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "coordinator/api/openai/answer_writer.h"
#include "coordinator/api/openai/error_response.h"
#include "coordinator/generation/prepare_generation.h"
#include "coordinator/http/http_server.h"
#include "coordinator/prompt/served_model.h"
#include "coordinator/request/api_error.h"

namespace atl::coordinator {

// POST /v1/chat/completions and /v1/completions, from the body to what the engine runs. Slow on
// long texts: never on the I/O thread. `tokens_max` as for PrepareChat. **Threads**: any.
PrepareResult PrepareChatBody(const ServedModel& model, const std::string& body,
                              int64_t tokens_max);
PrepareResult PrepareCompletionBody(const ServedModel& model, const std::string& body,
                                    int64_t tokens_max);

// POST /tokenize and /detokenize, from body to body; as slow.
std::variant<std::string, ApiError> TokenizeBody(const ServedModel& model, const std::string& body);
std::variant<std::string, ApiError> DetokenizeBody(const ServedModel& model,
                                                   const std::string& body);

// GET /v1/models, and one entry of it: the name is what stands after "/v1/models/" in `path`.
HttpResponse ModelList(const ServedModel& model);
HttpResponse OneModel(const ServedModel& model, const std::string& path);

}  // namespace atl::coordinator
