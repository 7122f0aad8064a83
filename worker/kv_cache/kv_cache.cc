#include "worker/kv_cache/kv_cache.h"

#include <cstring>
#include <numeric>

#include "common/base/check.h"

namespace atl::worker {
namespace {

using kernels::SizeOf;

// Parts of one linear layer's state, each padded to a cache line.
struct StateLayout {
  int64_t state, k, delta, decay, columns, total;  // byte offsets and the whole
  int waiting_rows, column_count;

  explicit StateLayout(const KvCacheConfig& c) {
    const auto padded = [](int64_t bytes) { return (bytes + 63) / 64 * 64; };
    waiting_rows = 2 * c.late_rows;
    column_count = c.conv_kernel - 1 + c.late_rows;
    state = 0;
    k = state + padded(kernels::DeltaStateFloats(c.delta) * 4);
    delta = k + padded(int64_t{4} * waiting_rows * c.delta.num_key_heads * c.delta.key_dim);
    decay = delta + padded(int64_t{4} * waiting_rows * c.delta.num_value_heads * c.delta.value_dim);
    columns = decay + padded(int64_t{4} * waiting_rows * c.delta.num_value_heads);
    total = columns +
            padded(int64_t{column_count} * c.conv_channels * static_cast<int64_t>(SizeOf(c.dtype)));
  }
};

}  // namespace

int64_t KvCacheConfig::bytes_per_block() const {
  return num_attention_layers * kernels::KvLayerView::BytesPerBlock(num_kv_heads, head_dim, dtype);
}

int64_t KvCacheConfig::bytes_per_state() const {
  return num_linear_layers * StateLayout(*this).total;
}

KvCache::KvCache(const KvCacheConfig& config)
    : config_(config),
      blocks_(static_cast<size_t>(config.num_blocks * config.bytes_per_block())),
      states_(
          static_cast<size_t>((config.num_slots + config.num_spares) * config.bytes_per_state())),
      slot_to_physical_(static_cast<size_t>(config.num_slots)),
      spare_to_physical_(static_cast<size_t>(config.num_spares)),
      state_lengths_(
          static_cast<size_t>((config.num_slots + config.num_spares) * config.num_linear_layers)) {
  CHECK(config.late_rows >= 1 && config.late_rows <= 16, "late_rows is {}", config.late_rows);
  std::iota(slot_to_physical_.begin(), slot_to_physical_.end(), 0);
  std::iota(spare_to_physical_.begin(), spare_to_physical_.end(), config.num_slots);
}

kernels::KvLayerView KvCache::Layer(int attention_index) const {
  CHECK(attention_index >= 0 && attention_index < config_.num_attention_layers);
  const int64_t layer_bytes =
      kernels::KvLayerView::BytesPerBlock(config_.num_kv_heads, config_.head_dim, config_.dtype);
  return {.base = blocks_.data() + attention_index * layer_bytes,
          .block_stride_bytes = config_.bytes_per_block(),
          .num_kv_heads = config_.num_kv_heads,
          .head_dim = config_.head_dim,
          .dtype = config_.dtype};
}

void KvCache::ZeroBlock(BlockId block) {
  CHECK(Value(block) >= 0 && Value(block) < config_.num_blocks, "block {}", Value(block));
  const int64_t bytes = config_.bytes_per_block();
  std::memset(blocks_.data() + Value(block) * bytes, 0, static_cast<size_t>(bytes));
}

LinearState KvCache::State(int physical, int linear_index) {
  CHECK(linear_index >= 0 && linear_index < config_.num_linear_layers);
  const StateLayout layout(config_);
  std::byte* base =
      states_.data() + physical * config_.bytes_per_state() + linear_index * layout.total;
  const auto floats = [&](int64_t offset) { return reinterpret_cast<float*>(base + offset); };
  return {
      .state = floats(layout.state),
      .state_length = StateLength(physical, linear_index),
      .waiting = {.k = floats(layout.k),
                  .delta = floats(layout.delta),
                  .decay = floats(layout.decay),
                  .ring_size = layout.waiting_rows},
      .columns = {
          .ring = base + layout.columns, .ring_size = layout.column_count, .dtype = config_.dtype}};
}

int64_t& KvCache::StateLength(int physical, int linear_index) {
  return state_lengths_[static_cast<size_t>(physical * config_.num_linear_layers + linear_index)];
}

LinearState KvCache::Slot(SlotId slot, int linear_index) {
  CHECK(Value(slot) >= 0 && Value(slot) < config_.num_slots, "slot {}", Value(slot));
  return State(slot_to_physical_[static_cast<size_t>(Value(slot))], linear_index);
}

LinearState KvCache::Spare(int spare, int linear_index) {
  CHECK(spare >= 0 && spare < config_.num_spares, "spare {}", spare);
  return State(spare_to_physical_[static_cast<size_t>(spare)], linear_index);
}

void KvCache::AdvanceState(SlotId slot, int linear_index, int64_t length) {
  CHECK(Value(slot) >= 0 && Value(slot) < config_.num_slots, "slot {}", Value(slot));
  CHECK(linear_index >= 0 && linear_index < config_.num_linear_layers);
  StateLength(slot_to_physical_[static_cast<size_t>(Value(slot))], linear_index) = length;
}

void KvCache::SwapSpare(SlotId slot, int spare, int64_t length) {
  std::swap(slot_to_physical_[static_cast<size_t>(Value(slot))],
            spare_to_physical_[static_cast<size_t>(spare)]);
  SetStateLength(slot, length);
}

void KvCache::SetStateLength(SlotId slot, int64_t length) {
  for (int i = 0; i < config_.num_linear_layers; ++i) AdvanceState(slot, i, length);
}

}  // namespace atl::worker
