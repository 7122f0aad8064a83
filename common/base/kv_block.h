// The unit in which keys and values are kept, counted and moved. The coordinator's ledger, the
// workers' caches and the kernels agree on it at compile time.
#pragma once

namespace atl {

inline constexpr int kBlockTokens = 64;

}  // namespace atl
