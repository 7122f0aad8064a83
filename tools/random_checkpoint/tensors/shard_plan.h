// Where each tensor of a checkpoint goes: which file, at which byte.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "kernels/tensor/dtype.h"
#include "worker/weights/inventory.h"

namespace atl::tools {

struct PlacedTensor {
  worker::ExpectedTensor tensor;
  kernels::DType dtype = kernels::DType::kBf16;
  size_t shard = 0;
  uint64_t offset = 0;  // in its file

  uint64_t size_bytes() const {
    return static_cast<uint64_t>(tensor.num_elements()) * kernels::SizeOf(dtype);
  }
};

struct Shard {
  std::string file;     // "model-00001-of-00003.safetensors"
  std::string header;   // all bytes before the first tensor's
  uint64_t size_bytes;  // of the whole file
};

struct ShardPlan {
  std::vector<PlacedTensor> tensors;  // as in the inventory; scales stand behind their matrix
  std::vector<Shard> shards;
  std::string index_json;     // model.safetensors.index.json
  uint64_t tensor_bytes = 0;  // the index's metadata.total_size

  uint64_t file_bytes() const;
};

// `dtype`: of everything but FP8 matrices; their scales are bf16. Shards are filled in the order of
// the inventory up to `shard_bytes_max`, a larger tensor has one of its own. kInvalidArgument: more
// shards than files may be open.
absl::StatusOr<ShardPlan> PlanShards(std::vector<worker::ExpectedTensor> tensors,
                                     kernels::DType dtype, uint64_t shard_bytes_max);

}  // namespace atl::tools
