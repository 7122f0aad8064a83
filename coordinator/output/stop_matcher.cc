#include "coordinator/output/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace atl::coordinator {

StopMatcher::StopMatcher(std::vector<std::string> stops, StopText shown) : shown_(shown) {
  for (std::string& text : stops) {
    Stop stop{.text = std::move(text), .fallback = {0, 0}};
    for (size_t n = 2; n <= stop.text.size(); ++n) {
      size_t shorter = stop.fallback[n - 1];
      while (shorter > 0 && stop.text[shorter] != stop.text[n - 1])
        shorter = stop.fallback[shorter];
      stop.fallback.push_back(stop.text[shorter] == stop.text[n - 1] ? shorter + 1 : 0);
    }
    stops_.push_back(std::move(stop));
  }
}

// True if the stop string is complete with this byte.
bool StopMatcher::Advance(Stop& stop, char byte) {
  if (stop.text.empty()) return false;
  while (stop.matched > 0 && stop.text[stop.matched] != byte)
    stop.matched = stop.fallback[stop.matched];
  if (stop.text[stop.matched] == byte) ++stop.matched;
  return stop.matched == stop.text.size();
}

std::string StopMatcher::Append(std::string_view text) {
  if (stopped()) return {};
  for (size_t i = 0; i < text.size(); ++i) {
    size_t longest = 0;
    for (size_t s = 0; s < stops_.size(); ++s) {
      if (!Advance(stops_[s], text[i]) || stops_[s].text.size() <= longest) continue;
      longest = stops_[s].text.size();
      stop_index_ = s;
    }
    if (!stopped()) continue;
    held_ += text.substr(0, i + 1);
    if (shown_ == StopText::kHidden) held_.resize(held_.size() - longest);
    return std::exchange(held_, {});
  }
  held_ += text;
  return Release();
}

std::string StopMatcher::Pass(std::string_view text) {
  for (const char byte : text) {
    for (Stop& stop : stops_) {
      if (Advance(stop, byte)) stop.matched = stop.fallback[stop.matched];
    }
  }
  held_ += text;
  return Release();
}

std::string StopMatcher::Release() {
  size_t waiting = 0;
  for (const Stop& stop : stops_) waiting = std::max(waiting, stop.matched);
  std::string out = held_.substr(0, held_.size() - waiting);
  held_.erase(0, out.size());
  return out;
}

std::string StopMatcher::Finish() { return stopped() ? std::string() : std::exchange(held_, {}); }

}  // namespace atl::coordinator
