#include "worker/weights/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "common/base/status_macros.h"

namespace atl {
namespace {

using Json = nlohmann::json;

constexpr uint64_t kHeaderBytesMax = uint64_t{64} << 20;
constexpr uint64_t kTensorsMax = 1u << 20;
constexpr uint64_t kTensorBytesMax = uint64_t{1} << 48;
constexpr size_t kRankMax = 8;

std::optional<uint64_t> ElementBytes(const std::string& dtype) {
  static const std::pair<const char*, uint64_t> kSizes[] = {
      {"F64", 8}, {"I64", 8},  {"U64", 8},  {"F32", 4},     {"I32", 4},
      {"U32", 4}, {"BF16", 2}, {"F16", 2},  {"I16", 2},     {"U16", 2},
      {"I8", 1},  {"U8", 1},   {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};
  for (const auto& [name, size] : kSizes) {
    if (dtype == name) return size;
  }
  return std::nullopt;
}

// A whole number without sign, or nothing.
std::optional<uint64_t> Unsigned(const Json& value) {
  if (value.is_number_unsigned()) return value.get<uint64_t>();
  return std::nullopt;
}

struct Extent {
  uint64_t begin;
  uint64_t end;
  std::string name;
};

// Reads one entry of the header. `data_bytes` is what follows the header.
absl::StatusOr<std::pair<StoredTensor, Extent>> ReadEntry(const std::string& name,
                                                          const Json& entry, uint64_t data_bytes) {
  if (!entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string() ||
      !entry.contains("shape") || !entry["shape"].is_array() || !entry.contains("data_offsets") ||
      !entry["data_offsets"].is_array() || entry["data_offsets"].size() != 2) {
    return DataLoss("tensor {}: expected dtype, shape and two data_offsets", name);
  }
  StoredTensor tensor;
  tensor.dtype = entry["dtype"].get<std::string>();
  const std::optional<uint64_t> element_bytes = ElementBytes(tensor.dtype);
  if (!element_bytes)
    return DataLoss("tensor {}: unknown dtype {}", name, tensor.dtype.substr(0, 20));
  if (entry["shape"].size() > kRankMax)
    return DataLoss("tensor {}: {} dimensions, at most {}", name, entry["shape"].size(), kRankMax);
  uint64_t bytes = *element_bytes;
  for (const Json& dim : entry["shape"]) {
    const std::optional<uint64_t> size = Unsigned(dim);
    if (!size || *size > uint64_t{1} << 40)
      return DataLoss("tensor {}: a dimension is {}", name, dim.dump().substr(0, 40));
    tensor.shape.push_back(static_cast<int64_t>(*size));
    if (*size != 0 && bytes > kTensorBytesMax / *size) {
      return DataLoss("tensor {}: its shape asks for more than 2^48 bytes", name);
    }
    bytes *= *size;
  }
  const std::optional<uint64_t> begin = Unsigned(entry["data_offsets"][0]);
  const std::optional<uint64_t> end = Unsigned(entry["data_offsets"][1]);
  if (!begin || !end || *begin > *end)
    return DataLoss("tensor {}: data_offsets are not two ascending numbers", name);
  if (*end > data_bytes) {
    return DataLoss(
        "tensor {}: ends at byte {} of {}: the file is truncated or its header is wrong", name,
        *end, data_bytes);
  }
  if (*end - *begin != bytes) {
    return DataLoss("tensor {}: {} bytes for a shape and dtype that need {}", name, *end - *begin,
                    bytes);
  }
  tensor.size_bytes = *end - *begin;
  return std::make_pair(std::move(tensor), Extent{*begin, *end, name});
}

// Tensors must fill the data without gap or overlap, as the format demands.
absl::Status CheckExtents(std::vector<Extent> extents, uint64_t data_bytes) {
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  uint64_t at = 0;
  for (const Extent& extent : extents) {
    if (extent.begin < at)
      return DataLoss("tensor {}: overlaps the one before it (begins at {}, expected {})",
                      extent.name, extent.begin, at);
    if (extent.begin > at)
      return DataLoss("tensor {}: {} bytes before it belong to no tensor", extent.name,
                      extent.begin - at);
    at = extent.end;
  }
  if (at != data_bytes)
    return DataLoss("{} bytes after the last tensor belong to none", data_bytes - at);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<SafetensorsFile>> SafetensorsFile::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return NotFound("{}: {}", path, std::strerror(errno));
  struct stat info {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    return NotFound("{}: not a regular file", path);
  }
  const size_t size_bytes = static_cast<size_t>(info.st_size);
  if (size_bytes < 8) {
    close(fd);
    return DataLoss("{}: {} bytes: too short for a safetensors file", path, size_bytes);
  }
  void* mapped = mmap(nullptr, size_bytes, PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped == MAP_FAILED)
    return ResourceExhausted("{}: cannot be mapped: {}", path, std::strerror(errno));
  std::unique_ptr<SafetensorsFile> file(new SafetensorsFile);
  file->path_ = path;
  file->mapped_ = mapped;
  file->mapped_bytes_ = size_bytes;
  ATOLL_RETURN_IF_ERROR(
      Annotate(file->ReadHeader(static_cast<const std::byte*>(mapped), size_bytes), path));
  return file;
}

absl::StatusOr<std::unique_ptr<SafetensorsFile>> SafetensorsFile::FromBytes(
    const std::byte* data, size_t size_bytes, const std::string& name) {
  std::unique_ptr<SafetensorsFile> file(new SafetensorsFile);
  file->path_ = name;
  ATOLL_RETURN_IF_ERROR(Annotate(file->ReadHeader(data, size_bytes), name));
  return file;
}

SafetensorsFile::~SafetensorsFile() {
  if (mapped_ != nullptr) munmap(mapped_, mapped_bytes_);
}

absl::Status SafetensorsFile::ReadHeader(const std::byte* data, size_t size_bytes) {
  if (size_bytes < 8) return DataLoss("{} bytes: too short for a safetensors file", size_bytes);
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, data, sizeof header_bytes);
  if (header_bytes > kHeaderBytesMax || header_bytes > size_bytes - 8) {
    return DataLoss(
        "its header claims {} bytes, the file has {}: truncated, or not a safetensors file",
        header_bytes, size_bytes);
  }
  header_.assign(reinterpret_cast<const char*>(data) + 8, header_bytes);
  std::set<std::string> names;
  std::string repeated;
  const auto on_event = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth == 1 && event == Json::parse_event_t::key &&
        !names.insert(parsed.get<std::string>()).second) {
      repeated = parsed.get<std::string>();
    }
    return depth <= 8;  // deeper values are dropped: nothing that is read lies there
  };
  const Json header = Json::parse(header_, on_event, /*allow_exceptions=*/false);
  if (!header.is_object()) return DataLoss("its header is not a JSON object");
  if (!repeated.empty()) return DataLoss("tensor {}: named twice", repeated);
  if (header.size() > kTensorsMax)
    return DataLoss("{} tensors, at most {}", header.size(), kTensorsMax);

  const uint64_t data_bytes = size_bytes - 8 - header_bytes;
  std::vector<Extent> extents;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    ATOLL_ASSIGN_OR_RETURN(auto read, ReadEntry(name, entry, data_bytes));
    read.first.data = data + 8 + header_bytes + read.second.begin;
    extents.push_back(read.second);
    tensors_.emplace(name, std::move(read.first));
  }
  return CheckExtents(std::move(extents), data_bytes);
}

}  // namespace atl
