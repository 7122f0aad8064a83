// Gated DeltaNet of one sequence and layer, for the tests of delta_rule: its inputs, the recurrence
// written out, and a home that keeps a state as a worker does.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "kernels/ops/delta_rule/delta_rule.h"
#include "tests/kernels/sequence_fixtures.h"
#include "tests/support/status_matchers.h"

namespace atl::kernels {

struct DeltaInputs {
  DeltaInputs(const DeltaShape& shape_of, int count_of, uint64_t seed)
      : shape(shape_of), count(count_of) {
    Numbers numbers(seed);
    const float size = 1.0f / std::sqrt(static_cast<float>(shape.key_dim));
    q = numbers.Many(int64_t{count} * shape.num_key_heads * shape.key_dim, size);
    k = numbers.Many(int64_t{count} * shape.num_key_heads * shape.key_dim, 1.5f * size);
    v = numbers.Many(int64_t{count} * shape.num_value_heads * shape.value_dim);
    beta = numbers.Many(int64_t{count} * shape.num_value_heads, 0.5f);
    decay = numbers.Many(int64_t{count} * shape.num_value_heads, 0.2f);
    for (float& x : beta) x += 0.5f;
    for (float& x : decay) x += 0.79f;
  }
  // Rows [begin, begin + rows); sequences and out are the caller's to set.
  DeltaRuleArgs Args(int begin, int rows) const {
    const int64_t keys = int64_t{shape.num_key_heads} * shape.key_dim;
    const int64_t values = int64_t{shape.num_value_heads} * shape.value_dim;
    const int64_t heads = shape.num_value_heads;
    return {.shape = shape,
            .q = F32(q.data() + begin * keys, {rows, shape.num_key_heads, shape.key_dim}),
            .k = F32(k.data() + begin * keys, {rows, shape.num_key_heads, shape.key_dim}),
            .v = F32(v.data() + begin * values, {rows, shape.num_value_heads, shape.value_dim}),
            .beta = F32(beta.data() + begin * heads, {rows, heads}),
            .decay = F32(decay.data() + begin * heads, {rows, heads}),
            .sequences = {},
            .out = {}};
  }
  int64_t out_width() const { return int64_t{shape.num_value_heads} * shape.value_dim; }

  DeltaShape shape;
  int count;
  std::vector<float> q, k, v, beta, decay;
};

// Orders of addition: the canonical one, and ones that would be mistakes.
enum class DeltaOrder { kCanonical, kOneChain, kChainsOfHalves, kOutputFromNewState };

// The recurrence, token by token and number by number; states as [head][key][value].
class PlainDelta {
 public:
  PlainDelta(const DeltaInputs& inputs, DeltaOrder order)
      : inputs_(inputs), order_(order), shape_(inputs.shape) {
    const size_t head = static_cast<size_t>(shape_.key_dim) * static_cast<size_t>(shape_.value_dim);
    state_.resize(static_cast<size_t>(shape_.num_value_heads) * head);
  }

  std::vector<float> Run() {
    std::vector<float> out;
    for (int t = 0; t < inputs_.count; ++t)
      for (int head = 0; head < shape_.num_value_heads; ++head)
        for (int c = 0; c < shape_.value_dim; ++c) out.push_back(Step(t, head, c));
    return out;
  }
  float StateAt(int head, int key, int c) const {
    return state_[static_cast<size_t>((head * shape_.key_dim + key) * shape_.value_dim + c)];
  }

