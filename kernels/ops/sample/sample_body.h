// What sampling asks of whole rows, over F32x16; included once an ISA (see kernels/simd/f32x16.h).

// The largest and the least logit, −inf apart; whether one is NaN. −inf and +inf where there is
// nothing but −inf.
void RangeOfLogits(const float* x, size_t count, LogitRange* range) {
  const F32x16 infinity = FromBits(SetU(0x7f800000u));
  const F32x16 minus_infinity = FromBits(SetU(0xff800000u));
  F32x16 most = minus_infinity, most_below = minus_infinity;
  uint32_t numbers = 0xffffu;
  for (size_t i = 0; i < count; i += 16) {
    const int n = count - i < 16 ? static_cast<int>(count - i) : 16;
    const F32x16 v = LoadN(x + i, n, -std::numeric_limits<float>::infinity());
    most = Max(v, most);
    const F32x16 below = Sub(Zero(), v);
    most_below = Max(Select(Less(below, infinity), below, minus_infinity), most_below);
    numbers &= BitsOf(Equal(v, v));
  }
  *range = {
      .largest = ReduceMax(most), .least = -ReduceMax(most_below), .has_nan = numbers != 0xffffu};
}

// Lists in ascending index what is above `bound` from `begin` on, until there is no room for 16
// more.
void ListAbove(const float* x, size_t count, size_t begin, float bound, AboveList* list) {
  const F32x16 least = Set1(bound);
  size_t i = begin;
  list->num_listed = 0;
  for (; i < count && list->num_listed + 16 <= AboveList::kCapacity; i += 16) {
    const int n = count - i < 16 ? static_cast<int>(count - i) : 16;
    const F32x16 v = LoadN(x + i, n, -std::numeric_limits<float>::infinity());
    for (uint32_t above = BitsOf(Less(least, v)); above != 0; above &= above - 1)
      list->indices[list->num_listed++] = static_cast<int32_t>(i) + __builtin_ctz(above);
  }
  list->end = i < count ? i : count;
}

// Copies what is not below `bound`, in order; `kept` has room for all.
void KeepFrom(const float* x, size_t count, float bound, float* kept, size_t* num_kept) {
  const F32x16 least = Set1(bound);
  size_t num = 0;
  for (size_t i = 0; i < count; i += 16) {
    const int n = count - i < 16 ? static_cast<int>(count - i) : 16;
    const F32x16 v = LoadN(x + i, n, 0.0f);
    uint32_t keeps = BitsOf(LessEqual(least, v)) & BitsOf(FirstN(n));
    if (keeps == 0xffffu) {
      Store(kept + num, v);
      num += 16;
      continue;
    }
    for (; keeps != 0; keeps &= keeps - 1)
      kept[num++] = x[i + static_cast<size_t>(__builtin_ctz(keeps))];
  }
  *num_kept = num;
}

// e^((x − largest) / temperature), exactly 1 for the largest itself, also where it is +inf.
void WeightsOfLogits(const float* x, size_t count, const Sharpness& sharpness, float* weights) {
  const F32x16 largest = Set1(sharpness.largest), temperature = Set1(sharpness.temperature);
  for (size_t i = 0; i < count; i += 16) {
    const int n = count - i < 16 ? static_cast<int>(count - i) : 16;
    const F32x16 v = LoadN(x + i, n, 0.0f);
    const F32x16 exponent = Div(Sub(v, largest), temperature);
    StoreN(weights + i, Exp(Select(Equal(v, largest), Zero(), exponent)), n);
  }
}

// Adds weights to a sum of at least 1 that none of them exceeds. Between two powers of two each
// addition rounds a weight to a multiple of the sum's last place, whatever the sum: so it may be
// rounded alone and the order does not matter, but for weights half way between two multiples
// (there the sum's last bit decides) and where the sum passes the next power of two.
void AddInAnyOrder(const float* weights, size_t count, float sum, UnorderedSum* result) {
  const F32x16 power = FromBits(AndU(BitsOf(Set1(sum)), SetU(0x7f800000u)));
  const F32x16 half_way = Mul(power, Set1(0x1p-24f));
  F32x16 added = Zero();
  uint32_t ties = 0;
  for (size_t i = 0; i < count; i += 16) {
    const int n = count - i < 16 ? static_cast<int>(count - i) : 16;
    const F32x16 weight = LoadN(weights + i, n, 0.0f);
    const F32x16 rounded = Sub(Add(power, weight), power);
    const F32x16 lost = Sub(weight, rounded);
    ties |= BitsOf(Equal(lost, half_way)) | BitsOf(Equal(Sub(Zero(), lost), half_way));
    added = Add(added, rounded);
  }
  result->sum = sum + ReduceAdd(added);
  result->is_exact = ties == 0 && result->sum < 2.0f * Lane0(power);
}

// The first index of a logit equal to `value`; count where there is none.
void FirstEqual(const float* x, size_t count, float value, size_t* index) {
  const F32x16 wanted = Set1(value);
  for (size_t i = 0; i < count; i += 16) {
    const int n = count - i < 16 ? static_cast<int>(count - i) : 16;
    const F32x16 v = LoadN(x + i, n, 0.0f);
    const uint32_t equal = BitsOf(Equal(v, wanted)) & BitsOf(FirstN(n));
    if (equal == 0) continue;
    *index = i + static_cast<size_t>(__builtin_ctz(equal));
    return;
  }
  *index = count;
}
