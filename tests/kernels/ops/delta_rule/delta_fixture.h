// Gated DeltaNet of one sequence and layer, for the tests of delta_rule: its inputs, the recurrence
// written out, and a home that keeps a state as a worker does.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "kernels/ops/delta_rule/delta_rule.h"
#include "tests/kernels/ops/sequence_fixtures.h"
#include "tests/support/status_matchers.h"

namespace atl::kernels {

struct DeltaCase {
  DeltaShape shape;
  int taps = 4;
  DType columns = DType::kBf16;
};

// Everything of one sequence that the projections and the checkpoint give.
struct DeltaInputs {
  DeltaInputs(const DeltaCase& of, int count_of, uint64_t seed)
      : shape(of.shape), taps(of.taps), columns(of.columns), count(count_of) {
    Numbers numbers(seed);
    const int64_t heads = shape.num_value_heads, channels = shape.conv_channels();
    qkv = numbers.Many(count * channels, 2.0f);
    z = numbers.Many(count * out_width(), 3.0f);
    a = numbers.Many(count * heads, 2.0f);
    b = numbers.Many(count * heads, 3.0f);
    const std::vector<float> weight = numbers.Many(channels * taps);
    a_log = numbers.Many(heads);
    dt_bias = numbers.Many(heads);
    norm = numbers.Many(shape.value_dim);
    for (float& x : a) x -= 2.0f;  // so that much of the state stays
    conv.resize(weight.size());
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t j = 0; j < taps; ++j)
        conv[static_cast<size_t>(j * channels + c)] = weight[static_cast<size_t>(c * taps + j)];
  }
  // Rows [begin, begin + rows); sequences and out are the caller's to set.
  DeltaRuleArgs Args(int begin, int rows) const {
    const int64_t heads = shape.num_value_heads, channels = shape.conv_channels();
    return {.shape = shape,
            .qkv = F32(qkv.data() + begin * channels, {rows, channels}),
            .z = F32(z.data() + begin * out_width(), {rows, heads, shape.value_dim}),
            .a = F32(a.data() + begin * heads, {rows, heads}),
            .b = F32(b.data() + begin * heads, {rows, heads}),
            .weights = {.conv = F32(conv.data(), {taps, channels}),
                        .a_log = F32(a_log.data(), {heads}),
                        .dt_bias = F32(dt_bias.data(), {heads}),
                        .norm = F32(norm.data(), {shape.value_dim})},
            .l2_epsilon = 1e-6f,
            .q_scale = q_scale(),
            .norm_epsilon = 1e-6f,
            .sequences = {},
            .out = {}};
  }
  int64_t out_width() const { return int64_t{shape.num_value_heads} * shape.value_dim; }
  float q_scale() const { return 1.0f / std::sqrt(static_cast<float>(shape.key_dim)); }
  // What the ring gives back.
  float Kept(float x) const { return columns == DType::kF32 ? x : ToFloat(ToBf16(x)); }

  DeltaShape shape;
  int taps;
  DType columns;
  int count;
  std::vector<float> qkv, z, a, b, conv, a_log, dt_bias, norm;  // conv: [taps][C]
};

// Orders of addition: the canonical one, and ones that would be mistakes.
enum class DeltaOrder {
  kCanonical,
  kOneChain,
  kChainsOfHalves,
  kOutputFromNewState,
  kTapsReversed
};

// The operator written out, token by token and number by number; states as [head][key][value].
class PlainDelta {
 public:
  PlainDelta(const DeltaInputs& inputs, DeltaOrder order)
      : inputs_(inputs), order_(order), shape_(inputs.shape) {
    const size_t head = static_cast<size_t>(shape_.key_dim) * static_cast<size_t>(shape_.value_dim);
    state_.resize(static_cast<size_t>(shape_.num_value_heads) * head);
  }

