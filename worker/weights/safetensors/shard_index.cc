#include "worker/weights/safetensors/shard_index.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/status_macros.h"
#include "common/config/file.h"
#include "common/text/checked_json.h"
#include "common/text/printable.h"

namespace atl::worker {
namespace {

using Json = nlohmann::json;

// The index of the largest checkpoint in use names 190,000 tensors in 20 MB.
constexpr size_t kIndexBytesMax = size_t{64} << 20;
constexpr JsonLimits kIndexLimits = {
    .depth_max = 8, .values_max = 1 << 19, .token_bytes_max = 1 << 16};
constexpr size_t kFileNameBytesMax = 255;  // as file systems have it

// A name in the same folder, and one that a message can show.
bool IsFileName(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.size() <= kFileNameBytesMax &&
         name.find('/') == std::string::npos && Printable(name, kFileNameBytesMax) == name;
}

// Keeps weight_map and the total size, passes over the rest.
class IndexReader : public nlohmann::json_sax<Json> {
 public:
  absl::Status status;
  ShardIndex index;
  bool has_weight_map = false;

  bool null() override { return Value(); }
  bool boolean(bool) override { return Value(); }
  bool number_integer(number_integer_t) override { return Value(); }
  bool number_unsigned(number_unsigned_t value) override {
    if (is_total_size_ && depth_ == 2) index.total_bytes = value;
    return Value();
  }
  bool number_float(number_float_t, const string_t&) override { return Value(); }
  bool binary(binary_t&) override { return Value(); }
  bool string(string_t& file) override {
    if (!in_weight_map_ || depth_ != 2) return Value();
    if (!IsFileName(file)) return NoFileName();
    index.file_of[name_] = std::move(file);
    return true;
  }
  bool key(string_t& value) override {
    if (depth_ == 1) {
      in_weight_map_ = value == "weight_map";
      in_metadata_ = value == "metadata";
      if (in_weight_map_ && std::exchange(has_weight_map, true)) {
        return Fail(DataLoss("weight_map stands twice; copy the file again"));
      }
    }
    is_total_size_ = in_metadata_ && depth_ == 2 && value == "total_size";
    if (!in_weight_map_ || depth_ != 2) return true;
    name_ = std::move(value);
    if (!index.file_of.contains(name_)) return true;
    return Fail(DataLoss("tensor {}: stands twice; copy the file again", Printable(name_)));
  }
  bool start_object(size_t) override { return (depth_ == 1 || Value()) && Open(); }
  bool start_array(size_t) override { return Value() && Open(); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }
  bool parse_error(size_t position, const std::string&, const Json::exception&) override {
    return Fail(DataLoss("not a JSON object: byte {} is wrong; copy the file again", position));
  }

 private:
  bool Fail(absl::Status why) {
    status = std::move(why);
    return false;
  }
  bool NoFileName() {
    return Fail(DataLoss("tensor {}: its file must be a name in the same folder; correct it",
                         Printable(name_)));
  }
  // A value where only weight_map's own structure is wanted.
  bool Value() {
    if (in_weight_map_ && depth_ == 1) {
      return Fail(DataLoss("weight_map is no object; copy the file again"));
    }
    return !in_weight_map_ || depth_ != 2 || NoFileName();
  }
  bool Open() {
    ++depth_;
    return true;
  }
  bool Close() {
    --depth_;
    return true;
  }

  int depth_ = 0;
  bool in_weight_map_ = false;
  bool in_metadata_ = false;
  bool is_total_size_ = false;  // the key read last
  std::string name_;
};

absl::StatusOr<ShardIndex> ParseShardIndex(const std::string& text) {
  ATOLL_RETURN_IF_ERROR(CheckJsonLimits(text, kIndexLimits));
  IndexReader reader;
  if (!Json::sax_parse(text, &reader)) return reader.status;
  if (!reader.has_weight_map) {
    return DataLoss("expected an object with weight_map; copy the file again");
  }
  if (reader.index.file_of.empty()) return DataLoss("weight_map is empty; copy the file again");
  return std::move(reader.index);
}

}  // namespace

absl::StatusOr<ShardIndex> ReadShardIndex(const std::string& path) {
  ATOLL_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path, kIndexBytesMax));
  absl::StatusOr<ShardIndex> index = ParseShardIndex(text);
  if (!index.ok()) return Annotate(index.status(), path);
  return index;
}

}  // namespace atl::worker
