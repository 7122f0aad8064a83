#include "coordinator/generation/token_mailbox.h"

#include <utility>

namespace atl::coordinator {

class TokenMailbox::Sink : public RequestSink {
 public:
  Sink(TokenMailbox& mailbox, ChoiceId choice) : mailbox_(mailbox), choice_(choice) {}

  void OnPrompt(int32_t tokens_done, std::span<const TokenLogprobs> logprobs) override {
    mailbox_.Put({.choice = choice_,
                  .prompt_done = tokens_done,
                  .logprobs = {logprobs.begin(), logprobs.end()}});
  }
  void OnTokens(std::span<const TokenId> ids, std::span<const TokenLogprobs> logprobs) override {
    mailbox_.Put({.choice = choice_,
                  .tokens = {ids.begin(), ids.end()},
                  .logprobs = {logprobs.begin(), logprobs.end()}});
  }
  void OnProbe(const ProbeResult&) override {}  // the front end asks for none
  void OnFinish(const RequestEnd& end) override { mailbox_.Put({.choice = choice_, .end = end}); }

 private:
  TokenMailbox& mailbox_;
  const ChoiceId choice_;
};

TokenMailbox::TokenMailbox(Post post, Deliver deliver)
    : post_(std::move(post)), deliver_(std::move(deliver)) {}

std::unique_ptr<RequestSink> TokenMailbox::MakeSink(ChoiceId choice) {
  return std::make_unique<Sink>(*this, choice);
}

void TokenMailbox::Put(EngineEvent event) {
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    first = events_.empty();
    events_.push_back(std::move(event));
  }
  if (first) post_([this] { Empty(); });
}

void TokenMailbox::Empty() {
  std::vector<EngineEvent> events;
  {
    std::lock_guard lock(mutex_);
    events.swap(events_);
  }
  deliver_(std::move(events));
}

}  // namespace atl::coordinator
