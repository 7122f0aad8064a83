#include "coordinator/membership/membership.h"

#include "tests/support/status_matchers.h"

namespace atl::coordinator {
namespace {

Member MakeMember(uint64_t id, uint32_t term_max = 0) {
  return {.id = WorkerId{id},
          .name = fmt::format("node-{}, pid {}", id, id * 10),
          .transport_address = fmt::format("address {}", id),
          .term_max = term_max};
}

TEST(MembershipTest, FormsTheEpochWhenAllHaveJoined) {
  Membership membership(2);
  EXPECT_EQ(membership.Reason(), "waiting for 2 of 2 workers");
  ASSERT_OK(membership.Join(MakeMember(7, 4)));
  EXPECT_EQ(membership.state(), MembershipState::kWaiting);
  EXPECT_EQ(membership.Reason(), "waiting for 1 of 2 workers");
  ASSERT_OK(membership.Join(MakeMember(3, 9)));
  EXPECT_EQ(membership.state(), MembershipState::kConnecting);
  EXPECT_EQ(membership.epoch(), (Epoch{10, 1}));
  EXPECT_EQ(membership.RankOf(WorkerId{7}), 0);
  EXPECT_EQ(membership.RankOf(WorkerId{3}), 1);
  EXPECT_EQ(membership.RankOf(WorkerId{5}), std::nullopt);
  EXPECT_STATUS(membership.Join(MakeMember(4)), absl::StatusCode::kUnavailable,
                "complete with 2 workers");
}

TEST(MembershipTest, IsReadyWhenEveryMemberIs) {
  Membership membership(2);
  ASSERT_OK(membership.Join(MakeMember(1)));
  EXPECT_STATUS(membership.SetReady(WorkerId{1}, {1, 1}, 0), absl::StatusCode::kFailedPrecondition,
                "not asked");
  ASSERT_OK(membership.Join(MakeMember(2)));
  EXPECT_STATUS(membership.SetReady(WorkerId{1}, {1, 1}, 1), absl::StatusCode::kFailedPrecondition,
                "expected rank 0 of epoch 1.1");
  EXPECT_STATUS(membership.SetReady(WorkerId{1}, {1, 2}, 0), absl::StatusCode::kFailedPrecondition,
                "epoch 1.2");
  ASSERT_OK(membership.SetReady(WorkerId{1}, {1, 1}, 0));
  EXPECT_STATUS(membership.SetReady(WorkerId{1}, {1, 1}, 0), absl::StatusCode::kFailedPrecondition,
                "twice");
  EXPECT_EQ(membership.state(), MembershipState::kConnecting);
  EXPECT_THAT(membership.Reason(), ::testing::HasSubstr("not ready: 1 (node-2, pid 20)"));
  ASSERT_OK(membership.SetReady(WorkerId{2}, {1, 1}, 1));
  EXPECT_EQ(membership.state(), MembershipState::kReady);
  EXPECT_EQ(membership.Reason(), "");
}

TEST(MembershipTest, WhoLeavesWhileWaitingIsForgotten) {
  Membership membership(2);
  ASSERT_OK(membership.Join(MakeMember(1)));
  membership.Lose(WorkerId{1}, "stream closed");
  EXPECT_EQ(membership.Reason(), "waiting for 2 of 2 workers");
  ASSERT_OK(membership.Join(MakeMember(2)));
  ASSERT_OK(membership.Join(MakeMember(3)));
  EXPECT_EQ(membership.RankOf(WorkerId{2}), 0);
}

TEST(MembershipTest, ALossIsNamedAndStays) {
  for (const bool ready : {false, true}) {
    Membership membership(2);
    ASSERT_OK(membership.Join(MakeMember(1)));
    ASSERT_OK(membership.Join(MakeMember(2)));
    if (ready) {
      ASSERT_OK(membership.SetReady(WorkerId{1}, {1, 1}, 0));
      ASSERT_OK(membership.SetReady(WorkerId{2}, {1, 1}, 1));
    }
    membership.Lose(WorkerId{9}, "a stranger");
    EXPECT_NE(membership.state(), MembershipState::kLost);
    membership.Lose(WorkerId{2}, "stream closed");
    EXPECT_EQ(membership.state(), MembershipState::kLost);
    EXPECT_EQ(membership.Reason(), "lost worker 1 (node-2, pid 20): stream closed");
    membership.Lose(WorkerId{1}, "stream closed");
    EXPECT_EQ(membership.Reason(), "lost worker 1 (node-2, pid 20): stream closed");
    EXPECT_STATUS(membership.Join(MakeMember(3)), absl::StatusCode::kUnavailable,
                  "the cluster has lost worker 1");
  }
}

}  // namespace
}  // namespace atl::coordinator
