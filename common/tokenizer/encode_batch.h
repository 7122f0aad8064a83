// Many texts at once, on threads that the caller lends.
//
//   ATOLL_ASSIGN_OR_RETURN(const auto ids_of_texts, EncodeBatch(*tokenizer, texts, {}, runner));
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/ids.h"
#include "common/tokenizer/tokenizer.h"

namespace atl {

// Calls task(i) once for every i in [0, num_tasks), on any threads and in any order, and returns
// when all are done.
using TaskRunner = std::function<void(size_t num_tasks, const std::function<void(size_t)>& task)>;

// For each text the ids that Encode gives; they do not depend on the runner. Errors: Encode's, of
// the first text that has one, named by its index.
absl::StatusOr<std::vector<std::vector<TokenId>>> EncodeBatch(
    const Tokenizer& tokenizer, std::span<const std::string_view> texts,
    const EncodeOptions& options, const TaskRunner& runner);

}  // namespace atl
