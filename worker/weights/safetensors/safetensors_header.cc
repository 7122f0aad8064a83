#include "worker/weights/safetensors/safetensors_header.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>
#include <utility>

#include "common/base/status_macros.h"
#include "common/text/checked_json.h"
#include "common/text/printable.h"

namespace atl::worker {
namespace {

using Json = nlohmann::json;

constexpr size_t kTensorsMax = size_t{1} << 18;
constexpr uint64_t kTensorBytesMax = uint64_t{1} << 48;
constexpr uint64_t kDimensionMax = uint64_t{1} << 40;
constexpr size_t kRankMax = 8;
// An entry has an object, a type, two lists and what they hold; depth leaves room for fields that
// are not ours.
constexpr JsonLimits kHeaderLimits = {
    .depth_max = 8, .values_max = kTensorsMax * (kRankMax + 8), .token_bytes_max = size_t{8} << 20};

std::optional<uint64_t> ElementBytes(std::string_view dtype) {
  static constexpr std::pair<std::string_view, uint64_t> kSizes[] = {
      {"F64", 8}, {"I64", 8},  {"U64", 8},  {"F32", 4},     {"I32", 4},
      {"U32", 4}, {"BF16", 2}, {"F16", 2},  {"I16", 2},     {"U16", 2},
      {"I8", 1},  {"U8", 1},   {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};
  for (const auto& [name, size] : kSizes) {
    if (dtype == name) return size;
  }
  return std::nullopt;
}

// Receives the header as events and keeps what the format knows, so that no text, however made,
// costs more memory than the tensors it names.
class HeaderReader : public nlohmann::json_sax<Json> {
 public:
  HeaderReader(const std::byte* data, uint64_t data_bytes) : data_(data), data_bytes_(data_bytes) {}

  absl::Status status;
  StoredTensors tensors;

  bool null() override { return Scalar("null"); }
  bool boolean(bool value) override { return Scalar(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return Scalar(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override {
    return Scalar(Printable(text, 40));
  }
  bool binary(binary_t&) override { return Scalar("binary"); }
  bool number_unsigned(number_unsigned_t value) override {
    if (depth_ == 3 && field_ == Field::kShape) return Dimension(value);
    if (depth_ == 3 && field_ == Field::kOffsets) {
      if (num_offsets_ < 2) offsets_[num_offsets_] = value;
      ++num_offsets_;
      return true;
    }
    return Scalar(std::to_string(value));
  }
  bool string(string_t& value) override {
    if (depth_ == 2 && in_metadata_) return true;
    if (depth_ == 2 && field_ == Field::kDtype) {
      dtype_ = std::move(value);
      return true;
    }
    return Scalar("\"" + Printable(value, 40) + "\"");
  }
  bool key(string_t& value) override {
    if (depth_ == 1) return Name(value);
    if (depth_ == 2 && !in_metadata_) return EntryField(value);
    return true;
  }
  bool start_object(size_t) override {
    if (depth_ >= 2 && (in_metadata_ || field_ != Field::kOther)) return Misplaced("an object");
    return Open();
  }
  bool end_object() override { return --depth_ != 1 || in_metadata_ || Finish(); }
  bool start_array(size_t) override {
    const bool fits = depth_ == 2 ? !in_metadata_ && field_ != Field::kDtype : depth_ > 3;
    if (!fits && !(depth_ == 3 && field_ == Field::kOther)) return Misplaced("a list");
    return Open();
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(size_t position, const std::string&, const Json::exception&) override {
    return Fail(DataLoss("its header is not a JSON object: byte {} is wrong; copy the file again",
                         position));
  }

 private:
  enum class Field { kOther, kDtype, kShape, kOffsets };

  bool Fail(absl::Status why) {
    status = std::move(why);
    return false;
  }
  template <typename... Args>
  bool FailTensor(fmt::format_string<Args...> format, Args&&... args) {
    return Fail(DataLoss("tensor {}: {}; copy the file again or make it anew", Printable(name_),
                         fmt::format(format, std::forward<Args>(args)...)));
  }
  bool Misplaced(const std::string& found) {
    if (depth_ == 0) {
      return Fail(DataLoss("its header is not a JSON object; copy the file again"));
    }
    if (in_metadata_) {
      return Fail(
          DataLoss("__metadata__ holds {}, only texts belong there; make the file anew", found));
    }
    if (depth_ == 3 && field_ == Field::kShape) return FailTensor("a dimension is {}", found);
    if (depth_ == 3 && field_ == Field::kOffsets) return NoOffsets();
    return Incomplete();
  }
  bool NoOffsets() { return FailTensor("data_offsets are not two ascending numbers"); }
  bool Incomplete() { return FailTensor("expected dtype, shape and two data_offsets"); }

  // A value that is neither list nor object: passed over in fields that are not ours.
  bool Scalar(const std::string& found) {
    if (depth_ >= 2 && !in_metadata_ && field_ == Field::kOther) return true;
    return Misplaced(found);
  }
  bool Open() {
    ++depth_;
    return true;
  }
  bool Name(std::string& value) {
    name_ = std::move(value);
    in_metadata_ = name_ == "__metadata__";
    if (in_metadata_ ? has_metadata_ : tensors.contains(name_)) return FailTensor("named twice");
    has_metadata_ = has_metadata_ || in_metadata_;
    if (!in_metadata_ && tensors.size() == kTensorsMax) {
      return Fail(DataLoss("more than {} tensors; split the checkpoint", kTensorsMax));
    }
    field_ = Field::kOther;
    dtype_.clear();
    shape_.clear();
    num_offsets_ = 0;
    has_dtype_ = has_shape_ = has_offsets_ = false;
    return true;
  }
  bool EntryField(const std::string& key) {
    field_ = Field::kOther;
    bool* seen = nullptr;
    if (key == "dtype") std::tie(field_, seen) = std::pair(Field::kDtype, &has_dtype_);
    if (key == "shape") std::tie(field_, seen) = std::pair(Field::kShape, &has_shape_);
    if (key == "data_offsets") std::tie(field_, seen) = std::pair(Field::kOffsets, &has_offsets_);
    if (seen == nullptr) return true;
    if (*seen) return FailTensor("{} is named twice", key);
    *seen = true;
    return true;
  }
  bool Dimension(uint64_t size) {
    if (size > kDimensionMax) return FailTensor("a dimension is {}", size);
    if (shape_.size() == kRankMax) return FailTensor("more than {} dimensions", kRankMax);
    shape_.push_back(static_cast<int64_t>(size));
    return true;
  }
  // An entry has ended.
  bool Finish() {
    if (!has_dtype_ || !has_shape_ || !has_offsets_) return Incomplete();
    std::optional<uint64_t> bytes = ElementBytes(dtype_);
    if (!bytes) return FailTensor("unknown dtype {}", Printable(dtype_, 20));
    for (const int64_t dim : shape_) {
      const auto size = static_cast<uint64_t>(dim);
      if (size != 0 && *bytes > kTensorBytesMax / size) {
        return FailTensor("its shape asks for more than 2^48 bytes");
      }
      *bytes *= size;
    }
    const auto [begin, end] = offsets_;
    if (num_offsets_ != 2 || begin > end) return NoOffsets();
    if (end > data_bytes_) {
      return FailTensor("ends at byte {} of {}: the file is truncated or its header is wrong", end,
                        data_bytes_);
    }
    if (end - begin != *bytes) {
      return FailTensor("{} bytes for a shape and dtype that need {}", end - begin, *bytes);
    }
    tensors.emplace(name_, StoredTensor{dtype_, shape_, data_ + begin, end - begin});
    return true;
  }

  const std::byte* data_;
  uint64_t data_bytes_;
  int depth_ = 0;  // 1 in the header, 2 in an entry or the metadata, 3 in an entry's list
  bool in_metadata_ = false;
  bool has_metadata_ = false;
  // The entry at hand.
  std::string name_;
  Field field_ = Field::kOther;
  std::string dtype_;
  std::vector<int64_t> shape_;
  std::array<uint64_t, 2> offsets_{};
  size_t num_offsets_ = 0;
  bool has_dtype_ = false;
  bool has_shape_ = false;
  bool has_offsets_ = false;
};

// Tensors must fill the data without gap or overlap, as the format demands.
absl::Status CheckExtents(const StoredTensors& tensors, const std::byte* data,
                          uint64_t data_bytes) {
  std::vector<const StoredTensors::value_type*> ordered;
  ordered.reserve(tensors.size());
  for (const auto& entry : tensors) ordered.push_back(&entry);
  const auto place = [&](const StoredTensors::value_type* entry) {
    const auto begin = static_cast<uint64_t>(entry->second.data - data);
    return std::tuple<uint64_t, uint64_t, const std::string&>(
        begin, begin + entry->second.size_bytes, entry->first);
  };
  std::sort(ordered.begin(), ordered.end(),
            [&](const auto* a, const auto* b) { return place(a) < place(b); });
  uint64_t at = 0;
  for (const auto* entry : ordered) {
    const auto [begin, end, name] = place(entry);
    if (begin < at) {
      return DataLoss(
          "tensor {}: overlaps the one before it (begins at {}, expected {}); make the file anew",
          Printable(name), begin, at);
    }
    if (begin > at) {
      return DataLoss("tensor {}: {} bytes before it belong to no tensor; make the file anew",
                      Printable(name), begin - at);
    }
    at = end;
  }
  if (at == data_bytes) return absl::OkStatus();
  return DataLoss("{} bytes after the last tensor belong to none; copy the file again",
                  data_bytes - at);
}

}  // namespace

absl::StatusOr<StoredTensors> ReadSafetensorsHeader(std::string_view header, const std::byte* data,
                                                    uint64_t data_bytes) {
  const absl::Status limits = CheckJsonLimits(header, kHeaderLimits);
  if (!limits.ok()) return DataLoss("its header: {}", MessageOf(limits));
  HeaderReader reader(data, data_bytes);
  if (!Json::sax_parse(header, &reader)) return reader.status;
  ATOLL_RETURN_IF_ERROR(CheckExtents(reader.tensors, data, data_bytes));
  return std::move(reader.tensors);
}

}  // namespace atl::worker
