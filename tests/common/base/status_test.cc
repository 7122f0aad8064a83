#include "common/base/status.h"

#include "common/base/check.h"
#include "common/base/ids.h"
#include "tests/support/status_matchers.h"

namespace atl {
namespace {

TEST(StatusTest, FormatsAndKeepsTheCode) {
  const absl::Status status = InvalidArgument("block {} of sequence {}", 7, "a");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MessageOf(status), "block 7 of sequence a");
  EXPECT_EQ(CodeName(status.code()), "INVALID_ARGUMENT");
}

TEST(StatusTest, AnnotateAddsContextOnlyToErrors) {
  EXPECT_EQ(MessageOf(Annotate(DataLoss("short"), "model.safetensors")),
            "model.safetensors: short");
  EXPECT_TRUE(Annotate(absl::OkStatus(), "x").ok());
}

absl::StatusOr<int> Half(int n) {
  if (n % 2 != 0) return InvalidArgument("{} is odd", n);
  return n / 2;
}

absl::StatusOr<int> Quarter(int n) {
  ATOLL_ASSIGN_OR_RETURN(const int half, Half(n));
  return Half(half);
}

TEST(StatusTest, AssignOrReturnPassesTheFirstError) {
  EXPECT_EQ(Quarter(8).value(), 2);
  EXPECT_STATUS(Quarter(6), absl::StatusCode::kInvalidArgument, "3 is odd");
}

TEST(CheckDeathTest, NamesTheConditionAndTheDetail) {
  EXPECT_DEATH(CHECK(1 > 2, "rows {}", 5), "1 > 2: rows 5");
}

TEST(IdsTest, EpochsOrderByTermThenNumber) {
  EXPECT_LT((Epoch{1, 9}), (Epoch{2, 0}));
  EXPECT_EQ(Value(TokenId{42}), 42);
}

}  // namespace
}  // namespace atl
