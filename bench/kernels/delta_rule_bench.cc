#include <algorithm>
#include <cmath>

#include "bench/kernels/kernel_bench.h"
#include "kernels/ops/delta_rule/delta_rule.h"
#include "kernels/tensor/buffer.h"

namespace atl::kernels {
namespace {

constexpr int kTaps = 4;

// Sequences of equally many new rows in so many layers that no state is still in a cache when its
// turn comes again.
class DeltaFixture {
 public:
  DeltaFixture(const DeltaShape& shape, int num_sequences, int num_rows)
      : shape_(shape), num_rows_(num_sequences * num_rows) {
    const int64_t channels = shape.conv_channels(), values = out_width();
    qkv_ = FloatsOf(num_rows_ * channels);
    z_ = FloatsOf(num_rows_ * values);
    gates_ = FloatsOf(num_rows_ * shape.num_value_heads);
    conv_.assign(static_cast<size_t>(kTaps * channels), 0.25f);
    weights_ = FloatsOf(std::max(shape.num_value_heads, shape.value_dim));
    out_.resize(z_.size());
    const int64_t state = DeltaStateFloats(shape);
    num_layers_ = num_rows == 1 ? std::max<int64_t>(1, kColdFloats / (state * num_sequences)) : 1;
    const int64_t num_states = num_layers_ * num_sequences;
    states_.ReserveFloats(num_states * state);
    std::fill_n(states_.f32(), num_states * state, 0.01f);
    columns_.ReserveFloats(num_states * kTaps * channels);
    k_.ReserveFloats(num_states * 2 * shape.num_key_heads * shape.key_dim);
    delta_.ReserveFloats(num_states * 2 * values);
    decay_.ReserveFloats(num_states * 2 * shape.num_value_heads);
    for (int64_t i = 0; i < num_states; ++i)
      sequences_.push_back(SequenceOf(i, static_cast<int>(i % num_sequences), num_rows));
  }

  DeltaRuleArgs NextLayer() {
    const int64_t rows = num_rows_, heads = shape_.num_value_heads;
    const size_t count = sequences_.size() / static_cast<size_t>(num_layers_);
    const size_t layer = static_cast<size_t>(turn_++ % num_layers_);
    return {.shape = shape_,
            .qkv = F32(qkv_.data(), {rows, shape_.conv_channels()}),
            .z = F32(z_.data(), {rows, heads, shape_.value_dim}),
            .a = F32(gates_.data(), {rows, heads}),
            .b = F32(gates_.data(), {rows, heads}),
            .weights = {.conv = F32(conv_.data(), {kTaps, shape_.conv_channels()}),
                        .a_log = F32(weights_.data(), {heads}),
                        .dt_bias = F32(weights_.data(), {heads}),
                        .norm = F32(weights_.data(), {shape_.value_dim})},
            .q_scale = 1.0f / std::sqrt(static_cast<float>(shape_.key_dim)),
            .sequences = std::span(sequences_).subspan(layer * count, count),
            .out = F32(out_.data(), {rows, heads, shape_.value_dim})};
  }

 private:
  static constexpr int64_t kColdFloats = int64_t{32} << 20;

  int64_t out_width() const { return int64_t{shape_.num_value_heads} * shape_.value_dim; }
  // One row is a decoding sequence's, of which the last waits; more are a prompt's.
  DeltaSequence SequenceOf(int64_t i, int index, int num_rows) {
    const int64_t channels = shape_.conv_channels();
    const ConvColumns columns = {columns_.f32() + i * kTaps * channels, kTaps, DType::kBf16};
    DeltaSequence sequence = {.row_begin = index * num_rows,
                              .num_rows = num_rows,
                              .state = states_.f32() + i * DeltaStateFloats(shape_),
                              .store = DeltaStore::kOwn,
                              .columns = columns,
                              .new_columns = columns};
    if (num_rows > 1) return sequence;
    sequence.store = DeltaStore::kWait;
    sequence.position_begin = 100;
    sequence.state_length = 99;
    sequence.waiting = {k_.f32() + i * 2 * shape_.num_key_heads * shape_.key_dim,
                        delta_.f32() + i * 2 * out_width(),
                        decay_.f32() + i * 2 * shape_.num_value_heads, 2};
    return sequence;
  }

  DeltaShape shape_;
  int64_t num_rows_;
  int64_t num_layers_ = 1, turn_ = 0;
  std::vector<float> qkv_, z_, gates_, conv_, weights_, out_;
  Buffer states_, columns_, k_, delta_, decay_;
  std::vector<DeltaSequence> sequences_;
};

void BenchShape(KernelBench& bench, const DeltaShape& shape) {
  DeltaFixture fixture(shape, static_cast<int>(bench.shape(0)), static_cast<int>(bench.shape(1)));
  bench.Measure([&] { return DeltaRule(bench.context(), fixture.NextLayer()); });
}

void BenchDeltaRule(KernelBench& bench) { BenchShape(bench, {16, 32, 128, 128}); }
ATOLL_KERNEL_BENCH(delta_rule, BenchDeltaRule, {"sequences", "rows"},
                   {{1, 1}, {4, 1}, {16, 1}, {64, 1}, {1, 128}, {1, 512}, {1, 2048}, {4, 128}});

void BenchOddDeltaRule(KernelBench& bench) { BenchShape(bench, {3, 6, 72, 100}); }
ATOLL_KERNEL_BENCH(delta_rule_odd, BenchOddDeltaRule, {"sequences", "rows"}, {{16, 1}, {1, 130}});

}  // namespace
}  // namespace atl::kernels
