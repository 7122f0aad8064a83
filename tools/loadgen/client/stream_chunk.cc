#include "tools/loadgen/client/stream_chunk.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/text/printable.h"

namespace atl::tools {
namespace {

constexpr size_t kDepthMax = 64;
constexpr size_t kChoicesMax = 1024;

// Where in a chunk the reader stands; kOther is what nobody asks for.
enum class Place { kChunk, kChoices, kChoice, kDelta, kUsage, kError, kOther };

// The parser's calls in the order of the text. Only the names that count are looked at.
class ChunkReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  StreamChunk chunk;
  std::string mistake;

  bool null() override { return CheckRoot(); }
  bool boolean(bool) override { return CheckRoot(); }
  bool number_integer(int64_t value) override { return OnNumber(value); }
  bool number_unsigned(uint64_t value) override { return OnNumber(static_cast<int64_t>(value)); }
  bool number_float(double, const std::string&) override { return CheckRoot(); }
  bool binary(binary_t&) override { return CheckRoot(); }

  bool string(std::string& value) override {
    if (places_.empty()) return CheckRoot();
    if (std::string* wanted = TextAtKey()) *wanted = std::move(value);
    return true;
  }

  bool key(std::string& name) override {
    key_.swap(name);
    return true;
  }

  bool start_object(size_t) override {
    if (places_.empty()) return Enter(Place::kChunk);
    if (places_.back() == Place::kChunk && key_ == "usage") {
      chunk.usage.emplace();
      return Enter(Place::kUsage);
    }
    if (places_.back() == Place::kChunk && key_ == "error") {
      chunk.error.emplace();
      return Enter(Place::kError);
    }
    if (places_.back() == Place::kChoices) {
      if (chunk.choices.size() == kChoicesMax) return Fail("more than 1024 choices");
      chunk.choices.emplace_back();
      return Enter(Place::kChoice);
    }
    return Enter(places_.back() == Place::kChoice && key_ == "delta" ? Place::kDelta
                                                                     : Place::kOther);
  }
  bool start_array(size_t) override {
    if (places_.empty()) return CheckRoot();
    return Enter(places_.back() == Place::kChunk && key_ == "choices" ? Place::kChoices
                                                                      : Place::kOther);
  }
  bool end_object() override { return Leave(); }
  bool end_array() override { return Leave(); }

  bool parse_error(size_t byte, const std::string&, const nlohmann::detail::exception&) override {
    return Fail(fmt::format("no JSON from byte {}", byte));
  }

 private:
  bool Fail(std::string what) {
    mistake = std::move(what);
    return false;
  }
  // Where the text of key_ goes; null: nobody asks for it.
  std::string* TextAtKey() {
    const bool is_error_text = places_.back() == Place::kError
                                   ? key_ == "message"
                                   : places_.back() == Place::kChunk && key_ == "error";
    if (is_error_text) return &chunk.error.emplace();
    if (places_.back() == Place::kChoice) {
      if (key_ == "text") return &chunk.choices.back().content;
      if (key_ == "finish_reason") return &chunk.choices.back().finish_reason;
    }
    if (places_.back() == Place::kDelta) {
      if (key_ == "content") return &chunk.choices.back().content;
      if (key_ == "reasoning_content" || key_ == "reasoning")
        return &chunk.choices.back().reasoning;
      if (key_ == "role") return &chunk.choices.back().role;
    }
    return nullptr;
  }
  bool CheckRoot() { return !places_.empty() || Fail("no JSON object"); }
  bool Enter(Place place) {
    if (places_.size() == kDepthMax) return Fail("more than 64 levels deep");
    places_.push_back(place);
    return true;
  }
  bool Leave() {
    places_.pop_back();
    return true;
  }
  bool OnNumber(int64_t value) {
    if (places_.empty()) return CheckRoot();
    if (places_.back() == Place::kChoice && key_ == "index") chunk.choices.back().index = value;
    if (places_.back() == Place::kUsage) {
      if (key_ == "prompt_tokens") chunk.usage->prompt_tokens = value;
      if (key_ == "completion_tokens") chunk.usage->completion_tokens = value;
      if (key_ == "total_tokens") chunk.usage->total_tokens = value;
    }
    return true;
  }

  std::vector<Place> places_;
  std::string key_;
};

}  // namespace

absl::StatusOr<StreamChunk> ParseStreamChunk(std::string_view json) {
  ChunkReader reader;
  if (!nlohmann::json::sax_parse(json.begin(), json.end(), &reader)) {
    return DataLoss("an event of the stream is {}: {}", reader.mistake, Printable(json));
  }
  return std::move(reader.chunk);
}

}  // namespace atl::tools
