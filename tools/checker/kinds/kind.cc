#include "tools/checker/kinds/kind.h"

#include <utility>

namespace atl::tools {
namespace {

// Stands where a room of Atoll does not exist yet.
class Absent : public Kind {
 public:
  explicit Absent(std::string why) : why_(std::move(why)) {}
  absl::Status Answer(const Json&, const std::string&, Json&) override {
    return Unimplemented("{}", why_);
  }

 private:
  const std::string why_;
};

template <const char* kWhy>
absl::StatusOr<std::unique_ptr<Kind>> MakeAbsent(const CheckFlags&) {
  return std::make_unique<Absent>(kWhy);
}

constexpr char kNoOutput[] = "output: tool calls are not split from answers yet";
constexpr char kNoPlace[] = "place: experts have no replicas yet, and are not rebalanced";

struct Entry {
  const char* name;
  absl::StatusOr<std::unique_ptr<Kind>> (*make)(const CheckFlags&);
};
constexpr Entry kEntries[] = {
    {"tokenize", MakeTokenize},      {"detokenize", MakeDetokenize},
    {"template", MakeTemplate},      {"yarn", MakeYarn},
    {"sample", MakeSample},          {"load", MakeLoad},
    {"logits", MakeLogits},          {"output", MakeAbsent<kNoOutput>},
    {"place", MakeAbsent<kNoPlace>}, {"request", MakeRequest},
};

}  // namespace

absl::StatusOr<std::unique_ptr<Kind>> MakeKind(const CheckFlags& flags) {
  std::string names;
  for (const Entry& entry : kEntries) {
    if (flags.kind == entry.name) return entry.make(flags);
    names += names.empty() ? entry.name : std::string(", ") + entry.name;
  }
  return InvalidArgument("'{}' is no kind of question; give one of {}", flags.kind, names);
}

}  // namespace atl::tools
