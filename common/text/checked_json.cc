#include "common/text/checked_json.h"

#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

#include "common/base/status_macros.h"
#include "common/text/printable.h"

namespace atl {
namespace {

using Json = nlohmann::json;

// Sees the text as events, so that its errors are found before memory is spent on a tree.
class Validator : public nlohmann::json_sax<Json> {
 public:
  const absl::Status& status() const { return status_; }

  bool null() override { return InObject(); }
  bool boolean(bool) override { return InObject(); }
  bool number_integer(number_integer_t) override { return InObject(); }
  bool number_unsigned(number_unsigned_t) override { return InObject(); }
  bool number_float(number_float_t, const string_t&) override { return InObject(); }
  bool binary(binary_t&) override { return InObject(); }
  bool string(string_t&) override { return InObject(); }
  bool start_array(size_t) override { return InObject(); }
  bool end_array() override { return true; }
  bool start_object(size_t) override {
    keys_.emplace_back();
    return true;
  }
  bool end_object() override {
    keys_.pop_back();
    return true;
  }
  bool key(string_t& value) override {
    if (keys_.back().insert(value).second) return true;
    status_ = InvalidArgument("{} is named twice; keep one of them", Printable(value));
    return false;
  }
  bool parse_error(size_t position, const std::string&, const Json::exception& error) override {
    constexpr int kNumberOutOfRange = 406;
    status_ =
        error.id == kNumberOutOfRange
            ? InvalidArgument("the number that ends at byte {} is too large; correct it", position)
            : InvalidArgument("not a JSON object: byte {} is wrong; copy the file again", position);
    return false;
  }

 private:
  bool InObject() {
    if (!keys_.empty()) return true;
    status_ = InvalidArgument("not a JSON object; copy the file again");
    return false;
  }

  std::vector<std::set<std::string>> keys_;  // of the open objects
  absl::Status status_;
};

// The quote that closes the string opened at `begin`, or the end of the text.
size_t EndOfString(std::string_view text, size_t begin) {
  for (size_t at = begin + 1; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      return at;
    }
  }
  return text.size();
}

}  // namespace

absl::Status CheckJsonLimits(std::string_view text, const JsonLimits& limits) {
  size_t depth = 0;
  size_t values = 1;
  size_t token_begin = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"') {
      token_begin = at;
      at = EndOfString(text, at);
    } else if (c == ',' || c == ':' || c == '[' || c == ']' || c == '{' || c == '}' || c == ' ' ||
               c == '\t' || c == '\n' || c == '\r') {
      token_begin = at + 1;
    }
    if (at >= token_begin && at - token_begin > limits.token_bytes_max) {
      return InvalidArgument("the text or number at byte {} is longer than {} bytes; shorten it",
                             token_begin, limits.token_bytes_max);
    }
    if (c == '[' || c == '{') ++depth;
    if ((c == ']' || c == '}') && depth > 0) --depth;
    if (c == '[' || c == '{' || c == ',') ++values;
    if (depth > limits.depth_max) {
      return InvalidArgument("nested deeper than {} at byte {}; remove what does not belong there",
                             limits.depth_max, at);
    }
    if (values > limits.values_max) {
      return InvalidArgument("more than {} values at byte {}; remove what does not belong there",
                             limits.values_max, at);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Json> ParseJsonObject(std::string_view text, const JsonLimits& limits) {
  ATOLL_RETURN_IF_ERROR(CheckJsonLimits(text, limits));
  Validator validator;
  if (!Json::sax_parse(text, &validator)) return validator.status();
  return Json::parse(text, nullptr, /*allow_exceptions=*/false);
}

}  // namespace atl
