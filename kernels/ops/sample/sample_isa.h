// The ISAs of sample; only the files of this folder include it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace atl::kernels {

struct LogitRange {
  float largest;
  float least;  // that is not −inf
  bool has_nan;
};

struct AboveList {
  static constexpr size_t kCapacity = 512;
  std::array<int32_t, kCapacity> indices;
  size_t num_listed;
  size_t end;  // what is listed lies before it
};

// What makes weights of logits: e^((logit − largest) / temperature).
struct Sharpness {
  float largest;
  float temperature;
};

struct UnorderedSum {
  float sum;
  bool is_exact;  // the sum that every order gives
};

namespace ref {
void RangeOfLogits(const float* x, size_t count, LogitRange* range);
void ListAbove(const float* x, size_t count, size_t begin, float bound, AboveList* list);
void KeepFrom(const float* x, size_t count, float bound, float* kept, size_t* num_kept);
void WeightsOfLogits(const float* x, size_t count, const Sharpness& sharpness, float* weights);
void AddInAnyOrder(const float* weights, size_t count, float sum, UnorderedSum* result);
void FirstEqual(const float* x, size_t count, float value, size_t* index);
}  // namespace ref
namespace avx2 {
void RangeOfLogits(const float* x, size_t count, LogitRange* range);
void ListAbove(const float* x, size_t count, size_t begin, float bound, AboveList* list);
void KeepFrom(const float* x, size_t count, float bound, float* kept, size_t* num_kept);
void WeightsOfLogits(const float* x, size_t count, const Sharpness& sharpness, float* weights);
void AddInAnyOrder(const float* weights, size_t count, float sum, UnorderedSum* result);
void FirstEqual(const float* x, size_t count, float value, size_t* index);
}  // namespace avx2
namespace avx512 {
void RangeOfLogits(const float* x, size_t count, LogitRange* range);
void ListAbove(const float* x, size_t count, size_t begin, float bound, AboveList* list);
void KeepFrom(const float* x, size_t count, float bound, float* kept, size_t* num_kept);
void WeightsOfLogits(const float* x, size_t count, const Sharpness& sharpness, float* weights);
void AddInAnyOrder(const float* weights, size_t count, float sum, UnorderedSum* result);
void FirstEqual(const float* x, size_t count, float value, size_t* index);
}  // namespace avx512
}  // namespace atl::kernels
