// LOG: one line to standard error. ERROR: a request or worker was lost; WARNING: degraded; INFO:
// life events. Nothing per token.
//   LOG_INFO("worker {} joined as rank {}", host, rank);
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

namespace atl::log {

enum class Level { kDebug, kInfo, kWarning, kError };

// Names the process in every line ("worker 1"). Call once, early.
void SetProcessName(const std::string& name);
void SetLevel(Level level);
bool Enabled(Level level);
void Write(Level level, const std::string& line);

}  // namespace atl::log

#define ATOLL_LOG_(level, ...)                                                          \
  do {                                                                                  \
    if (::atl::log::Enabled(level)) ::atl::log::Write(level, fmt::format(__VA_ARGS__)); \
  } while (false)
#define LOG_DEBUG(...) ATOLL_LOG_(::atl::log::Level::kDebug, __VA_ARGS__)
#define LOG_INFO(...) ATOLL_LOG_(::atl::log::Level::kInfo, __VA_ARGS__)
#define LOG_WARNING(...) ATOLL_LOG_(::atl::log::Level::kWarning, __VA_ARGS__)
#define LOG_ERROR(...) ATOLL_LOG_(::atl::log::Level::kError, __VA_ARGS__)
