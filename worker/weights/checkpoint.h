// A checkpoint folder: one safetensors file or many by index, tensors found under their canonical
// names.
#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "kernels/tensor/buffer.h"
#include "kernels/tensor/weight_view.h"
#include "worker/weights/safetensors/mapped_pages.h"
#include "worker/weights/safetensors/safetensors.h"
#include "worker/weights/safetensors/shard_index.h"
#include "worker/weights/weight_source.h"

namespace atl::worker {

// BF16, F16 and F32, and matrices in F8_E4M3 with block scales. Matrices stay views into the mapped
// files. Not for several threads while weights are being asked for.
class Checkpoint : public WeightSource {
 public:
  // Reads headers only. Tensors of the MTP layer and of the vision tower may be there; any other
  // name that the family does not have is refused. kNotFound, kDataLoss, kUnimplemented: naming
  // file and tensor.
  static absl::StatusOr<std::unique_ptr<Checkpoint>> Open(const std::string& directory);

  bool Has(const std::string& name) const override { return tensors_.contains(name); }
  // F16 is widened to fp32, which is exact, into memory of the checkpoint's own.
  absl::StatusOr<kernels::TensorView> Tensor(const std::string& name,
                                             std::initializer_list<int64_t> shape) override;
  absl::StatusOr<kernels::WeightView> Matrix(const std::string& name, int64_t rows,
                                             int64_t columns) override;
  absl::StatusOr<std::vector<kernels::ExpertWeights>> Experts(const std::string& prefix,
                                                              const ExpertShape& shape) override;

  // kDataLoss: a tensor of the trunk that no one has asked for, so the config describes another
  // model.
  absl::Status CheckAllUsed() const;

  // The file that these bytes are mapped from; empty for memory of the checkpoint's own.
  std::string FileAt(const void* data) const;
  // Lets go of the pages of a dense view that nobody reads any more; nothing where it is of the
  // checkpoint's own memory.
  void Release(const kernels::TensorView& view, PageRelease release) const;
  // The type of the embedding table decides what --dtype auto means: F32, or bf16 for every
  // narrower type.
  absl::StatusOr<kernels::DType> dtype() const;

  // FNV-1a of config.json and of every header: workers of one cluster must agree on it.
  const std::string& digest() const { return digest_; }
  // Tensors of the MTP layer and the vision tower.
  int num_skipped() const { return num_skipped_; }
  const std::vector<std::unique_ptr<SafetensorsFile>>& files() const { return files_; }

 private:
  struct Entry {
    const StoredTensor* tensor = nullptr;
    const SafetensorsFile* file = nullptr;
    bool used = false;
  };
  absl::Status AddFile(const std::string& path, const ShardIndex* expected_shard);
  absl::Status AddShards(const std::string& directory, const ShardIndex& index);
  absl::StatusOr<Entry*> Find(const std::string& name, std::initializer_list<int64_t> shape);
  absl::StatusOr<kernels::TensorView> View(const std::string& name,
                                           std::initializer_list<int64_t> shape);
  absl::StatusOr<std::vector<kernels::ExpertWeights>> FusedExperts(const std::string& prefix,
                                                                   const ExpertShape& shape);

  std::string directory_;
  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::map<std::string, Entry> tensors_;
  std::vector<kernels::Buffer> widened_;
  std::string digest_;
  int num_skipped_ = 0;
};

// What --dtype asks for: bfloat16 (bf16), float32 (fp32), or auto, the checkpoint's.
absl::StatusOr<kernels::DType> ChooseDType(const std::string& flag, const Checkpoint& checkpoint);

}  // namespace atl::worker
