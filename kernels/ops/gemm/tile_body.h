// Products of a panel's columns and a few rows over F32x16; included once an ISA, after
// gemm_body.h. A panel is read in pairs of k, as WeightView::panels has them (bf16), or widened:
// [k][32] fp32. Tiles of rows pass over kGemmDepth k's of it while they lie in L1.

namespace {

// A tile's accumulators, weights and one broadcast fill the registers: 12 · 2 + 2 + 1 of 32 zmm, or
// 6 · 2 halves + 2 + 1 of 16 ymm.
inline constexpr int kTileRows = kIsAvx512 ? 12 : kIsAvx2 ? 6 : 4;
// Vectors of 16 columns that a tile of so many rows takes at once: the whole panel, or half of it.
template <int kRows>
inline constexpr int kTileVectors = kIsAvx512 || 2 * kRows <= kTileRows ? 2 : 1;

// Elements of two k's of a panel, of either type.
inline constexpr int kPairElements = 2 * kPanelColumns;
// How far a stream is fetched ahead, in bytes, since the CPU's own prefetch ends with a page. Few
// rows wait for memory: to L1. More of them need L1 for themselves.
inline constexpr int kFewRows = 3;
inline constexpr int kAheadToL1 = 4096;
inline constexpr int kAheadToL2 = 8192;

template <int kRows>
inline void FetchAhead(const void* stream) {
  const char* line = static_cast<const char*>(stream);
  for (int i = 0; i < 2; ++i, line += 64) {
    if constexpr (kRows <= kFewRows)
      Prefetch(line + kAheadToL1);
    else
      PrefetchL2(line + kAheadToL2);
  }
}

template <bool kOdd>
inline F32x16 PairOf(const Bf16* pair, int vector) {
  const U32x16 both = LoadU(pair + vector * 32);
  if constexpr (kOdd) return FromBits(AndU(both, SetU(0xffff0000u)));
  return FromBits(ShiftLeftU<16>(both));
}
template <bool kOdd>
inline F32x16 PairOf(const float* pair, int vector) {
  return Load(pair + (kOdd ? kPanelColumns : 0) + vector * 16);
}

enum class Chain { kStart, kContinue };
template <typename Element>
struct Tile {
  const float* x;  // [rows][kGemmDepth], or one row
  const Element* panel;
  int depth;
  float* y;
  int64_t y_stride;
  int num_columns;
  Chain chain;
};
// Clang 14 does not deduce aggregates by itself.
template <typename Element>
Tile(const float*, const Element*, int, float*, int64_t, int, Chain) -> Tile<Element>;

template <int kRows, int kVectors>
struct Accumulators {
  F32x16 of[kRows][kVectors];

  template <typename Element>
  void Start(const Tile<Element>& tile, int first) {
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v)
        of[r][v] = tile.chain == Chain::kStart
                       ? Zero()
                       : LoadN(tile.y + r * tile.y_stride + 16 * (first + v),
                               LanesOf(tile.num_columns, first + v), 0.0f);
  }
  template <bool kOdd, typename Element>
  void Add(const Element* pair, const float* x, int first) {
    F32x16 w[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      w[v] = PairOf<kOdd>(pair, first + v);
      KeepInRegisters(w[v]);
    }
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      const F32x16 broadcast = Set1(x[r * kGemmDepth]);
      for (int v = 0; v < kVectors; ++v) of[r][v] = Fma(broadcast, w[v], of[r][v]);
    }
  }
  template <typename Element>
  void Finish(const Tile<Element>& tile, int first) const {
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v)
        StoreN(tile.y + r * tile.y_stride + 16 * (first + v), of[r][v],
               LanesOf(tile.num_columns, first + v));
  }
  // Of vector v, those that exist.
  static int LanesOf(int num_columns, int v) {
    const int left = num_columns - 16 * v;
    return left < 0 ? 0 : Smaller(left, 16);
  }
};

template <int kRows, typename Element>
[[gnu::noinline, gnu::flatten]] void RunTile(const Tile<Element>& tile) {
  constexpr int kVectors = kTileVectors<kRows>;
  for (int first = 0; 16 * first < Smaller(tile.num_columns, kPanelColumns); first += kVectors) {
    Accumulators<kRows, kVectors> acc;
    acc.Start(tile, first);
    const Element* pair = tile.panel;
    const float* x = tile.x;
    for (int k = 0; k + 2 <= tile.depth; k += 2) {
      FetchAhead<kRows>(pair);
      acc.template Add<false>(pair, x, first);
      acc.template Add<true>(pair, x + 1, first);
      pair += kPairElements;
      x += 2;
    }
    if (tile.depth % 2 != 0) acc.template Add<false>(pair, x, first);
    acc.Finish(tile, first);
  }
}

template <int kRows, typename Element>
inline void RunTileOf(int num_rows, const Tile<Element>& tile) {
  if (num_rows == kRows) return RunTile<kRows>(tile);
  if constexpr (kRows > 1) RunTileOf<kRows - 1>(num_rows, tile);
}

// All rows over one panel, in tiles of nearly equal heights.
template <typename Element>
inline void RunTiles(Tile<Element> tile, int num_rows) {
  for (int tiles = (num_rows + kTileRows - 1) / kTileRows; tiles > 0; --tiles) {
    const int height = (num_rows + tiles - 1) / tiles;
    RunTileOf<kTileRows>(height, tile);
    tile.x += height * kGemmDepth;
    tile.y += height * tile.y_stride;
    num_rows -= height;
  }
}

}  // namespace
