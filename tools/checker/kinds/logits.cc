// logits: ids → what the model says of each position, and how it goes on.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <span>
#include <utility>

#include "common/base/status_macros.h"
#include "tools/checker/kinds/kind.h"
#include "tools/checker/logits/logits_source.h"
#include "tools/checker/question/fields.h"

namespace atl::tools {
namespace {

constexpr int64_t kChunk = 2048;  // the coordinator's --max-num-batched-tokens
constexpr int64_t kChunkMax = 65536;
constexpr int64_t kFloatsRunMax = int64_t{64} << 20;  // of one question: rows × vocabulary
constexpr int64_t kFloatsReportedMax = int64_t{16} << 20;
constexpr size_t kTop = 5;

// The best ids with their log-probabilities, [[id, log-probability], …], ties to the lower id.
Json TopOf(std::span<const float> logits) {
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto logit = [&](int32_t id) { return logits[static_cast<size_t>(id)]; };
  const size_t count = std::min(kTop, ids.size());
  std::partial_sort(
      ids.begin(), ids.begin() + static_cast<int64_t>(count), ids.end(),
      [&](int32_t a, int32_t b) { return logit(a) > logit(b) || (logit(a) == logit(b) && a < b); });
  const double largest = logit(ids[0]);
  double sum = 0.0;
  for (const float each : logits) sum += std::exp(double{each} - largest);
  Json top = Json::array();
  for (size_t i = 0; i < count; ++i) {
    top.push_back(Json::array({ids[i], double{logit(ids[i])} - largest - std::log(sum)}));
  }
  return top;
}

class Logits : public Kind {
 public:
  Logits(ModelConfig config, std::unique_ptr<LogitsSource> source)
      : config_(std::move(config)), source_(std::move(source)) {}

  absl::Status Answer(const Json& in, const std::string&, Json& out) override {
    ATOLL_ASSIGN_OR_RETURN(const LogitsJob job, JobOf(in));
    const int64_t prompt = static_cast<int64_t>(job.ids.size());
    const int64_t rows = prompt + std::max(job.num_generate, 1) - 1;
    ATOLL_ASSIGN_OR_RETURN(const std::vector<int64_t> positions, PositionsOf(in, prompt, rows));
    ATOLL_RETURN_IF_ERROR(CheckYarn(in));
    ATOLL_ASSIGN_OR_RETURN(const LogitsRows result, source_->Run(job));
    const auto vocab = static_cast<size_t>(config_.vocab_size);
    const auto row = [&](int64_t position) {
      return std::span(result.logits).subspan(static_cast<size_t>(position) * vocab, vocab);
    };
    Json& logits = out["logits"] = Json::array();
    for (const int64_t position : positions) logits.push_back(FloatsJson(row(position)));
    out["generated"] = IdsJson(result.generated);
    Json& top = out["top"] = Json::array();
    for (int32_t i = 0; i < job.num_generate; ++i) top.push_back(TopOf(row(prompt - 1 + i)));
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<LogitsJob> JobOf(const Json& in) const {
    LogitsJob job;
    ATOLL_ASSIGN_OR_RETURN(job.ids, TokenIdsField(in, "ids", config_.vocab_size));
    if (job.ids.empty()) return InvalidArgument("ids: an empty list; give at least one id");
    ATOLL_ASSIGN_OR_RETURN(const int64_t chunk, IntegerField(in, "chunk", {1, kChunkMax}, kChunk));
    const int64_t context = std::min<int64_t>(config_.context_length(), 1 << 24);
    const int64_t prompt = static_cast<int64_t>(job.ids.size());
    if (prompt >= context) {
      return InvalidArgument("ids: {} of them, the context of {} tokens has room for one less",
                             prompt, context);
    }
    ATOLL_ASSIGN_OR_RETURN(const int64_t generate,
                           IntegerField(in, "generate", {0, context - prompt}, 0));
    job.chunk = static_cast<int32_t>(chunk);
    job.num_generate = static_cast<int32_t>(generate);
    const int64_t floats = (prompt + generate) * config_.vocab_size;
    if (floats > kFloatsRunMax) {
      return InvalidArgument(
          "ids: {} positions of {} logits each are more than the {} numbers allowed; give fewer",
          prompt + generate, config_.vocab_size, kFloatsRunMax);
    }
    return job;
  }

  absl::StatusOr<std::vector<int64_t>> PositionsOf(const Json& in, int64_t prompt,
                                                   int64_t rows) const {
    std::vector<int64_t> positions(static_cast<size_t>(prompt));
    std::iota(positions.begin(), positions.end(), 0);
    if (FindField(in, "positions") != nullptr) {
      ATOLL_ASSIGN_OR_RETURN(positions, IntegersField(in, "positions", {0, rows - 1}));
    }
    const auto floats = static_cast<int64_t>(positions.size()) * config_.vocab_size;
    if (floats > kFloatsReportedMax) {
      return InvalidArgument(
          "positions: {} rows of {} logits are more than the {} numbers allowed in an answer; give "
          "fewer",
          positions.size(), config_.vocab_size, kFloatsReportedMax);
    }
    return positions;
  }

  absl::Status CheckYarn(const Json& in) const {
    ATOLL_ASSIGN_OR_RETURN(const double factor,
                           NumberField(in, "yarn_factor", config_.rope.factor));
    if (factor == config_.rope.factor) return absl::OkStatus();
    return Unimplemented(
        "yarn_factor: {} is not the checkpoint's own {}; a factor for each request is not there "
        "yet",
        factor, config_.rope.factor);
  }

  const ModelConfig config_;
  const std::unique_ptr<LogitsSource> source_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Kind>> MakeLogits(const CheckFlags& flags) {
  if (flags.model.empty()) {
    return InvalidArgument("logits needs a model: give --model DIR, the folder of a checkpoint");
  }
  ATOLL_ASSIGN_OR_RETURN(const ModelConfig config, LoadModelConfig(flags.model));
  ATOLL_ASSIGN_OR_RETURN(auto source, flags.processes > 0 ? MakeProcessLogits(flags, config)
                                                          : MakeLocalLogits(flags, config));
  return std::make_unique<Logits>(config, std::move(source));
}

}  // namespace atl::tools
