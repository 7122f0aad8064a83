#include "coordinator/api/generation_calls.h"

#include <chrono>
#include <utility>

namespace atl::coordinator {
namespace {

GenerationId GenerationOf(CallId id) { return GenerationId{Value(id)}; }

}  // namespace

void GenerationCalls::Start(Call call, const GenerationDialect& dialect) {
  const auto created =
      std::chrono::duration_cast<std::chrono::seconds>(call.record.arrived.time_since_epoch());
  auto writer = dialect.make_writer(
      ResponseWriter(server_, call.id, {{"X-Request-Id", call.record.request_id}}),
      {.call_name = call.name, .model = model_.name, .created_unix_s = created.count()});
  host_.Start(
      GenerationOf(call.id),
      {.writer = std::move(writer),
       .record = std::move(call.record),
       .prepare = [&model = model_, prepare = dialect.prepare, body = std::move(call.request.body)](
                      int64_t tokens_max) { return prepare(model, body, tokens_max); }});
}

void GenerationCalls::OnGone(CallId id) { host_.OnGone(GenerationOf(id)); }

void GenerationCalls::OnDrained(CallId id) { host_.OnDrained(GenerationOf(id)); }

void GenerationCalls::OnTick() { host_.OnTick(); }

}  // namespace atl::coordinator
