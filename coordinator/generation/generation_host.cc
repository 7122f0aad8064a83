#include "coordinator/generation/generation_host.h"

#include <algorithm>
#include <utility>

namespace atl::coordinator {

GenerationHost::GenerationHost(GenerationHostParts parts, const GenerationHostOptions& options)
    : parts_(std::move(parts)),
      access_log_(options.access_log),
      mailbox_(parts_.post, [this](const std::vector<EngineEvent>& events) { OnEvents(events); }),
      context_{parts_.model, parts_.engine,   parts_.metrics,
               mailbox_,     options.streams, *options.clock} {}

void GenerationHost::Start(GenerationId id, GenerationStart start) {
  auto& generation = open_[id];
  generation =
      std::make_unique<Generation>(context_, id, std::move(start.writer), std::move(start.record));
  const ReadyState ready = parts_.engine.ready_state();
  absl::Status accepted;
  if (ready.ready) {
    // The engine is asked here: it may be gone when the pool's last tasks run.
    const int64_t tokens_max = parts_.engine.limits().tokens_max;
    accepted = parts_.pool.Submit([this, id, tokens_max, prepare = std::move(start.prepare)] {
      parts_.post([this, id, result = prepare(tokens_max)]() mutable {
        OnPrepared(id, std::move(result));
      });
    });
  }
  if (!ready.ready) {
    generation->Fail(ToApiError(Unavailable("{}", ready.reason)), Refusal::kNotReady);
  } else if (!accepted.ok()) {
    generation->Fail(TooBusy(), Refusal::kBusy);
  }
  EraseIfOver(id);
}

void GenerationHost::OnPrepared(GenerationId id, PrepareResult result) {
  Generation* generation = Find(id);
  if (generation == nullptr) return;  // the client has left
  if (const auto* error = std::get_if<ApiError>(&result)) {
    generation->Fail(*error, RefusalOf(*error));
  } else {
    generation->Run(std::get<PreparedGeneration>(std::move(result)));
  }
  EraseIfOver(id);
}

void GenerationHost::OnEvents(const std::vector<EngineEvent>& events) {
  std::vector<GenerationId> touched;
  for (const EngineEvent& event : events) {
    const GenerationId id = event.choice.generation;
    Generation* generation = Find(id);
    if (generation == nullptr) continue;
    generation->OnEvent(event);
    touched.push_back(id);
  }
  std::sort(touched.begin(), touched.end());
  touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
  for (const GenerationId id : touched) {
    open_.at(id)->Flush();
    EraseIfOver(id);
  }
}

void GenerationHost::OnGone(GenerationId id) {
  Generation* generation = Find(id);
  if (generation == nullptr) return;
  generation->OnGone();
  EraseIfOver(id);
}

void GenerationHost::OnDrained(GenerationId id) {
  Generation* generation = Find(id);
  if (generation == nullptr) return;
  generation->Flush();
  EraseIfOver(id);
}

void GenerationHost::OnTick() {
  std::vector<GenerationId> over;
  for (const auto& [id, generation] : open_) {
    generation->OnTick();
    if (generation->over()) over.push_back(id);
  }
  for (const GenerationId id : over) EraseIfOver(id);
}

Generation* GenerationHost::Find(GenerationId id) {
  const auto it = open_.find(id);
  return it == open_.end() ? nullptr : it->second.get();
}

void GenerationHost::EraseIfOver(GenerationId id) {
  const auto it = open_.find(id);
  if (it == open_.end() || !it->second->over()) return;
  if (access_log_ != nullptr) access_log_->Write(ToJsonLine(it->second->record()));
  open_.erase(it);
}

}  // namespace atl::coordinator
