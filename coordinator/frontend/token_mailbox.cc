#include "coordinator/frontend/token_mailbox.h"

#include <utility>

namespace atl {

class TokenMailbox::Sink : public RequestSink {
 public:
  Sink(TokenMailbox& mailbox, ExchangeId exchange) : mailbox_(mailbox), exchange_(exchange) {}

  void OnTokens(std::span<const TokenId> ids) override {
    mailbox_.Put({.exchange = exchange_, .tokens = {ids.begin(), ids.end()}, .end = {}});
  }
  void OnProbe(const ProbeResult&) override {}  // the front end asks for none
  void OnFinish(FinishReason reason, const absl::Status& status) override {
    mailbox_.Put({.exchange = exchange_,
                  .tokens = {},
                  .end = EngineEvent::End{.reason = reason, .status = status}});
  }

 private:
  TokenMailbox& mailbox_;
  const ExchangeId exchange_;
};

TokenMailbox::TokenMailbox(Post post, Deliver deliver)
    : post_(std::move(post)), deliver_(std::move(deliver)) {}

std::unique_ptr<RequestSink> TokenMailbox::MakeSink(ExchangeId exchange) {
  return std::make_unique<Sink>(*this, exchange);
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

}  // namespace atl
