#include "worker/weights/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "common/base/status_macros.h"
#include "common/config/file.h"

namespace atl {
namespace {

using Json = nlohmann::json;

constexpr size_t kIndexBytesMax = size_t{64} << 20;
constexpr size_t kConfigBytesMax = size_t{4} << 20;

uint64_t Fnv1a(const std::string& bytes, uint64_t hash) {
  for (const char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3ull;
  return hash;
}

bool StartsWith(const std::string& text, const std::string& prefix) {
  return text.compare(0, prefix.size(), prefix) == 0;
}
bool EndsWith(const std::string& text, const std::string& suffix) {
  return text.size() >= suffix.size() &&
         text.compare(text.size() - suffix.size(), suffix.size(), suffix) == 0;
}

// The MTP layer and the vision tower are not run.
bool IsSkipped(const std::string& name) {
  for (const char* prefix :
       {"mtp.", "model.mtp.", "model.visual.", "visual.", "model.language_model.mtp."}) {
    if (StartsWith(name, prefix)) return true;
  }
  return false;
}

// model-spec 2.1: what loaders of this family accept in front of the same names.
std::string Canonical(const std::string& name) {
  for (const char* prefix :
       {"model.language_model.", "language_model.model.", "language_model.", "model."}) {
    if (StartsWith(name, prefix)) return name.substr(std::string(prefix).size());
  }
  return name;
}

const std::set<std::string>& LayerTensorNames() {
  static const std::set<std::string> names = {"input_layernorm.weight",
                                              "post_attention_layernorm.weight",
                                              "mlp.gate.weight",
                                              "mlp.experts.gate_up_proj",
                                              "mlp.experts.down_proj",
                                              "mlp.shared_expert.gate_proj.weight",
                                              "mlp.shared_expert.up_proj.weight",
                                              "mlp.shared_expert.down_proj.weight",
                                              "mlp.shared_expert_gate.weight",
                                              "linear_attn.in_proj_qkv.weight",
                                              "linear_attn.in_proj_z.weight",
                                              "linear_attn.in_proj_b.weight",
                                              "linear_attn.in_proj_a.weight",
                                              "linear_attn.conv1d.weight",
                                              "linear_attn.A_log",
                                              "linear_attn.dt_bias",
                                              "linear_attn.norm.weight",
                                              "linear_attn.out_proj.weight",
                                              "self_attn.q_proj.weight",
                                              "self_attn.k_proj.weight",
                                              "self_attn.v_proj.weight",
                                              "self_attn.o_proj.weight",
                                              "self_attn.q_norm.weight",
                                              "self_attn.k_norm.weight"};
  return names;
}

// OK for a name of the family; otherwise why not.
absl::Status Recognise(const std::string& canonical, const std::string& stored) {
  if (canonical == "embed_tokens.weight" || canonical == "norm.weight" ||
      canonical == "lm_head.weight")
    return absl::OkStatus();
  for (const char* suffix :
       {"_scale_inv", ".qweight", ".qzeros", ".scales", ".g_idx", "weight_packed", "weight_scale",
        "weight_scale_2", "input_scale", "weight_zero_point"}) {
    if (EndsWith(canonical, suffix)) {
      return Unimplemented(
          "tensor {}: quantised checkpoints are not supported yet; use a bf16 or fp32 release",
          stored);
    }
  }
  if (StartsWith(canonical, "layers.")) {
    const size_t dot = canonical.find('.', 7);
    if (dot != std::string::npos) {
      const std::string rest = canonical.substr(dot + 1);
      if (LayerTensorNames().contains(rest)) return absl::OkStatus();
      if (StartsWith(rest, "mlp.experts.")) {
        return Unimplemented(
            "tensor {}: experts stored one by one are not supported yet; use a release with fused "
            "gate_up_proj and down_proj",
            stored);
      }
    }
  }
  return Unimplemented("tensor {}: no such tensor in a qwen3_5_moe checkpoint", stored);
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

}  // namespace

absl::Status Checkpoint::AddFile(const std::string& path,
                                 const std::map<std::string, std::string>* expected_shard) {
  ATOLL_ASSIGN_OR_RETURN(auto file, SafetensorsFile::Open(path));
  const std::string base = path.substr(path.find_last_of('/') + 1);
  for (const auto& [name, tensor] : file->tensors()) {
    if (expected_shard != nullptr) {
      const auto it = expected_shard->find(name);
      if (it == expected_shard->end() || it->second != base) {
        return DataLoss("{}: tensor {}: the index does not place it in this file", path, name);
      }
    }
    if (IsSkipped(name)) {
      ++num_skipped_;
      continue;
    }
    const std::string canonical = Canonical(name);
    ATOLL_RETURN_IF_ERROR(Annotate(Recognise(canonical, name), path));
    if (!tensors_.emplace(canonical, Entry{&tensor, file.get()}).second) {
      return DataLoss("{}: tensor {}: the checkpoint has it twice", path, name);
    }
  }
  files_.push_back(std::move(file));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Checkpoint>> Checkpoint::Open(const std::string& directory) {
  auto checkpoint = std::unique_ptr<Checkpoint>(new Checkpoint);
  ATOLL_ASSIGN_OR_RETURN(const std::string config,
                         ReadTextFile(directory + "/config.json", kConfigBytesMax));
  uint64_t hash = Fnv1a(config, 0xcbf29ce484222325ull);

  const std::string index_path = directory + "/model.safetensors.index.json";
  auto index_text = ReadTextFile(index_path, kIndexBytesMax);
  if (index_text.status().code() == absl::StatusCode::kNotFound) {
    ATOLL_RETURN_IF_ERROR(checkpoint->AddFile(directory + "/model.safetensors", nullptr));
  } else {
    ATOLL_RETURN_IF_ERROR(index_text.status());
    const Json index = Json::parse(*index_text, nullptr, false);
    if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
      return DataLoss("{}: expected an object with weight_map", index_path);
    }
    std::map<std::string, std::string> shard_of;
    std::set<std::string> shards;
    for (const auto& [name, shard] : index["weight_map"].items()) {
      if (!shard.is_string() || shard.get<std::string>().find('/') != std::string::npos) {
        return DataLoss("{}: tensor {}: its file must be a name in the same folder", index_path,
                        name);
      }
      shard_of[name] = shard.get<std::string>();
      shards.insert(shard.get<std::string>());
    }
    if (shards.empty()) return DataLoss("{}: weight_map is empty", index_path);
    for (const std::string& shard : shards) {
      ATOLL_RETURN_IF_ERROR(checkpoint->AddFile(directory + "/" + shard, &shard_of));
    }
    size_t found = 0;
    for (const auto& file : checkpoint->files_) found += file->tensors().size();
    if (found != shard_of.size()) {
      for (const auto& [name, shard] : shard_of) {
        for (const auto& file : checkpoint->files_) {
          if (EndsWith(file->path(), "/" + shard) && !file->tensors().contains(name)) {
            return DataLoss("{}: tensor {}: the index places it here, the file does not have it",
                            file->path(), name);
          }
        }
      }
    }
  }
  for (const auto& file : checkpoint->files_) hash = Fnv1a(file->header(), hash);
  checkpoint->digest_ = fmt::format("{:016x}", hash);
  return checkpoint;
}

absl::StatusOr<kernels::TensorView> Checkpoint::Tensor(const std::string& name,
                                                       std::initializer_list<int64_t> shape) const {
  const auto it = tensors_.find(name);
  if (it == tensors_.end()) {
    const std::string where =
        files_.empty() ? ""
                       : files_.front()->path().substr(0, files_.front()->path().find_last_of('/'));
    return DataLoss("{}: tensor {} is missing: the checkpoint is incomplete", where, name);
  }
  const StoredTensor& stored = *it->second.tensor;
  const std::string& path = it->second.file->path();
  if (!std::equal(stored.shape.begin(), stored.shape.end(), shape.begin(), shape.end())) {
    return DataLoss("{}: tensor {}: shape {}, config.json asks for {}", path, name,
                    ShapeText(stored.shape), ShapeText(shape));
  }
  if (stored.dtype != "BF16" && stored.dtype != "F32") {
    return Unimplemented("{}: tensor {}: dtype {} is not supported yet; BF16 and F32 are", path,
                         name, stored.dtype);
  }
  const kernels::DType dtype =
      stored.dtype == "BF16" ? kernels::DType::kBf16 : kernels::DType::kF32;
  if (reinterpret_cast<uintptr_t>(stored.data) % kernels::SizeOf(dtype) != 0) {
    return DataLoss("{}: tensor {}: its bytes are not aligned to its type", path, name);
  }
  return kernels::TensorView::Dense(stored.data, dtype, shape);
}

std::string Checkpoint::FileOf(const std::string& name) const {
  const auto it = tensors_.find(name);
  return it == tensors_.end() ? "" : it->second.file->path();
}

absl::StatusOr<kernels::DType> Checkpoint::dtype() const {
  const auto it = tensors_.find("embed_tokens.weight");
  if (it == tensors_.end())
    return DataLoss("tensor embed_tokens.weight is missing: the checkpoint is incomplete");
  return it->second.tensor->dtype == "F32" ? kernels::DType::kF32 : kernels::DType::kBf16;
}

void Prefault(const std::vector<WeightRange>& ranges,
              const std::function<void(uint64_t, uint64_t, const std::string&)>& progress) {
  constexpr uint64_t kPage = 4096;
  constexpr uint64_t kReportBytes = uint64_t{64} << 20;
  uint64_t total = 0;
  for (const WeightRange& range : ranges) total += range.size_bytes;
  uint64_t done = 0;
  uint64_t reported = 0;
  unsigned sum = 0;
  for (const WeightRange& range : ranges) {
    for (uint64_t at = 0; at < range.size_bytes; at += kPage) {
      sum += static_cast<unsigned>(*static_cast<const volatile std::byte*>(range.data + at));
      done += std::min(kPage, range.size_bytes - at);
      if (done - reported >= kReportBytes) {
        progress(done, total, range.file);
        reported = done;
      }
    }
  }
  static_cast<void>(sum);
  progress(total, total, ranges.empty() ? "" : ranges.back().file);
}

}  // namespace atl
