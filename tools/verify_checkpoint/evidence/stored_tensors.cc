#include "tools/verify_checkpoint/evidence/stored_tensors.h"

#include <algorithm>
#include <utility>

#include "common/base/status_macros.h"
#include "common/config/file.h"
#include "tools/random_checkpoint/tensors/progress.h"
#include "worker/weights/safetensors/shard_index.h"
#include "worker/weights/tensor_names.h"

namespace atl::tools {
namespace {

class FolderReader {
 public:
  FolderReader(std::string folder, Report& report) : folder_(std::move(folder)), report_(report) {}

  // Reports a file that cannot be read.
  const worker::SafetensorsFile* AddFile(const std::string& name) {
    auto file = worker::SafetensorsFile::Open(folder_ + "/" + name);
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

  void AddIndexed(const worker::ShardIndex& index) {
    std::map<std::string, const worker::SafetensorsFile*> opened;
    for (const auto& [name, file] : index.file_of) {
      if (!opened.contains(file)) opened[file] = AddFile(file);
    }
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
    if (is_whole && index.total_bytes.value_or(stored_.tensor_bytes) != stored_.tensor_bytes) {
      report_.Find("contradictions",
                   fmt::format("the index's total_size is {}, the tensors have {} bytes; copy the "
                               "index again",
                               *index.total_bytes, stored_.tensor_bytes));
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
    return worker::CanonicalName(entry.first).starts_with(canonical_prefix);
  });
}

absl::StatusOr<StoredCheckpoint> ReadStoredCheckpoint(const std::string& folder, Report& report) {
  const std::string index_path = folder + "/model.safetensors.index.json";
  const absl::StatusOr<worker::ShardIndex> index = worker::ReadShardIndex(index_path);
  FolderReader reader(folder, report);
  if (index.ok()) {
    reader.AddIndexed(*index);
  } else if (index.status().code() == absl::StatusCode::kNotFound) {
    const std::string name = "model.safetensors";
    const auto input = InputFile::Open(folder + "/" + name);
    if (input.status().code() == absl::StatusCode::kNotFound) {
      return NotFound(
          "{}: has neither model.safetensors.index.json nor model.safetensors; name the folder of "
          "a checkpoint",
          folder);
    }
    reader.AddFile(name);
  } else {
    return index.status();
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

}  // namespace atl::tools
