#include "worker/packed_weights/packed_place.h"

#include <sys/statvfs.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "common/base/status_macros.h"
#include "common/log/log.h"
#include "worker/packed_weights/packed_file.h"
#include "worker/packed_weights/packed_memory.h"

namespace atl::worker {
namespace {

// A cache that nobody asked for leaves as much space as it takes: others write there too, and each
// worker of a machine counts the same free bytes.
constexpr uint64_t kUnaskedShare = 2;

constexpr double Mebibytes(uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

uint64_t FreeBytes(const std::string& folder) {
  struct statvfs info {};
  if (statvfs(folder.c_str(), &info) != 0) return 0;
  return uint64_t{info.f_bavail} * info.f_frsize;
}

uint64_t BytesOf(const PackedLayout& layout, const std::vector<int>& units) {
  uint64_t bytes = 0;
  for (const int unit : units) bytes += layout.unit_bytes(unit);
  return bytes;
}

uint64_t MissingBytes(const PackedFile& file, const PackedRequest& request,
                      const PackedLayout& layout) {
  uint64_t bytes = 0;
  for (const int unit : request.units) {
    if (!file.IsComplete(unit)) bytes += layout.unit_bytes(unit);
  }
  return bytes;
}

absl::Status CheckFreeSpace(const std::string& folder, uint64_t missing_bytes, PackedMode mode) {
  const uint64_t free_bytes = FreeBytes(folder);
  const uint64_t needed = mode == PackedMode::kAuto ? kUnaskedShare * missing_bytes : missing_bytes;
  if (free_bytes >= needed) return absl::OkStatus();
  return ResourceExhausted("{}: {:.0f} MiB free, packed weights want {:.0f} MiB", folder,
                           Mebibytes(free_bytes), Mebibytes(needed));
}

absl::StatusOr<std::unique_ptr<PackedSpace>> OpenFile(const std::string& folder,
                                                      const PackedRequest& request,
                                                      const PackedLayout& layout) {
  std::error_code ignored;  // a folder that cannot be made cannot be written to either
  std::filesystem::create_directories(folder, ignored);
  const std::string path = PackedFilePath(folder, request.digest);
  if (!std::filesystem::exists(path, ignored)) {
    ATOLL_RETURN_IF_ERROR(CheckFreeSpace(folder, BytesOf(layout, request.units), request.mode));
  }
  ATOLL_ASSIGN_OR_RETURN(std::unique_ptr<PackedFile> file,
                         PackedFile::Open(path, request.digest, layout));
  const uint64_t missing = MissingBytes(*file, request, layout);
  absl::Status space = CheckFreeSpace(folder, missing, request.mode);
  if (!file->is_writable()) space = FailedPrecondition("{}: may only be read", path);
  if (missing > 0 && !space.ok()) {
    LOG_WARNING("packed weights: {:.1f} MiB stay as they are: {}", Mebibytes(missing),
                MessageOf(space));
    file->StopClaiming();
  }
  LOG_INFO("packed weights: {}, {:.1f} MiB of this worker's are there, {:.1f} are missing", path,
           Mebibytes(BytesOf(layout, request.units) - missing), Mebibytes(missing));
  return file;
}

absl::StatusOr<std::unique_ptr<PackedSpace>> OpenMemory(const PackedRequest& request,
                                                        const PackedLayout& layout) {
  const uint64_t bytes = BytesOf(layout, request.units);
  if (static_cast<int64_t>(bytes) > request.memory_free_bytes) {
    return ResourceExhausted(
        "memory: packed weights need {:.0f} MiB beside those that they are made of, {:.0f} MiB are "
        "left",
        Mebibytes(bytes), static_cast<double>(request.memory_free_bytes) / (1 << 20));
  }
  LOG_INFO("packed weights: {:.1f} MiB in memory", Mebibytes(bytes));
  return PackedMemory::Create(layout);
}

}  // namespace

PackedMode PackedModeOf(const std::string& name) {
  if (name == "file") return PackedMode::kFile;
  if (name == "memory") return PackedMode::kMemory;
  return name == "off" ? PackedMode::kOff : PackedMode::kAuto;
}

std::vector<std::string> PackedFolders(const std::string& named, const std::string& checkpoint) {
  if (!named.empty()) return {named};
  std::vector<std::string> folders = {checkpoint};
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  const char* const home = std::getenv("HOME");
  if (cache != nullptr && *cache == '/') {
    folders.push_back(fmt::format("{}/atoll", cache));
  } else if (home != nullptr && *home == '/') {
    folders.push_back(fmt::format("{}/.cache/atoll", home));
  }
  return folders;
}

std::string PackedFilePath(const std::string& folder, uint64_t digest) {
  return fmt::format("{}/.atoll-packed-weights-{}-{:016x}", folder, kPackedFormatVersion, digest);
}

absl::StatusOr<std::unique_ptr<PackedSpace>> OpenPackedSpace(const PackedRequest& request,
                                                             const PackedLayout& layout) {
  if (request.mode == PackedMode::kOff || request.units.empty()) return nullptr;
  std::string reasons;
  if (request.mode != PackedMode::kMemory) {
    for (const std::string& folder : request.folders) {
      auto file = OpenFile(folder, request, layout);
      if (file.ok()) return file;
      reasons += (reasons.empty() ? "" : "; ") + MessageOf(file.status());
    }
    if (request.mode == PackedMode::kFile)
      return FailedPrecondition(
          "--packed-weights file: {}; name another folder with --packed-weights-dir", reasons);
  }
  auto memory = OpenMemory(request, layout);
  if (memory.ok()) return memory;
  if (request.mode == PackedMode::kMemory)
    return Annotate(memory.status(), "--packed-weights memory; give --packed-weights file or off");
  LOG_WARNING("weights stay as they are in their files, which is slower: {}; {}", reasons,
              MessageOf(memory.status()));
  return nullptr;
}

}  // namespace atl::worker
