// The command line of atoll-check.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/status.h"

namespace atl::tools {

struct CheckFlags {
  std::string kind;
  std::string tokenizer;  // a folder
  std::string ranks;      // or a tiktoken file, of this pattern
  std::string pattern;
  std::string chat_template;  // a file; empty: that of Qwen3.6
  std::string model;          // a folder
  std::string dtype = "auto";
  int threads = 0;    // 0: the CPUs that this process may use
  int workers = 1;    // in this process
  int processes = 0;  // 0: none
};

// kCancelled: help or version was asked for, the text is the message; kInvalidArgument,
// kUnimplemented: one sentence on the flag at fault.
absl::StatusOr<CheckFlags> ParseCheckFlags(int argc, const char* const* argv);

}  // namespace atl::tools
