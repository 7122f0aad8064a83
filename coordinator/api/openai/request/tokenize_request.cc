#include "coordinator/api/openai/request/tokenize_request.h"

#include "coordinator/api/openai/request/chat_request.h"

namespace atl::coordinator {

TokenizeRequest ReadTokenize(const ParseLimits& limits, JsonNode* body, Fields* fields) {
  TokenizeRequest request;
  request.model = fields->String("model").value_or("");
  request.prompt = fields->String("prompt");
  const bool has_prompt = fields->Find("prompt") != nullptr;
  const bool has_messages = fields->Find("messages") != nullptr;
  if (has_prompt && has_messages) fields->Fail("messages", "not allowed beside prompt");
  if (!has_prompt && !has_messages) fields->Fail("prompt", "prompt or messages is required");
  if (!has_prompt) ReadConversation(limits, body, fields, &request.chat);
  request.chat.generation.model = request.model;
  request.add_special_tokens = fields->Bool("add_special_tokens").value_or(true);
  request.return_token_strs = fields->Bool("return_token_strs").value_or(false);
  return request;
}

DetokenizeRequest ReadDetokenize(const ParseLimits& limits, Fields* fields) {
  DetokenizeRequest request;
  request.model = fields->String("model").value_or("");
  if (fields->Find("tokens") == nullptr) fields->Fail("tokens", "this parameter is required");
  request.tokens = fields->Ids("tokens", limits.values_max, limits.vocab_size);
  return request;
}

}  // namespace atl::coordinator
