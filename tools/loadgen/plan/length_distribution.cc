#include "tools/loadgen/plan/length_distribution.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>
#include <vector>

#include "common/text/printable.h"

namespace atl::tools {
namespace {

constexpr double kLengthMax = 1'000'000;
constexpr double kSigmaMax = 10;

bool IsLength(double value) {
  return value >= 1 && value <= kLengthMax && value == std::floor(value);
}

// The numbers between commas; empty where one is none.
std::vector<double> NumbersOf(std::string_view text) {
  std::vector<double> numbers;
  while (true) {
    const size_t comma = std::min(text.find(','), text.size());
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + comma, number);
    if (error != std::errc() || end != text.data() + comma) return {};
    numbers.push_back(number);
    if (comma == text.size()) return numbers;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace

absl::StatusOr<LengthDistribution> LengthDistribution::Parse(const std::string& text) {
  const size_t colon = std::min(text.find(':'), text.size());
  const std::string kind = text.substr(0, colon);
  const std::vector<double> numbers = colon < text.size()
                                          ? NumbersOf(std::string_view(text).substr(colon + 1))
                                          : std::vector<double>();
  LengthDistribution lengths;
  bool fits = false;
  if (kind == "fixed") {
    lengths.kind_ = Kind::kFixed;
    fits = numbers.size() == 1 && IsLength(numbers[0]);
  } else if (kind == "uniform") {
    lengths.kind_ = Kind::kUniform;
    fits = numbers.size() == 2 && IsLength(numbers[0]) && IsLength(numbers[1]) &&
           numbers[0] <= numbers[1];
  } else if (kind == "lognormal") {
    lengths.kind_ = Kind::kLognormal;
    fits = numbers.size() == 2 && numbers[0] >= 1 && numbers[0] <= kLengthMax && numbers[1] >= 0 &&
           numbers[1] <= kSigmaMax;
  }
  if (!fits) {
    return InvalidArgument(
        "{} is no distribution of lengths; give fixed:N, uniform:A,B or lognormal:MEDIAN,SIGMA "
        "with lengths from 1 to 1000000",
        Printable(text));
  }
  lengths.first_ = numbers[0];
  if (numbers.size() == 2) lengths.second_ = numbers[1];
  return lengths;
}

int64_t LengthDistribution::Sample(Draws& draws) const {
  switch (kind_) {
    case Kind::kFixed:
      return static_cast<int64_t>(first_);
    case Kind::kUniform:
      return static_cast<int64_t>(first_) +
             static_cast<int64_t>(draws.Below(static_cast<uint64_t>(second_ - first_) + 1));
    case Kind::kLognormal:
      return static_cast<int64_t>(
          std::clamp(std::round(first_ * std::exp(second_ * draws.Normal())), 1.0, kLengthMax));
  }
  return 1;
}

}  // namespace atl::tools
