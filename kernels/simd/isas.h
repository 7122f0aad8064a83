// The three ISAs of a kernel: the same body compiled in three target regions. A body is included
// once per ISA, between ATOLL_PAGE_X_BEGIN and ATOLL_ISA_END, after every standard header (a
// standard header inside a region would give baseline callers code that their CPU may not have).
// "ref" has FMA because std::fma without it is a call into libm.
#pragma once

// A pragma's text must stay one string, so the formatter keeps out.
// clang-format off
#define ATOLL_PRAGMA(...) _Pragma(#__VA_ARGS__)
#if defined(__clang__)
#define ATOLL_TARGET_BEGIN(features) \
  ATOLL_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define ATOLL_TARGET_END ATOLL_PRAGMA(clang attribute pop)
#else
#define ATOLL_TARGET_BEGIN(features) \
  ATOLL_PRAGMA(GCC push_options) ATOLL_PRAGMA(GCC target(features))
#define ATOLL_TARGET_END ATOLL_PRAGMA(GCC pop_options)
#endif

#define ATOLL_ISA_REF_BEGIN ATOLL_TARGET_BEGIN("fma") namespace atl::kernels::ref {
#define ATOLL_ISA_AVX2_BEGIN ATOLL_TARGET_BEGIN("avx2,fma") namespace atl::kernels::avx2 {
#define ATOLL_ISA_AVX512_BEGIN \
  ATOLL_TARGET_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma") namespace atl::kernels::avx512 {
#define ATOLL_ISA_END } ATOLL_TARGET_END
// clang-format on
