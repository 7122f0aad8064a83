// Many rows of x times the columns of a matrix; included once an ISA, after tile_body.h.

namespace {

// --- Where panels come from: Block(panel, k, depth) are k … k + depth − 1 ≤ kGemmDepth of one.

// Packed ones, as they stand in memory; one stream.
struct StreamedPanels {
  const Bf16* first;
  int64_t panel_elements;
  const Bf16* Block(int panel, int64_t k, int) const {
    return first + panel * panel_elements + k * kPanelColumns;
  }
};

// Those of two matrices, `each` of the first, then the second's.
struct TwoStreams {
  StreamedPanels first, second;
  int each;
  const Bf16* Block(int panel, int64_t k, int depth) const {
    return panel < each ? first.Block(panel, k, depth) : second.Block(panel - each, k, depth);
  }
};

// Packs columns [0, 16) of `w` into a panel's place for them; what does not exist is zero.
[[gnu::noinline, gnu::flatten]] void PackColumns(const WeightRows<Bf16>& w, int64_t k_begin,
                                                 int64_t depth, Bf16* to) {
  constexpr int kStep = Transposed<Bf16>::kStep;
  const Mask16 exists = FirstN(Smaller(w.num_columns, 16));
  LaterRows<Bf16> later(w, kPanelColumns, k_begin);
  for (int64_t k = 0; k < depth; k += kStep) {
    later.Fetch();
    Transposed<Bf16> t;
    if (depth - k >= kStep)
      t.LoadFull(w, k_begin + k);
    else
      t.LoadTail(w, k_begin + k, static_cast<int>(depth - k));
    const int64_t pairs = (depth - k + 1) / 2;
    for (int j = 0; j < kStep / 2 && j < pairs; ++j)
      StoreU(to + (k / 2 + j) * kPairElements, BitsOf(Select(exists, t.rows[j], Zero())));
  }
}

// The other types, widened.
template <typename Weight>
[[gnu::noinline, gnu::flatten]] void PackColumns(const WeightRows<Weight>& w, int64_t k_begin,
                                                 int64_t depth, float* to) {
  constexpr int kStep = Transposed<Weight>::kStep;
  LaterRows<Weight> later(w, kPanelColumns, k_begin);
  for (int64_t k = 0; k < depth; k += kStep) {
    later.Fetch();
    Transposed<Weight> t;
    const int count = depth - k < kStep ? static_cast<int>(depth - k) : kStep;
    if (count == kStep)
      t.LoadFull(w, k_begin + k);
    else
      t.LoadTail(w, k_begin + k, count);
    for (int j = 0; j < count; ++j) Store(to + (k + j) * kPanelColumns, t.At(j));
  }
}

// Row-major ones, packed block by block into scratch in L1. Columns beyond the last keep what the
// scratch had: they are computed and never stored.
template <typename Weight>
struct PackedPanels {
  using Element = std::conditional_t<std::is_same_v<Weight, Bf16>, Bf16, float>;
  WeightRows<Weight> w;
  float* scratch;  // kGemmPanelFloats
  const Element* Block(int panel, int64_t k, int depth) const {
    Element* block = reinterpret_cast<Element*>(scratch);
    constexpr int kVectorElements = kPairElements / 2 / (std::is_same_v<Weight, Bf16> ? 1 : 2);
    for (int v = 0; v < 2; ++v) {
      const auto columns = w.From(panel * static_cast<int>(kPanelColumns) + 16 * v);
      if (columns.num_columns > 0) PackColumns(columns, k, depth, block + v * kVectorElements);
    }
    return block;
  }
};

// --- Where rows of x stand: strided rows of fp32, or rows by pointer.

struct StridedRows {
  const float* x;
  int64_t stride;
  const float* Row(int t) const { return x + t * stride; }
  StridedRows From(int t) const { return {x + t * stride, stride}; }
};
template <typename X>
struct PointerRows {
  const void* const* rows;
  const X* Row(int t) const { return static_cast<const X*>(rows[t]); }
  PointerRows From(int t) const { return {rows + t}; }
};

// Copies `depth` elements of a row, widened.
template <typename X>
inline void WidenInto(const X* x, int64_t depth, float* to) {
  int64_t k = 0;
  for (; k + 16 <= depth; k += 16) Store(to + k, Load(x + k));
  const int rest = static_cast<int>(depth - k);
  if (rest > 0) StoreN(to + k, LoadN(x + k, rest, 0.0f), rest);
}

// k_begin … k_begin + depth − 1 of the rows, as tiles read them: [depth / kGemmDepth][rows]
// [kGemmDepth]. A single row of fp32 lies so already.
template <typename Rows>
[[gnu::noinline, gnu::flatten]] const float* Stage(const Rows& rows, int num_rows, int64_t k_begin,
                                                   int64_t depth, float* staged) {
  if constexpr (std::is_same_v<Rows, StridedRows>) {
    if (num_rows == 1) return rows.Row(0) + k_begin;
  }
  for (int64_t k = 0; k < depth; k += kGemmDepth) {
    const int64_t part = depth - k < kGemmDepth ? depth - k : kGemmDepth;
    for (int t = 0; t < num_rows; ++t)
      WidenInto(rows.Row(t) + k_begin + k, part, staged + k * num_rows + t * kGemmDepth);
  }
  return staged;
}

// What RowsTimes computes: y[t][n] for num_rows ≤ kGemmRows rows and num_columns columns.
struct Block {
  int num_rows;
  int64_t depth;
  int num_columns;
  float* y;
  int64_t y_stride;
  float* scratch;  // kGemmScratchFloats
};

// As many k's as the staged rows have room for in L2, then panel after panel over them: few rows
// read each panel in one stream, many read it in pieces.
template <typename Rows, typename Panels>
inline void RowsTimes(const Rows& rows, const Panels& panels, const Block& block) {
  const int64_t staged_depth = kGemmStagedFloats / block.num_rows / kGemmDepth * kGemmDepth;
  for (int64_t begin = 0; begin < block.depth; begin += staged_depth) {
    const int64_t left = block.depth - begin;
    const int64_t depth = left < staged_depth ? left : staged_depth;
    const float* x = Stage(rows, block.num_rows, begin, depth, block.scratch + kGemmPanelFloats);
    for (int n = 0; n < block.num_columns; n += kPanelColumns) {
      for (int64_t k = 0; k < depth; k += kGemmDepth) {
        const int part = static_cast<int>(depth - k < kGemmDepth ? depth - k : kGemmDepth);
        RunTiles(Tile{x + k * block.num_rows, panels.Block(n / kPanelColumns, begin + k, part),
                      part, block.y + n, block.y_stride, block.num_columns - n,
                      begin + k == 0 ? Chain::kStart : Chain::kContinue},
                 block.num_rows);
      }
    }
  }
}

inline bool HasPanels(const WeightView& w) {
  return w.panels != nullptr && w.first_row % kPanelColumns == 0;
}

inline StreamedPanels PanelsOf(const WeightView& w) {
  const int64_t elements = PanelElements(w.columns());
  return {w.panels + w.first_row / kPanelColumns * elements, elements};
}

template <typename Rows, typename Weight>
inline void RowsTimesRowMajor(const Rows& rows, const WeightRows<Weight>& w, const Block& block) {
  if (block.num_rows == 1 && block.depth <= kGemmStagedFloats) {
    const float* x = Stage(rows, 1, 0, block.depth, block.scratch + kGemmPanelFloats);
    RowTimes(x, block.depth, w, block.y);
  } else {
    RowsTimes(rows, PackedPanels<Weight>{w, block.scratch}, block);
  }
}

// The rows times all rows of `weight`, as it stands in memory.
template <typename Rows>
inline void RowsTimesWeight(const Rows& rows, const WeightView& weight, const Block& block) {
  if (HasPanels(weight)) {
    RowsTimes(rows, PanelsOf(weight), block);
  } else {
    OnWeightType(weight, [&](const auto& w) { RowsTimesRowMajor(rows, w, block); });
  }
}

}  // namespace