 private:
  float& At(int head, int key, int c) {
    return state_[static_cast<size_t>((head * shape_.key_dim + key) * shape_.value_dim + c)];
  }
  float Read(const float* x, int head, int c) {
    float chains[4] = {};
    for (int i = 0; i < shape_.key_dim; ++i) {
      const int chain = order_ == DeltaOrder::kOneChain         ? 0
                        : order_ == DeltaOrder::kChainsOfHalves ? 4 * i / shape_.key_dim
                                                                : i % 4;
      chains[chain] = ref::FmaOne(x[i], At(head, i, c), chains[chain]);
    }
    return (chains[0] + chains[1]) + (chains[2] + chains[3]);
  }
  static float Dot(const float* a, const float* b, int count) {
    float lanes[16] = {};
    for (int i = 0; i < count; ++i) lanes[i % 16] = ref::FmaOne(a[i], b[i], lanes[i % 16]);
    for (int half = 8; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
    return lanes[0];
  }
  float Step(int t, int head, int c) {
    const int key_head = head / (shape_.num_value_heads / shape_.num_key_heads);
    const int64_t key_at = (int64_t{t} * shape_.num_key_heads + key_head) * shape_.key_dim;
    const int64_t head_at = int64_t{t} * shape_.num_value_heads + head;
    const float* k = inputs_.k.data() + key_at;
    const float* q = inputs_.q.data() + key_at;
    const float v = inputs_.v[static_cast<size_t>(head_at * shape_.value_dim + c)];
    const float beta = inputs_.beta[static_cast<size_t>(head_at)];
    const float decay = inputs_.decay[static_cast<size_t>(head_at)];
    const float r = Read(k, head, c), z = Read(q, head, c);
    const float delta = beta * (v - decay * r);
    const float out = ref::FmaOne(delta, Dot(k, q, shape_.key_dim), decay * z);
    for (int i = 0; i < shape_.key_dim; ++i)
      At(head, i, c) = ref::FmaOne(k[i], delta, decay * At(head, i, c));
    return order_ == DeltaOrder::kOutputFromNewState ? Read(q, head, c) : out;
  }

  const DeltaInputs& inputs_;
  DeltaOrder order_;
  DeltaShape shape_;
  std::vector<float> state_;
};

// A home's part of one layer: a state with its length, a spare, a ring of waiting rows. All memory
// is NaN at first: what is read unwritten shows.
class TestHome {
 public:
  TestHome(const DeltaShape& shape, int late_rows) : shape_(shape), late_rows_(late_rows) {
    const size_t floats = static_cast<size_t>(DeltaStateFloats(shape));
    const size_t ring = 2 * static_cast<size_t>(late_rows);
    state_.assign(floats, NAN);
    spare_.assign(floats, NAN);
    k_.assign(ring * static_cast<size_t>(shape.num_key_heads * shape.key_dim), NAN);
    delta_.assign(ring * static_cast<size_t>(shape.num_value_heads * shape.value_dim), NAN);
    decay_.assign(ring * static_cast<size_t>(shape.num_value_heads), NAN);
  }

  // Where the next `rows` rows go: as a worker chooses.
  DeltaSequence Plan(int rows) {
    DeltaSequence sequence;
    sequence.num_rows = rows;
    sequence.position_begin = length_;
    sequence.state_length = state_length_;
    sequence.state = state_.data();
    sequence.spare = spare_.data();
    sequence.waiting = {k_.data(), delta_.data(), decay_.data(), 2 * late_rows_};
    sequence.store = length_ == 0         ? DeltaStore::kOwn
                     : rows <= late_rows_ ? DeltaStore::kWait
                                          : DeltaStore::kSpare;
    store_ = sequence.store;
    return sequence;
  }

  // Runs rows of `inputs` (of the same numbering) at the committed length.
  std::vector<float> Run(KernelContext& context, const DeltaInputs& inputs, int rows) {
    std::vector<float> out(static_cast<size_t>(rows * inputs.out_width()));
    const DeltaSequence sequence = Plan(rows);
    DeltaRuleArgs args = inputs.Args(static_cast<int>(length_), rows);
    args.sequences = {&sequence, 1};
    args.out = F32(out.data(), {rows, shape_.num_value_heads, shape_.value_dim});
    EXPECT_OK(DeltaRule(context, args));
    state_length_ = length_;
    return out;
  }
  // Commits a prefix of the rows just run; pieces longer than late_rows are committed whole.
  void Commit(int rows) {
    length_ += rows;
    if (store_ == DeltaStore::kWait) return;
    if (store_ == DeltaStore::kSpare) std::swap(state_, spare_);
    state_length_ = length_;
  }

  int64_t length() const { return length_; }
  const std::vector<float>& state() const { return state_; }

 private:
  DeltaShape shape_;
  int late_rows_;
  int64_t length_ = 0;
  int64_t state_length_ = 0;
  DeltaStore store_ = DeltaStore::kWait;
  std::vector<float> state_, spare_, k_, delta_, decay_;
};

// Rows of a sequence in pieces, each committed; then as many outputs.
inline std::vector<float> RunInPieces(KernelContext& context, const DeltaInputs& inputs,
                                      int late_rows, int piece) {
  TestHome home(inputs.shape, late_rows);
  std::vector<float> out;
  for (const int rows : Pieces(inputs.count, piece)) {
    const std::vector<float> some = home.Run(context, inputs, rows);
    home.Commit(rows);
    out.insert(out.end(), some.begin(), some.end());
  }
  return out;
}

// Heads and sizes that are no multiple of anything, and the published ratio.
inline constexpr DeltaShape kDeltaShapes[] = {{1, 1, 2, 2},  {1, 2, 16, 32}, {2, 2, 18, 24},
                                              {1, 4, 7, 40}, {2, 4, 64, 64}, {1, 1, 33, 100}};

}  // namespace atl::kernels
