#include "tools/verify_checkpoint/evidence/report.h"

#include <algorithm>
#include <ostream>
#include <utility>

namespace atl::tools {
namespace {

constexpr size_t kShownMax = 10;

}  // namespace

void Report::BeginSection(std::string_view title) { out_ << title << std::endl; }

void Report::Say(std::string_view fact) { out_ << "  " << fact << std::endl; }

void Report::Find(std::string_view kind, std::string sentence) {
  auto it = std::find_if(kinds_.begin(), kinds_.end(),
                         [&](const Kind& known) { return known.name == kind; });
  if (it == kinds_.end()) it = kinds_.insert(kinds_.end(), Kind{std::string(kind), {}, 0});
  ++it->count;
  ++num_findings_;
  if (it->first.size() < kShownMax) it->first.push_back(std::move(sentence));
}

void Report::EndSection() {
  for (const Kind& kind : kinds_) {
    out_ << "  FOUND " << kind.name << ": " << kind.count << '\n';
    for (const std::string& sentence : kind.first) out_ << "    " << sentence << '\n';
    const auto shown = static_cast<int>(kind.first.size());
    if (kind.count > shown) out_ << "    and " << kind.count - shown << " more\n";
  }
  out_ << std::flush;
  kinds_.clear();
}

}  // namespace atl::tools
