// detokenize: ids, as they arrive → text, as it is handed out.
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "common/base/status_macros.h"
#include "common/tokenizer/detokenizer.h"
#include "tools/checker/kinds/kind.h"
#include "tools/checker/question/fields.h"
#include "tools/checker/question/named_files.h"

namespace atl::tools {
namespace {

// An id beyond the vocabulary is no mistake here: it adds nothing, as in a server.
constexpr int64_t kIdsEnd = int64_t{std::numeric_limits<int32_t>::max()} + 1;

absl::StatusOr<std::vector<int64_t>> SplitOf(const Json& in, size_t num_ids) {
  const auto total = static_cast<int64_t>(num_ids);
  if (FindField(in, "split") == nullptr) return std::vector<int64_t>{total};
  ATOLL_ASSIGN_OR_RETURN(std::vector<int64_t> split, IntegersField(in, "split", {0, total}));
  int64_t sum = 0;
  for (const int64_t count : split) sum += count;
  if (sum != total) {
    return InvalidArgument("split: its sum is {}, expected the number of ids, {}", sum, total);
  }
  return split;
}

class Detokenize : public Kind {
 public:
  explicit Detokenize(std::unique_ptr<const Tokenizer> tokenizer)
      : tokenizer_(std::move(tokenizer)) {}

  absl::Status Answer(const Json& in, const std::string&, Json& out) override {
    ATOLL_ASSIGN_OR_RETURN(const auto ids, TokenIdsField(in, "ids", kIdsEnd));
    ATOLL_ASSIGN_OR_RETURN(const auto split, SplitOf(in, ids.size()));
    ATOLL_ASSIGN_OR_RETURN(const bool skip, BoolField(in, "skip_special", true));
    Detokenizer detokenizer(*tokenizer_, skip ? SkipSpecial::kSkip : SkipSpecial::kShow);
    std::vector<std::string> parts;
    std::span<const TokenId> left(ids);
    for (const int64_t count : split) {
      parts.push_back(detokenizer.Append(left.first(static_cast<size_t>(count))));
      left = left.subspan(static_cast<size_t>(count));
    }
    parts.push_back(detokenizer.Finish());
    std::string text;
    for (const std::string& part : parts) text += part;
    out["text"] = text;
    out["parts"] = parts;
    return absl::OkStatus();
  }

 private:
  const std::unique_ptr<const Tokenizer> tokenizer_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Kind>> MakeDetokenize(const CheckFlags& flags) {
  ATOLL_ASSIGN_OR_RETURN(auto tokenizer, LoadChosenTokenizer(flags));
  return std::make_unique<Detokenize>(std::move(tokenizer));
}

}  // namespace atl::tools
