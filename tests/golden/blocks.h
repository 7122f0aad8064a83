// The blocks of a model one by one, each on rows given from outside: what a recording of another
// program is compared with. One worker, fp32, positions from 0, nothing kept between two calls.
#pragma once

#include <cstdint>
#include <memory>
#include <numeric>
#include <vector>

#include "common/base/status_macros.h"
#include "worker/model/layer_configs.h"
#include "worker/transport/inproc/inproc_group.h"

namespace atl::testing {

class Blocks {
 public:
  // `weights` outlives the blocks.
  Blocks(const ModelConfig& config, const worker::ModelWeights& weights, kernels::Backend backend)
      : config_(config),
        weights_(weights),
        context_(backend, nullptr),
        rotary_(worker::RotaryCacheOf(config).value()),
        transports_(worker::InprocGroup::Create({.world_size = 1, .epoch = kEpoch}).value()),
        dispatcher_(worker::DispatcherConfigOf(config, kDType), transports_[0].get()) {
    kernels::SetDenormalsToZero();
  }

  // The layer's attention or linear attention of x [rows, H].
  absl::StatusOr<std::vector<float>> Mix(int layer, const float* x, int64_t rows) {
    const Step step(rows);
    worker::KvCacheConfig cache_config = worker::KvCacheConfigOf(config_, kDType);
    cache_config.num_blocks = kNumBlocks;
    cache_config.num_slots = 1;
    worker::KvCache cache(cache_config);
    const worker::LayerWeights& weights = weights_.layers[static_cast<size_t>(layer)];
    std::vector<float> out(Size(rows));
    if (weights.type == LayerType::kFullAttention) {
      ATOLL_RETURN_IF_ERROR(
          Attend(weights.attention, cache, step, {View(x, rows), View(out.data(), rows)}));
    } else {
      const worker::DeltaNetConfig config = worker::DeltaNetConfigOf(config_);
      worker::DeltaNetWorkspace workspace;
      workspace.Prepare(config, static_cast<int>(rows), step.sequences);
      ATOLL_RETURN_IF_ERROR(
          worker::DeltaNetLayer(config, weights.delta_net, 0)
              .Forward(context_, cache, workspace, View(x, rows), View(out.data(), rows)));
    }
    return out;
  }

  // The layer's mixture of experts of x [rows, H]: what it adds to a residual stream of zeros.
  absl::StatusOr<std::vector<float>> Moe(int layer, const float* x, int64_t rows) {
    const worker::MoeConfig config = worker::MoeConfigOf(config_, kDType);
    const std::vector<int32_t> owner(static_cast<size_t>(config_.num_experts), 0);
    const std::vector<int32_t> rows_by_rank = {static_cast<int32_t>(rows)};
    ATOLL_RETURN_IF_ERROR(dispatcher_.Prepare(rows_by_rank));
    worker::MoeWorkspace workspace;
    workspace.Prepare(config, static_cast<int>(rows), static_cast<int>(rows));
    worker::MoeLoad load;
    load.expert_rows.assign(weights_.layers.size(), std::vector<uint32_t>(owner.size()));
    std::vector<float> out(Size(rows), 0.0f);
    const worker::MoeLayer block(config, weights_.layers[static_cast<size_t>(layer)].moe, layer);
    ATOLL_RETURN_IF_ERROR(block.Forward(context_, dispatcher_, workspace, load,
                                        {.key = {.epoch = kEpoch, .step = 1},
                                         .x = View(x, rows),
                                         .hidden = View(out.data(), rows),
                                         .owner = owner}));
    dispatcher_.Abandon();
    return out;
  }

 private:
  static constexpr Epoch kEpoch = {1, 1};
  static constexpr kernels::DType kDType = kernels::DType::kF32;
  static constexpr int kNumBlocks = 8;

  // One sequence's first `rows` rows, all at once.
  struct Step {
    explicit Step(int64_t rows) : positions(static_cast<size_t>(rows)) {
      std::iota(positions.begin(), positions.end(), 0);
      for (int b = 0; b < kNumBlocks; ++b) blocks.push_back(BlockId{b});
      sequences = {{.num_rows = static_cast<int>(rows),
                    .blocks = blocks,
                    .store = kernels::DeltaStore::kOwn}};
    }
    std::vector<int32_t> positions;
    std::vector<BlockId> blocks;
    std::vector<worker::SequenceRows> sequences;
  };
  struct Ends {
    kernels::TensorView x, y;
  };

  absl::Status Attend(const worker::AttentionWeights& weights, worker::KvCache& cache,
                      const Step& step, const Ends& ends) {
    const worker::AttentionConfig config = worker::AttentionConfigOf(config_);
    const int64_t rows = ends.x.dims[0], half = config_.rope.rotary_dim / 2;
    std::vector<float> cos(static_cast<size_t>(rows * half)), sin(cos.size());
    const kernels::TensorView cos_view = kernels::F32(cos.data(), {rows, half});
    const kernels::TensorView sin_view = kernels::F32(sin.data(), {rows, half});
    ATOLL_RETURN_IF_ERROR(
        rotary_.Rows(context_, {.positions = step.positions, .cos = cos_view, .sin = sin_view}));
    worker::AttentionWorkspace workspace;
    ATOLL_RETURN_IF_ERROR(
        workspace.Prepare(context_, config, static_cast<int>(rows), step.sequences));
    return worker::AttentionLayer(config, weights, 0)
        .Forward(context_, cache, workspace,
                 {.x = ends.x, .cos = cos_view, .sin = sin_view, .y = ends.y});
  }

  size_t Size(int64_t rows) const { return static_cast<size_t>(rows * config_.hidden_size); }
  kernels::TensorView View(const float* rows, int64_t count) const {
    return kernels::F32(rows, {count, config_.hidden_size});
  }

  ModelConfig config_;
  const worker::ModelWeights& weights_;
  kernels::KernelContext context_;
  kernels::RotaryCache rotary_;
  std::vector<std::unique_ptr<worker::Transport>> transports_;
  worker::TokenDispatcher dispatcher_;
};

}  // namespace atl::testing
