// ASSERT_OK(expr), EXPECT_OK(expr), ASSERT_OK_AND_ASSIGN(lhs, expr), EXPECT_STATUS(expr, code,
// "substring").
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "common/base/status.h"
#include "common/base/status_macros.h"

namespace atl::testing {

inline absl::Status ToStatus(const absl::Status& status) { return status; }
template <typename T>
absl::Status ToStatus(const absl::StatusOr<T>& result) {
  return result.status();
}

}  // namespace atl::testing

#define EXPECT_OK(expr) EXPECT_EQ(::atl::testing::ToStatus(expr), absl::OkStatus())
#define ASSERT_OK(expr) ASSERT_EQ(::atl::testing::ToStatus(expr), absl::OkStatus())
#define ASSERT_OK_AND_ASSIGN(lhs, expr) \
  ATOLL_ASSERT_OK_AND_ASSIGN_(ATOLL_CONCAT_(atoll_test_or_, __LINE__), lhs, expr)
#define ATOLL_ASSERT_OK_AND_ASSIGN_(result, lhs, expr) \
  auto result = (expr);                                \
  ASSERT_EQ(result.status(), absl::OkStatus());        \
  lhs = std::move(result).value()
#define EXPECT_STATUS(expr, expected_code, substring)                                   \
  do {                                                                                  \
    const absl::Status atoll_test_status_ = ::atl::testing::ToStatus(expr);             \
    EXPECT_EQ(atoll_test_status_.code(), expected_code) << atoll_test_status_;          \
    EXPECT_THAT(::atl::MessageOf(atoll_test_status_), ::testing::HasSubstr(substring)); \
  } while (false)
