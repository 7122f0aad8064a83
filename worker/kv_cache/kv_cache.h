// The bytes of the past: KV blocks of the attention layers and DeltaNet states of the linear
// layers, of the sequences that are at home here. The coordinator's cache room keeps the ledger
// that gives out block ids and state slots; this room only keeps what they name.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/ids.h"
#include "common/base/status.h"
#include "kernels/ops/attention/kv_layout.h"
#include "kernels/ops/delta_rule/delta_rule.h"
#include "kernels/tensor/buffer.h"

namespace atl::worker {

struct KvCacheConfig {
  int num_attention_layers = 0;
  int num_kv_heads = 0;
  int head_dim = 0;
  int num_linear_layers = 0;
  kernels::DeltaShape delta;
  int conv_channels = 0;
  int conv_kernel = 0;
  kernels::DType dtype = kernels::DType::kBf16;  // of K, V and convolution columns; states are fp32
  int late_rows = 1;  // rows of one step that a state may lag behind, 1 … 16
  int num_blocks = 0;
  int num_slots = 0;
  int num_spares = 1;

  int64_t bytes_per_block() const;  // 64 tokens in all attention layers
  int64_t bytes_per_state() const;  // one slot or spare, all linear layers
};

// One sequence's state in one linear layer.
struct LinearState {
  float* state = nullptr;
  int64_t state_length = 0;  // tokens applied to `state`
  kernels::DeltaWaitingRows waiting;
  kernels::ConvColumns columns;
};

class KvCache {
 public:
  explicit KvCache(const KvCacheConfig& config);

  const KvCacheConfig& config() const { return config_; }
  kernels::KvLayerView Layer(int attention_index) const;
  // Blocks are zeroed when taken, so that no byte of a stranger is ever read.
  void ZeroBlock(BlockId block);

  LinearState Slot(SlotId slot, int linear_index);
  LinearState Spare(int spare, int linear_index);
  // A layer has applied its waiting rows: its state holds the first `length` tokens.
  void AdvanceState(SlotId slot, int linear_index, int64_t length);
  // What a long chunk wrote to the spare becomes the slot's state; all its layers count `length`
  // tokens.
  void SwapSpare(SlotId slot, int spare, int64_t length);
  // A first chunk wrote the slot itself: from now on it counts.
  void SetStateLength(SlotId slot, int64_t length);
  // A slot as good as new: nothing of its last owner is counted.
  void ResetSlot(SlotId slot) { SetStateLength(slot, 0); }

 private:
  LinearState State(int physical, int linear_index);
  int64_t& StateLength(int physical, int linear_index);

  KvCacheConfig config_;
  kernels::Buffer blocks_;
  kernels::Buffer states_;
  std::vector<int> slot_to_physical_;
  std::vector<int> spare_to_physical_;
  std::vector<int64_t> state_lengths_;  // [physical][linear layer]
};

}  // namespace atl::worker