  std::vector<float> Run() {
    std::vector<float> out;
    for (int t = 0; t < inputs_.count; ++t) {
      for (int head = 0; head < shape_.num_value_heads; ++head) {
        const std::vector<float> o = Step(t, head);
        const std::vector<float> gated = Gated(t, head, o);
        out.insert(out.end(), gated.begin(), gated.end());
      }
    }
    return out;
  }
  float StateAt(int head, int key, int c) const {
    return state_[static_cast<size_t>((head * shape_.key_dim + key) * shape_.value_dim + c)];
  }

 private:
  float& At(int head, int key, int c) {
    return state_[static_cast<size_t>((head * shape_.key_dim + key) * shape_.value_dim + c)];
  }
  std::vector<float> Convolved(int t, int64_t first, int count) const {
    const int64_t channels = shape_.conv_channels();
    std::vector<float> result;
    for (int64_t c = first; c < first + count; ++c) {
      float sum = 0.0f;
      for (int i = 0; i < inputs_.taps; ++i) {
        const int j = order_ == DeltaOrder::kTapsReversed ? inputs_.taps - 1 - i : i;
        const int64_t from = t - (inputs_.taps - 1) + j;
        if (from < 0) continue;
        sum = ref::FmaOne(inputs_.conv[static_cast<size_t>(j * channels + c)],
                          inputs_.Kept(inputs_.qkv[static_cast<size_t>(from * channels + c)]), sum);
      }
      result.push_back(ref::SiluOne(sum));
    }
    return result;
  }
  static std::vector<float> Normalised(std::vector<float> x, float scale) {
    const float inverse = ref::RsqrtOne(Dot(x, x) + 1e-6f);
    for (float& each : x) each = each * inverse * scale;
    return x;
  }
  float Read(const std::vector<float>& x, int head, int c) {
    float chains[4] = {};
    for (int i = 0; i < shape_.key_dim; ++i) {
      const int chain = order_ == DeltaOrder::kOneChain         ? 0
                        : order_ == DeltaOrder::kChainsOfHalves ? 4 * i / shape_.key_dim
                                                                : i % 4;
      chains[chain] = ref::FmaOne(x[static_cast<size_t>(i)], At(head, i, c), chains[chain]);
    }
    return (chains[0] + chains[1]) + (chains[2] + chains[3]);
  }
  static float Dot(const std::vector<float>& a, const std::vector<float>& b) {
    float lanes[16] = {};
    for (size_t i = 0; i < a.size(); ++i) lanes[i % 16] = ref::FmaOne(a[i], b[i], lanes[i % 16]);
    for (int half = 8; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
    return lanes[0];
  }
  std::vector<float> Step(int t, int head) {
    const int key_head = head / (shape_.num_value_heads / shape_.num_key_heads);
    const int64_t keys = int64_t{shape_.num_key_heads} * shape_.key_dim;
    const int64_t key_at = int64_t{key_head} * shape_.key_dim;
    const std::vector<float> q =
        Normalised(Convolved(t, key_at, shape_.key_dim), inputs_.q_scale());
    const std::vector<float> k = Normalised(Convolved(t, keys + key_at, shape_.key_dim), 1.0f);
    const std::vector<float> v =
        Convolved(t, 2 * keys + int64_t{head} * shape_.value_dim, shape_.value_dim);
    const size_t gate = static_cast<size_t>(t * shape_.num_value_heads + head);
    const size_t h = static_cast<size_t>(head);
    const float beta = ref::SigmoidOne(inputs_.b[gate]);
    const float decay = ref::ExpOne(
        -(ref::ExpOne(inputs_.a_log[h]) * ref::SoftplusOne(inputs_.a[gate] + inputs_.dt_bias[h])));
    std::vector<float> out;
    for (int c = 0; c < shape_.value_dim; ++c) {
      const float r = Read(k, head, c), z = Read(q, head, c);
      const float delta = beta * (v[static_cast<size_t>(c)] - decay * r);
      out.push_back(ref::FmaOne(delta, Dot(k, q), decay * z));
      for (int i = 0; i < shape_.key_dim; ++i)
        At(head, i, c) = ref::FmaOne(k[static_cast<size_t>(i)], delta, decay * At(head, i, c));
      if (order_ == DeltaOrder::kOutputFromNewState) out.back() = Read(q, head, c);
    }
    return out;
  }
  std::vector<float> Gated(int t, int head, std::vector<float> o) const {
    const float scale = ref::RsqrtOne(Dot(o, o) / static_cast<float>(o.size()) + 1e-6f);
    const int64_t z_at = t * inputs_.out_width() + int64_t{head} * shape_.value_dim;
    for (size_t c = 0; c < o.size(); ++c) {
      const float gate = ref::SiluOne(inputs_.z[static_cast<size_t>(z_at) + c]);
      o[c] = o[c] * scale * inputs_.norm[c] * gate;
    }
    return o;
  }

  const DeltaInputs& inputs_;
  DeltaOrder order_;
  DeltaShape shape_;
  std::vector<float> state_;
};

// A home's part of one layer: a state with its length, a ring of waiting rows, a ring of columns; a
// spare. All memory is NaN at first: what is read unwritten shows.
class TestHome {
 public:
  TestHome(const DeltaInputs& of, int late_rows)
      : shape_(of.shape),
        late_rows_(late_rows),
        num_columns_(of.taps - 1 + late_rows),
        columns_dtype_(of.columns) {
    const DeltaShape& shape = shape_;
    const size_t floats = static_cast<size_t>(DeltaStateFloats(shape));
    const size_t ring = 2 * static_cast<size_t>(late_rows);
    state_.assign(floats, NAN);
    spare_.assign(floats, NAN);
    k_.assign(ring * static_cast<size_t>(shape.num_key_heads * shape.key_dim), NAN);
    delta_.assign(ring * static_cast<size_t>(shape.num_value_heads * shape.value_dim), NAN);
    decay_.assign(ring * static_cast<size_t>(shape.num_value_heads), NAN);
    for (std::vector<std::byte>* columns : {&columns_, &spare_columns_})
      columns->assign(
          static_cast<size_t>(num_columns_ * shape.conv_channels()) * SizeOf(of.columns),
          std::byte{0xff});
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
    sequence.columns = {columns_.data(), num_columns_, columns_dtype_};
    sequence.new_columns = sequence.columns;
    if (sequence.store == DeltaStore::kSpare) sequence.new_columns.ring = spare_columns_.data();
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
  // Commits a prefix of the rows just run; chunks longer than late_rows are committed whole.
  void Commit(int rows) {
    length_ += rows;
    if (store_ == DeltaStore::kWait) return;
    if (store_ == DeltaStore::kSpare) {
      std::swap(state_, spare_);
      std::swap(columns_, spare_columns_);
    }
    state_length_ = length_;
  }

  int64_t length() const { return length_; }
  const std::vector<float>& state() const { return state_; }

 private:
  DeltaShape shape_;
  int late_rows_;
  int num_columns_;
  DType columns_dtype_;
  int64_t length_ = 0;
  int64_t state_length_ = 0;
  DeltaStore store_ = DeltaStore::kWait;
  std::vector<float> state_, spare_, k_, delta_, decay_;
  std::vector<std::byte> columns_, spare_columns_;
};

// Rows of a sequence in chunks, each committed; then as many outputs.
inline std::vector<float> RunInChunks(KernelContext& context, const DeltaInputs& inputs,
                                      int late_rows, int chunk) {
  TestHome home(inputs, late_rows);
  std::vector<float> out;
  for (const int rows : Chunks(inputs.count, chunk)) {
    const std::vector<float> some = home.Run(context, inputs, rows);
    home.Commit(rows);
    out.insert(out.end(), some.begin(), some.end());
  }
  return out;
}

// Heads, sizes and kernels that are no multiple of anything, and the published ratio.
inline constexpr DeltaCase kDeltaCases[] = {
    {{1, 1, 2, 2}, 2, DType::kF32},    {{1, 2, 16, 32}, 4, DType::kBf16},
    {{2, 2, 18, 24}, 3, DType::kBf16}, {{1, 4, 7, 40}, 8, DType::kF32},
    {{2, 4, 64, 64}, 4, DType::kF32},  {{1, 1, 33, 100}, 5, DType::kBf16}};

}  // namespace atl::kernels
