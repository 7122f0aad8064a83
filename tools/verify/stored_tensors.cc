#include "tools/verify/stored_tensors.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/status_macros.h"
#include "common/config/checked_json.h"
#include "common/config/file.h"
#include "tools/random_checkpoint/progress.h"
#include "worker/weights/tensor_names.h"

namespace atl {
namespace {

using Json = nlohmann::json;

constexpr size_t kIndexBytesMax = size_t{64} << 20;
constexpr JsonLimits kIndexLimits = {
    .depth_max = 8, .values_max = 1 << 21, .token_bytes_max = 1 << 12};

struct Index {
  std::map<std::string, std::string> file_of;  // by tensor
  std::set<std::string> files;
  int64_t total_bytes = -1;  // −1: not said
};

absl::StatusOr<Index> ReadIndex(const std::string& path, const std::string& text) {
  const auto json = ParseJsonObject(text, kIndexLimits);
  if (!json.ok()) return DataLoss("{}: {}; copy it again", path, MessageOf(json.status()));
  if (!json->contains("weight_map") || !(*json)["weight_map"].is_object())
    return DataLoss("{}: has no weight_map; copy it again", path);
  Index index;
  for (const auto& [name, file] : (*json)["weight_map"].items()) {
    if (!file.is_string() || file.get<std::string>().find('/') != std::string::npos)
      return DataLoss("{}: tensor {}: its file must be a name in the same folder", path, name);
    index.file_of[name] = file.get<std::string>();
    index.files.insert(file.get<std::string>());
  }
  if (index.files.empty()) return DataLoss("{}: weight_map is empty; copy it again", path);
  const Json metadata = json->value("metadata", Json::object());
  if (metadata.is_object() && metadata.contains("total_size") &&
      metadata["total_size"].is_number_integer())
    index.total_bytes = metadata["total_size"].get<int64_t>();
  return index;
}

class FolderReader {
 public:
  FolderReader(std::string folder, Report& report) : folder_(std::move(folder)), report_(report) {}

  // Reports a file that cannot be read.
  const SafetensorsFile* AddFile(const std::string& name) {
    auto file = SafetensorsFile::Open(folder_ + "/" + name);
    if (!file.ok()) {
      report_.Find("files that cannot be read", MessageOf(file.status()));
      return nullptr;
    }
    for (const auto& [tensor_name, tensor] : (*file)->tensors()) {
      if (!stored_.tensors.emplace(tensor_name, LocatedTensor{&tensor, file->get()}).second) {
        report_.Find("tensors that stand twice",
                     fmt::format("{} in {} and another file; remove one", tensor_name, name));
      }
      stored_.tensor_bytes += tensor.size_bytes;
    }
    stored_.files.push_back(*std::move(file));
    return stored_.files.back().get();
  }

  void AddIndexed(const Index& index) {
    std::map<std::string, const SafetensorsFile*> opened;
    for (const std::string& file : index.files) opened[file] = AddFile(file);
    for (const auto& [name, file] : index.file_of) {
      if (opened[file] == nullptr) {
        stored_.unreadable.insert(name);
      } else if (!opened[file]->tensors().contains(name)) {
        report_.Find("tensors that are not where the index says",
                     fmt::format("{}: {} does not have it; copy index and file again", name, file));
      }
    }
    for (const auto& [name, located] : stored_.tensors) {
      if (!index.file_of.contains(name)) {
        report_.Find("tensors that the index does not know",
                     fmt::format("{} in {}; copy the index again", name, located.file->path()));
      }
    }
    const bool is_whole = stored_.unreadable.empty();
    if (is_whole && index.total_bytes >= 0 &&
        static_cast<uint64_t>(index.total_bytes) != stored_.tensor_bytes) {
      report_.Find("contradictions",
                   fmt::format("the index's total_size is {}, the tensors have {} bytes; copy the "
                               "index again",
                               index.total_bytes, stored_.tensor_bytes));
    }
  }

  StoredCheckpoint Take() { return std::move(stored_); }

 private:
  const std::string folder_;
  Report& report_;
  StoredCheckpoint stored_;
};

}  // namespace

bool StoredCheckpoint::HasAny(const std::string& canonical_prefix) const {
  return std::any_of(tensors.begin(), tensors.end(), [&](const auto& entry) {
    return CanonicalName(entry.first).starts_with(canonical_prefix);
  });
}

absl::StatusOr<StoredCheckpoint> ReadStoredCheckpoint(const std::string& folder, Report& report) {
  const std::string index_path = folder + "/model.safetensors.index.json";
  const auto index_text = ReadTextFile(index_path, kIndexBytesMax);
  FolderReader reader(folder, report);
  if (index_text.ok()) {
    ATOLL_ASSIGN_OR_RETURN(const Index index, ReadIndex(index_path, *index_text));
    reader.AddIndexed(index);
  } else if (index_text.status().code() == absl::StatusCode::kNotFound) {
    const std::string name = "model.safetensors";
    const auto input = InputFile::Open(folder + "/" + name);
    if (input.status().code() == absl::StatusCode::kNotFound) {
      return NotFound(
          "{}: has neither model.safetensors.index.json nor model.safetensors; name the folder of "
          "a "
          "checkpoint",
          folder);
    }
    reader.AddFile(name);
  } else {
    return index_text.status();
  }
  StoredCheckpoint stored = reader.Take();
  if (stored.files.empty())
    return DataLoss("{}: none of its files can be read; copy the checkpoint again", folder);
  report.Say(fmt::format("{} tensors in {} files, {} bytes ({})", stored.tensors.size(),
                         stored.files.size(), stored.tensor_bytes, SizeText(stored.tensor_bytes)));
  if (!stored.unreadable.empty()) {
    report.Say(fmt::format("{} more tensors in files that cannot be read: not looked at",
                           stored.unreadable.size()));
  }
  return stored;
}

}  // namespace atl
