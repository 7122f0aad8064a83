#include "common/tokenizer/encode_batch.h"

#include <fmt/format.h>

#include <utility>

#include "common/base/status.h"

namespace atl {

absl::StatusOr<std::vector<std::vector<TokenId>>> EncodeBatch(
    const Tokenizer& tokenizer, std::span<const std::string_view> texts,
    const EncodeOptions& options, const TaskRunner& runner) {
  std::vector<std::vector<TokenId>> ids(texts.size());
  std::vector<absl::Status> statuses(texts.size());
  runner(texts.size(), [&](size_t i) {
    absl::StatusOr<std::vector<TokenId>> encoded = tokenizer.Encode(texts[i], options);
    if (encoded.ok()) {
      ids[i] = *std::move(encoded);
    } else {
      statuses[i] = encoded.status();
    }
  });
  for (size_t i = 0; i < statuses.size(); ++i) {
    if (!statuses[i].ok()) return Annotate(statuses[i], fmt::format("text {}", i));
  }
  return ids;
}

}  // namespace atl
