// Membership: who has joined, which epoch they form, who is ready, who was lost. Pure: told what
// happened, it says what the cluster is now.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/status.h"

namespace atl::coordinator {

// One stream of one worker process, in order of arrival; a worker that comes again has a new one.
enum class WorkerId : uint64_t {};

struct Member {
  WorkerId id{};
  std::string name;  // for people: "host, pid 4711"
  std::string transport_address;
  uint32_t term_max = 0;  // the largest term that it holds
  bool ready = false;
};

// kWaiting: not enough workers. kConnecting: the epoch is formed, not all are ready. kLost: a
// member of the epoch is gone; nothing brings it back.
enum class MembershipState : uint8_t { kWaiting, kConnecting, kReady, kLost };

class Membership {
 public:
  explicit Membership(int32_t num_workers);

  // The last missing worker forms the epoch: the state becomes kConnecting. kUnavailable: the
  // cluster is complete or has lost a worker; the sentence is for the one that is turned away.
  absl::Status Join(Member member);
  // kFailedPrecondition: not a member, another epoch or rank, or said twice.
  absl::Status SetReady(WorkerId id, Epoch epoch, int32_t rank);
  // Its stream closed, or it failed. While waiting it is only forgotten; unknown ids too.
  void Lose(WorkerId id, const std::string& why);

  MembershipState state() const { return state_; }
  // term = 1 + the largest that any member held. Valid from kConnecting on.
  Epoch epoch() const { return epoch_; }
  // By rank, that is in order of joining.
  const std::vector<Member>& members() const { return members_; }
  std::optional<int32_t> RankOf(WorkerId id) const;
  // Why the cluster is not ready; empty when it is.
  std::string Reason() const;

 private:
  const int32_t num_workers_;
  MembershipState state_ = MembershipState::kWaiting;
  Epoch epoch_;
  std::vector<Member> members_;
  std::string lost_;
};

}  // namespace atl::coordinator
