// A checkpoint folder: one safetensors file or many by index, tensors found under their canonical
// names.
#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "kernels/tensor/tensor_view.h"
#include "worker/weights/safetensors.h"

namespace atl {

// Bytes of a mapped file that a worker will read, and the file's name for the progress line.
struct WeightRange {
  const std::byte* data = nullptr;
  uint64_t size_bytes = 0;
  std::string file;
};

class Checkpoint {
 public:
  // Reads headers only. Tensors of the MTP layer and of the vision tower are recognised and
  // skipped; a name that the family does not have is refused, quantised and per-expert spellings by
  // name. kNotFound, kDataLoss, kUnimplemented: naming file and tensor.
  static absl::StatusOr<std::unique_ptr<Checkpoint>> Open(const std::string& directory);

  // The tensor by its canonical name ("layers.3.self_attn.q_proj.weight", "lm_head.weight"),
  // whatever prefix the file uses, with the shape expected. kDataLoss: absent, or another shape;
  // kUnimplemented: a type other than BF16 and F32.
  absl::StatusOr<kernels::TensorView> Tensor(const std::string& name,
                                             std::initializer_list<int64_t> shape) const;
  bool Has(const std::string& name) const { return tensors_.contains(name); }
  // The file that holds a tensor.
  std::string FileOf(const std::string& name) const;
  // The type of the embedding table: what --dtype auto means.
  absl::StatusOr<kernels::DType> dtype() const;

  // FNV-1a of config.json and of every header: workers of one cluster must agree on it.
  const std::string& digest() const { return digest_; }
  int num_skipped() const { return num_skipped_; }

 private:
  struct Entry {
    const StoredTensor* tensor = nullptr;
    const SafetensorsFile* file = nullptr;
  };
  absl::Status AddFile(const std::string& path,
                       const std::map<std::string, std::string>* expected_shard);

  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::map<std::string, Entry> tensors_;
  std::string digest_;
  int num_skipped_ = 0;
};

// Faults the ranges in from disk, in order; `progress(done, total, file)` is called now and then
// and at the end.
void Prefault(const std::vector<WeightRange>& ranges,
              const std::function<void(uint64_t, uint64_t, const std::string&)>& progress);

}  // namespace atl
