// CHECK: an invariant of our own. When it breaks, the process says where and dies; the orchestrator
// restarts it. The outside world never fails through CHECK: it fails with a status.
#pragma once

#include <fmt/format.h>

#include <string>

namespace atl {

[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              const std::string& detail);

namespace internal {
inline std::string CheckDetail() { return {}; }
template <typename... Args>
std::string CheckDetail(fmt::format_string<Args...> format, Args&&... args) {
  return fmt::format(format, std::forward<Args>(args)...);
}
}  // namespace internal

}  // namespace atl

// CHECK(n > 0); CHECK(n > 0, "rows of step {}", step);
#define CHECK(condition, ...)                                        \
  do {                                                               \
    if (!(condition)) [[unlikely]]                                   \
      ::atl::CheckFailed(__FILE__, __LINE__, #condition,             \
                         ::atl::internal::CheckDetail(__VA_ARGS__)); \
  } while (false)

// A status of our own making that cannot fail.
#define CHECK_OK(expr)                                             \
  do {                                                             \
    const auto& atoll_check_ok_ = (expr);                          \
    CHECK(atoll_check_ok_.ok(), "{}", atoll_check_ok_.ToString()); \
  } while (false)

#ifdef NDEBUG
#define DCHECK(condition, ...) \
  do {                         \
  } while (false && (condition))
#else
#define DCHECK(condition, ...) CHECK(condition __VA_OPT__(, ) __VA_ARGS__)
#endif
