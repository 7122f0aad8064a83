// The three pages of a kernel: the same body compiled in three target regions. A body is included
// once per page, between ATOLL_PAGE_X_BEGIN and ATOLL_PAGE_END, after every standard header (a
// standard header inside a region would give baseline callers code that their CPU may not have).
// "ref" has FMA because std::fma without it is a call into libm.
#pragma once

#if defined(__clang__)
#define ATOLL_PAGE_REF_BEGIN                                               \
  _Pragma(                                                                 \
      "clang attribute push(__attribute__((target(\"fma\"))), apply_to = " \
      "function)") namespace atl::kernels::ref {
#define ATOLL_PAGE_AVX2_BEGIN                                                   \
  _Pragma(                                                                      \
      "clang attribute push(__attribute__((target(\"avx2,fma\"))), apply_to = " \
      "function)") namespace atl::kernels::avx2 {
#define ATOLL_PAGE_AVX512_BEGIN                                                                    \
  _Pragma(                                                                                         \
      "clang attribute "                                                                           \
      "push(__attribute__((target(\"avx512f,avx512bw,avx512dq,avx512vl,avx2,fma\"))), apply_to = " \
      "function)") namespace atl::kernels::avx512 {
#define ATOLL_PAGE_END \
  }                    \
  _Pragma("clang attribute pop")
#else
#define ATOLL_PAGE_REF_BEGIN \
  _Pragma("GCC push_options") _Pragma("GCC target(\"fma\")") namespace atl::kernels::ref {
#define ATOLL_PAGE_AVX2_BEGIN \
  _Pragma("GCC push_options") _Pragma("GCC target(\"avx2,fma\")") namespace atl::kernels::avx2 {
#define ATOLL_PAGE_AVX512_BEGIN                                                              \
  _Pragma("GCC push_options")                                                                \
      _Pragma("GCC target(\"avx512f,avx512bw,avx512dq,avx512vl,avx2,fma\")") namespace atl:: \
          kernels::avx512 {
#define ATOLL_PAGE_END \
  }                    \
  _Pragma("GCC pop_options")
#endif
