#include "coordinator/membership/membership.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace atl::coordinator {

Membership::Membership(int32_t num_workers) : num_workers_(num_workers) {
  CHECK(num_workers > 0, "{} workers", num_workers);
}

absl::Status Membership::Join(Member member) {
  CHECK(!RankOf(member.id), "worker stream {} joins twice", static_cast<uint64_t>(member.id));
  if (state_ == MembershipState::kLost) return Unavailable("the cluster has {}", Reason());
  if (state_ != MembershipState::kWaiting) {
    return Unavailable("the cluster is complete with {} workers", num_workers_);
  }
  members_.push_back(std::move(member));
  if (std::ssize(members_) < num_workers_) return absl::OkStatus();
  uint32_t term_max = 0;
  for (const Member& each : members_) term_max = std::max(term_max, each.term_max);
  epoch_ = {.term = term_max + 1, .number = 1};
  state_ = MembershipState::kConnecting;
  return absl::OkStatus();
}

absl::Status Membership::SetReady(WorkerId id, Epoch epoch, int32_t rank) {
  const std::optional<int32_t> member_rank = RankOf(id);
  if (!member_rank || state_ != MembershipState::kConnecting) {
    return FailedPrecondition("a worker is ready that was not asked");
  }
  if (epoch != epoch_ || rank != *member_rank) {
    return FailedPrecondition(
        "worker {} is ready as rank {} of epoch {}.{}, expected rank {} of epoch {}.{}",
        *member_rank, rank, epoch.term, epoch.number, *member_rank, epoch_.term, epoch_.number);
  }
  Member& member = members_[static_cast<size_t>(*member_rank)];
  if (member.ready) return FailedPrecondition("worker {} is ready twice", *member_rank);
  member.ready = true;
  const bool all =
      std::all_of(members_.begin(), members_.end(), [](const Member& each) { return each.ready; });
  if (all) state_ = MembershipState::kReady;
  return absl::OkStatus();
}

void Membership::Lose(WorkerId id, const std::string& why) {
  const std::optional<int32_t> rank = RankOf(id);
  if (!rank) return;
  if (state_ == MembershipState::kWaiting) {
    members_.erase(members_.begin() + *rank);
    return;
  }
  if (state_ == MembershipState::kLost) return;  // the first loss is the one that is told
  lost_ =
      fmt::format("lost worker {} ({}): {}", *rank, members_[static_cast<size_t>(*rank)].name, why);
  state_ = MembershipState::kLost;
}

std::optional<int32_t> Membership::RankOf(WorkerId id) const {
  const auto it = std::find_if(members_.begin(), members_.end(),
                               [id](const Member& each) { return each.id == id; });
  if (it == members_.end()) return std::nullopt;
  return static_cast<int32_t>(it - members_.begin());
}

std::string Membership::Reason() const {
  switch (state_) {
    case MembershipState::kWaiting:
      return fmt::format("waiting for {} of {} workers", num_workers_ - std::ssize(members_),
                         num_workers_);
    case MembershipState::kConnecting: {
      std::string names;
      for (size_t rank = 0; rank < members_.size(); ++rank) {
        if (members_[rank].ready) continue;
        names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", rank, members_[rank].name);
      }
      return fmt::format("workers are connecting to each other; not ready: {}", names);
    }
    case MembershipState::kReady:
      return "";
    case MembershipState::kLost:
      return lost_;
  }
  return "";
}

}  // namespace atl::coordinator
