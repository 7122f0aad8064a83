// Chats and completions on their way to the client, as answer_format.h spells them.
#pragma once

#include <memory>

#include "coordinator/generation/answer_writer.h"
#include "coordinator/http/response_writer.h"

namespace atl::coordinator {

std::unique_ptr<AnswerWriter> MakeChatWriter(ResponseWriter response, const AnswerOrigin& origin);
std::unique_ptr<AnswerWriter> MakeCompletionWriter(ResponseWriter response,
                                                   const AnswerOrigin& origin);

}  // namespace atl::coordinator
