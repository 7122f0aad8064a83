#include "tools/verify_checkpoint/checks/tensor_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "common/base/status_macros.h"
#include "tools/verify_checkpoint/evidence/vision_inventory.h"
#include "worker/weights/tensor_names.h"

namespace atl::tools {
namespace {

using Kind = worker::ExpectedTensor::Kind;

// docs/model.md 2.1, 2.2.
constexpr size_t kPublishedTensors = 1045, kPublishedFp8Tensors = 64196;
constexpr uint64_t kPublishedBytes = 71'903'645'408;

std::string ShapeText(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

bool HasFp8(const StoredCheckpoint& stored) {
  return std::any_of(stored.tensors.begin(), stored.tensors.end(),
                     [](const auto& entry) { return entry.second.tensor->dtype == "F8_E4M3"; });
}

bool HasFusedExperts(const StoredCheckpoint& stored) {
  return std::any_of(stored.tensors.begin(), stored.tensors.end(), [](const auto& entry) {
    return entry.first.ends_with("mlp.experts.gate_up_proj");
  });
}

worker::StoredForm FormOf(const StoredCheckpoint& stored) {
  if (HasFp8(stored)) return worker::StoredForm::kFp8;
  return HasFusedExperts(stored) ? worker::StoredForm::kFused : worker::StoredForm::kOneByOne;
}

// The type of the tables and matrices: that of the embedding.
std::string MainType(const StoredCheckpoint& stored) {
  for (const auto& [name, located] : stored.tensors) {
    if (worker::CanonicalName(name) == "embed_tokens.weight") return located.tensor->dtype;
  }
  return "BF16";
}

std::vector<std::string> TypesOf(Kind kind, const std::string& main_type) {
  switch (kind) {
    case Kind::kFp8Matrix:
      return {"F8_E4M3"};
    case Kind::kFp8Scales:
      return {"BF16", "F32"};
    case Kind::kPlain:
      return {main_type, "F32"};
    case Kind::kMatrix:
      return {main_type};
  }
  return {};
}

class TensorChecker {
 public:
  TensorChecker(const StoredCheckpoint& stored, Report& report)
      : stored_(stored), report_(report), main_type_(MainType(stored)) {
    for (const auto& [name, located] : stored.tensors)
      by_canonical_[worker::CanonicalName(name)] = name;
    for (const std::string& name : stored.unreadable)
      unreadable_.insert(worker::CanonicalName(name));
  }

  void Check(const worker::ExpectedTensor& expected) {
    const std::string canonical = worker::CanonicalName(expected.name);
    expected_.insert(canonical);
    if (unreadable_.contains(canonical)) return;
    const auto it = by_canonical_.find(canonical);
    if (it == by_canonical_.end()) {
      report_.Find("missing tensors", fmt::format("{} {}: in no file; copy the checkpoint again",
                                                  expected.name, ShapeText(expected.shape)));
      return;
    }
    const LocatedTensor& found = stored_.tensors.at(it->second);
    if (found.tensor->shape != expected.shape) {
      report_.Find("tensors of another shape",
                   fmt::format("{}: {} in {}, config.json asks for {}; take both from one release",
                               it->second, ShapeText(found.tensor->shape), found.file->path(),
                               ShapeText(expected.shape)));
    }
    const std::vector<std::string> types = TypesOf(expected.kind, main_type_);
    if (std::find(types.begin(), types.end(), found.tensor->dtype) == types.end()) {
      report_.Find("tensors of another type",
                   fmt::format("{}: {} in {}, expected {}; use an unmodified release", it->second,
                               found.tensor->dtype, found.file->path(), fmt::join(types, " or ")));
    }
  }

  void CheckNothingElse() {
    for (const auto& [canonical, name] : by_canonical_) {
      if (expected_.contains(canonical)) continue;
      report_.Find("unexpected tensors",
                   fmt::format("{} in {}: config.json describes a model without it; take both from "
                               "one release",
                               name, stored_.tensors.at(name).file->path()));
    }
  }

  const std::string& main_type() const { return main_type_; }

 private:
  const StoredCheckpoint& stored_;
  Report& report_;
  const std::string main_type_;
  std::map<std::string, std::string> by_canonical_;  // → stored name
  std::set<std::string> unreadable_, expected_;      // canonical
};

// An entry of modules_to_not_convert covers a module of this name and what is inside.
bool Covers(std::string_view entry, std::string_view module) {
  return module == entry || (module.starts_with(entry) && module[entry.size()] == '.');
}

void CheckQuantisation(const StoredCheckpoint& stored, const ModelConfig& config, Report& report) {
  const bool says_fp8 = config.quantisation == Quantisation::kFp8Block128, has_fp8 = HasFp8(stored);
  if (says_fp8 != has_fp8) {
    report.Find("contradictions",
                fmt::format("config.json {} quantization_config, {} tensor is F8_E4M3; take both "
                            "from one release",
                            says_fp8 ? "has" : "has no", has_fp8 ? "a" : "no"));
  }
  constexpr std::string_view kSuffix = ".weight";
  for (const auto& [name, located] : stored.tensors) {
    if (located.tensor->dtype != "F8_E4M3" || !name.ends_with(kSuffix)) continue;
    const std::string_view module = std::string_view(name).substr(0, name.size() - kSuffix.size());
    for (const std::string& entry : config.modules_to_not_convert) {
      if (!Covers(entry, module)) continue;
      report.Find("contradictions",
                  fmt::format("{} is F8_E4M3 though modules_to_not_convert lists {}; correct "
                              "config.json",
                              name, entry));
    }
  }
}

bool CountsArePublished(const StoredCheckpoint& stored) {
  return (stored.tensors.size() == kPublishedTensors && stored.tensor_bytes == kPublishedBytes) ||
         (stored.tensors.size() == kPublishedFp8Tensors && HasFp8(stored));
}

void SayCounts(const StoredCheckpoint& stored, const std::string& main_type, Release release,
               Report& report) {
  size_t num_mtp = 0, num_vision = 0;
  for (const auto& [name, located] : stored.tensors) {
    const std::string canonical = worker::CanonicalName(name);
    num_mtp += worker::IsMtpTensor(canonical) ? 1 : 0;
    num_vision += worker::IsVisionTensor(canonical) ? 1 : 0;
  }
  const worker::StoredForm form = FormOf(stored);
  report.Say(fmt::format(
      "{}, experts {}{}", main_type, form == worker::StoredForm::kFused ? "fused" : "one by one",
      form == worker::StoredForm::kFp8 ? ", linear layers F8_E4M3 with scales" : ""));
  report.Say(fmt::format("MTP layer: {}; vision tower: {} (both are skipped when serving)",
                         num_mtp == 0 ? "absent" : fmt::format("{} tensors", num_mtp),
                         num_vision == 0 ? "absent" : fmt::format("{} tensors", num_vision)));
  report.Say(release == Release::kPublished
                 ? "as many tensors as the published Qwen3.6-35B-A3B has"
                 : fmt::format("not the published Qwen3.6-35B-A3B ({} tensors of {} bytes; FP8 {})",
                               kPublishedTensors, kPublishedBytes, kPublishedFp8Tensors));
}

}  // namespace

absl::StatusOr<std::vector<worker::ExpectedTensor>> ExpectedOf(const StoredCheckpoint& stored,
                                                               const ModelConfig& config,
                                                               const std::string& config_text) {
  const worker::StoredForm form = FormOf(stored);
  ModelConfig with_head = config;  // a head in the files is used even where the config ties it
  if (stored.HasAny("lm_head.weight")) with_head.tie_word_embeddings = false;
  ATOLL_ASSIGN_OR_RETURN(std::vector<worker::ExpectedTensor> expected,
                         worker::TrunkInventory(with_head, form));
  const auto add = [&](const std::vector<worker::ExpectedTensor>& more) {
    expected.insert(expected.end(), more.begin(), more.end());
  };
  if (stored.HasAny("mtp.")) {
    ATOLL_ASSIGN_OR_RETURN(const std::vector<worker::ExpectedTensor> mtp,
                           worker::MtpInventory(config, form));
    add(mtp);
  }
  if (stored.HasAny("visual.")) {
    ATOLL_ASSIGN_OR_RETURN(const std::vector<worker::ExpectedTensor> vision,
                           VisionInventory(config_text));
    add(vision);
  }
  return expected;
}

Release CheckTensors(const StoredCheckpoint& stored,
                     const std::vector<worker::ExpectedTensor>& expected, const ModelConfig& config,
                     Report& report) {
  const int before = report.num_findings();
  TensorChecker checker(stored, report);
  for (const worker::ExpectedTensor& tensor : expected) checker.Check(tensor);
  checker.CheckNothingElse();
  CheckQuantisation(stored, config, report);
  const bool all_fit = report.num_findings() == before && stored.unreadable.empty();
  const Release release =
      all_fit && CountsArePublished(stored) ? Release::kPublished : Release::kAnother;
  SayCounts(stored, checker.main_type(), release, report);
  return release;
}

}  // namespace atl::tools
