#include "worker/weights/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "common/base/fnv.h"
#include "common/base/status_macros.h"
#include "common/config/file.h"
#include "common/config/model_config.h"
#include "common/text/printable.h"
#include "worker/weights/tensor_names.h"

namespace atl::worker {
namespace {

using kernels::DType;
using kernels::ExpertWeights;
using kernels::TensorView;
using kernels::WeightView;

std::string ShapeText(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::optional<DType> DTypeOf(const std::string& stored) {
  if (stored == "F32") return DType::kF32;
  if (stored == "BF16") return DType::kBf16;
  if (stored == "F16") return DType::kF16;
  if (stored == "F8_E4M3") return DType::kF8E4m3;
  return std::nullopt;
}

}  // namespace

absl::Status Checkpoint::AddFile(const std::string& path, const ShardIndex* expected_shard) {
  ATOLL_ASSIGN_OR_RETURN(auto file, SafetensorsFile::Open(path));
  const std::string base = path.substr(path.find_last_of('/') + 1);
  for (const auto& [name, tensor] : file->tensors()) {
    if (expected_shard != nullptr) {
      const auto it = expected_shard->file_of.find(name);
      if (it == expected_shard->file_of.end() || it->second != base) {
        return DataLoss("{}: tensor {}: the index does not place it in this file; copy both again",
                        path, Printable(name));
      }
    }
    const std::string canonical = CanonicalName(name);
    if (IsMtpTensor(canonical) || IsVisionTensor(canonical)) {
      ++num_skipped_;
    } else {
      ATOLL_RETURN_IF_ERROR(Annotate(RecogniseTensor(canonical, Printable(name)), path));
    }
    if (!tensors_.emplace(canonical, Entry{&tensor, file.get(), false}).second) {
      return DataLoss("{}: tensor {}: the checkpoint has it twice; remove one of its files", path,
                      Printable(name));
    }
  }
  files_.push_back(std::move(file));
  return absl::OkStatus();
}

absl::Status Checkpoint::AddShards(const std::string& directory, const ShardIndex& index) {
  std::set<std::string> shards;
  for (const auto& [name, shard] : index.file_of) shards.insert(shard);
  std::map<std::string, const SafetensorsFile*> file_of;
  for (const std::string& shard : shards) {
    ATOLL_RETURN_IF_ERROR(AddFile(directory + "/" + shard, &index));
    file_of[shard] = files_.back().get();
  }
  for (const auto& [name, shard] : index.file_of) {
    if (!file_of[shard]->tensors().contains(name)) {
      return DataLoss(
          "{}: tensor {}: the index places it here, the file does not have it; copy both again",
          file_of[shard]->path(), Printable(name));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Checkpoint>> Checkpoint::Open(const std::string& directory) {
  auto checkpoint = std::unique_ptr<Checkpoint>(new Checkpoint);
  checkpoint->directory_ = directory;
  ATOLL_ASSIGN_OR_RETURN(const std::string config,
                         ReadTextFile(directory + "/config.json", kConfigBytesMax));
  uint64_t hash = Fnv1a(config);

  const std::string index_path = directory + "/model.safetensors.index.json";
  const absl::StatusOr<ShardIndex> index = ReadShardIndex(index_path);
  if (absl::IsNotFound(index.status())) {
    ATOLL_RETURN_IF_ERROR(checkpoint->AddFile(directory + "/model.safetensors", nullptr));
  } else {
    ATOLL_RETURN_IF_ERROR(index.status());
    ATOLL_RETURN_IF_ERROR(checkpoint->AddShards(directory, *index));
  }
  for (const auto& file : checkpoint->files_) hash = Fnv1a(file->header(), hash);
  checkpoint->digest_ = fmt::format("{:016x}", hash);
  return checkpoint;
}

absl::StatusOr<Checkpoint::Entry*> Checkpoint::Find(const std::string& name,
                                                    std::initializer_list<int64_t> shape) {
  const auto it = tensors_.find(name);
  if (it == tensors_.end())
    return DataLoss("{}: tensor {} is missing: the checkpoint is incomplete; copy it again",
                    directory_, name);
  const StoredTensor& stored = *it->second.tensor;
  if (!std::equal(stored.shape.begin(), stored.shape.end(), shape.begin(), shape.end())) {
    return DataLoss(
        "{}: tensor {}: shape {}, config.json asks for {}; use the files of one release",
        it->second.file->path(), name, ShapeText(stored.shape), ShapeText(shape));
  }
  it->second.used = true;
  return &it->second;
}

absl::StatusOr<TensorView> Checkpoint::View(const std::string& name,
                                            std::initializer_list<int64_t> shape) {
  ATOLL_ASSIGN_OR_RETURN(const Entry* entry, Find(name, shape));
  const StoredTensor& stored = *entry->tensor;
  const std::optional<DType> dtype = DTypeOf(stored.dtype);
  if (!dtype) {
    return Unimplemented("{}: tensor {}: dtype {} is not supported; BF16, F16, F32 and F8_E4M3 are",
                         entry->file->path(), name, stored.dtype);
  }
  if (reinterpret_cast<uintptr_t>(stored.data) % kernels::SizeOf(*dtype) != 0) {
    return DataLoss("{}: tensor {}: its bytes are not aligned to its type; write the file again",
                    entry->file->path(), name);
  }
  return TensorView::Dense(stored.data, *dtype, shape);
}

absl::StatusOr<TensorView> Checkpoint::Tensor(const std::string& name,
                                              std::initializer_list<int64_t> shape) {
  ATOLL_ASSIGN_OR_RETURN(TensorView view, View(name, shape));
  if (view.dtype == DType::kF8E4m3) {
    return Unimplemented("{}: tensor {}: F8_E4M3 where releases have BF16 or F32; convert it",
                         FileAt(view.data), name);
  }
  if (view.dtype != DType::kF16) return view;
  const int64_t count = view.num_elements();
  widened_.emplace_back(static_cast<size_t>(count) * sizeof(float));
  float* wide = widened_.back().f32();
  for (int64_t i = 0; i < count; ++i) wide[i] = ToFloat(view.f16()[i]);
  return TensorView::Dense(wide, DType::kF32, shape);
}

absl::StatusOr<WeightView> Checkpoint::Matrix(const std::string& name, int64_t rows,
                                              int64_t columns) {
  ATOLL_ASSIGN_OR_RETURN(const TensorView values, View(name, {rows, columns}));
  const std::string scale_name = ScaleNameOf(name);
  if (values.dtype != DType::kF8E4m3) {
    if (Has(scale_name))
      return DataLoss("{}: tensor {}: {} has scales; only F8_E4M3 needs them", FileAt(values.data),
                      scale_name, NameOf(values.dtype));
    return WeightView(values);
  }
  ATOLL_ASSIGN_OR_RETURN(
      const TensorView scales,
      View(scale_name, {kernels::NumScaleBlocks(rows), kernels::NumScaleBlocks(columns)}));
  if (scales.dtype != DType::kBf16 && scales.dtype != DType::kF32) {
    return Unimplemented("{}: tensor {}: {} scales are not supported; BF16 and F32 are",
                         FileAt(scales.data), scale_name, NameOf(scales.dtype));
  }
  return WeightView(values, scales);
}

absl::StatusOr<std::vector<ExpertWeights>> Checkpoint::FusedExperts(const std::string& prefix,
                                                                    const ExpertShape& shape) {
  const int64_t e = shape.num_experts, i = shape.intermediate, h = shape.hidden;
  ATOLL_ASSIGN_OR_RETURN(const TensorView gate_up, View(prefix + "gate_up_proj", {e, 2 * i, h}));
  ATOLL_ASSIGN_OR_RETURN(const TensorView down, View(prefix + "down_proj", {e, h, i}));
  for (const TensorView& fused : {gate_up, down}) {
    if (fused.dtype == DType::kF8E4m3)
      return Unimplemented(
          "{}: tensors {}*: fused experts in F8_E4M3 are not supported; FP8 releases store experts "
          "one by one",
          FileAt(fused.data), prefix);
  }
  const TensorView all_gate_up = TensorView::Dense(gate_up.data, gate_up.dtype, {e * 2 * i, h});
  const TensorView all_down = TensorView::Dense(down.data, down.dtype, {e * h, i});
  std::vector<ExpertWeights> experts;
  for (int64_t n = 0; n < e; ++n) {
    experts.push_back({Rows(all_gate_up, n * 2 * i, i), Rows(all_gate_up, n * 2 * i + i, i),
                       Rows(all_down, n * h, h)});
  }
  return experts;
}

absl::StatusOr<std::vector<ExpertWeights>> Checkpoint::Experts(const std::string& prefix,
                                                               const ExpertShape& shape) {
  if (Has(prefix + "gate_up_proj")) return FusedExperts(prefix, shape);
  std::vector<ExpertWeights> experts;
  for (int n = 0; n < shape.num_experts; ++n) {
    const std::string name = fmt::format("{}{}.", prefix, n);
    ExpertWeights expert;
    ATOLL_ASSIGN_OR_RETURN(expert.gate,
                           Matrix(name + "gate_proj.weight", shape.intermediate, shape.hidden));
    ATOLL_ASSIGN_OR_RETURN(expert.up,
                           Matrix(name + "up_proj.weight", shape.intermediate, shape.hidden));
    ATOLL_ASSIGN_OR_RETURN(expert.down,
                           Matrix(name + "down_proj.weight", shape.hidden, shape.intermediate));
    experts.push_back(expert);
  }
  return experts;
}

absl::Status Checkpoint::CheckAllUsed() const {
  for (const auto& [name, entry] : tensors_) {
    if (entry.used || IsMtpTensor(name) || IsVisionTensor(name)) continue;
    return DataLoss(
        "{}: tensor {}: config.json describes a model without it; use the config of this "
        "checkpoint",
        entry.file->path(), name);
  }
  return absl::OkStatus();
}

std::string Checkpoint::FileAt(const void* data) const {
  for (const auto& file : files_) {
    if (file->Contains(data)) return file->path();
  }
  return "";
}

void Checkpoint::Release(const TensorView& view, PageRelease release) const {
  const auto* const data = static_cast<const std::byte*>(view.data);
  for (const auto& file : files_) {
    if (file->Contains(data)) file->Release(data, static_cast<uint64_t>(view.num_bytes()), release);
  }
}

absl::StatusOr<DType> Checkpoint::dtype() const {
  const auto it = tensors_.find("embed_tokens.weight");
  if (it == tensors_.end())
    return DataLoss("{}: tensor embed_tokens.weight is missing: the checkpoint is incomplete",
                    directory_);
  return it->second.tensor->dtype == "F32" ? DType::kF32 : DType::kBf16;
}

absl::StatusOr<DType> ChooseDType(const std::string& flag, const Checkpoint& checkpoint) {
  if (flag == "bfloat16" || flag == "bf16") return DType::kBf16;
  if (flag == "float32" || flag == "fp32") return DType::kF32;
  if (flag == "auto") return checkpoint.dtype();
  return InvalidArgument("--dtype {}: expected auto, bfloat16 (bf16) or float32 (fp32)", flag);
}

}  // namespace atl::worker
