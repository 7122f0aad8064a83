// Early return on a status that is not OK.
#pragma once

#include <utility>

#include "absl/status/status.h"

#define ATOLL_RETURN_IF_ERROR(expr)                \
  do {                                             \
    absl::Status atoll_status_ = (expr);           \
    if (!atoll_status_.ok()) return atoll_status_; \
  } while (false)

#define ATOLL_CONCAT_INNER_(a, b) a##b
#define ATOLL_CONCAT_(a, b) ATOLL_CONCAT_INNER_(a, b)

// ATOLL_ASSIGN_OR_RETURN(auto model, LoadModel(dir));
#define ATOLL_ASSIGN_OR_RETURN(lhs, expr) \
  ATOLL_ASSIGN_OR_RETURN_IMPL_(ATOLL_CONCAT_(atoll_or_, __LINE__), lhs, expr)
#define ATOLL_ASSIGN_OR_RETURN_IMPL_(result, lhs, expr) \
  auto result = (expr);                                 \
  if (!result.ok()) return result.status();             \
  lhs = std::move(result).value()
