#include "coordinator/api/text_calls.h"

#include <utility>

namespace atl::coordinator {

TextCalls::TextCalls(TextCallsParts parts) : parts_(std::move(parts)) {}

void TextCalls::Start(Call call, AnswerText answer) {
  const CallId id = call.id;
  call.record.model = parts_.model.name;
  const absl::Status accepted =
      parts_.pool.Submit([this, id, answer, body = std::move(call.request.body)] {
        parts_.post([this, id, result = answer(parts_.model, body)] { OnResult(id, result); });
      });
  if (!accepted.ok()) return parts_.responder.Refuse(std::move(call), TooBusy(), Refusal::kBusy);
  open_.emplace(id, std::move(call));
}

void TextCalls::OnResult(CallId id, const Result& result) {
  auto node = open_.extract(id);
  if (node.empty()) return;  // the client has left
  Call& call = node.mapped();
  if (const auto* error = std::get_if<ApiError>(&result)) {
    return parts_.responder.Refuse(std::move(call), *error, RefusalOf(*error));
  }
  parts_.responder.Respond(std::move(call), {.body = std::get<std::string>(result)});
}

void TextCalls::OnGone(CallId id) {
  auto node = open_.extract(id);
  if (!node.empty()) parts_.responder.OnGone(std::move(node.mapped()));
}

}  // namespace atl::coordinator
