#include "kernels/dispatch/backend.h"

#include "common/base/status_macros.h"

namespace atl::kernels {
namespace {

bool Runs(Backend backend) {
  __builtin_cpu_init();
  switch (backend) {
    case Backend::kRef:
      return __builtin_cpu_supports("fma");
    case Backend::kAvx2:
      return __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx2");
    case Backend::kAvx512:
      return __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl");
  }
  return false;
}

}  // namespace

std::string_view NameOf(Backend backend) {
  switch (backend) {
    case Backend::kRef:
      return "ref";
    case Backend::kAvx2:
      return "avx2";
    case Backend::kAvx512:
      return "avx512";
  }
  return "?";
}

absl::StatusOr<Backend> BestBackend() {
  for (Backend backend : {Backend::kAvx512, Backend::kAvx2, Backend::kRef}) {
    if (Runs(backend)) return backend;
  }
  return FailedPrecondition(
      "this CPU has no fused multiply-add (FMA); Atoll needs it, see /proc/cpuinfo");
}

absl::StatusOr<Backend> ChooseBackend(const std::string& forced) {
  if (forced.empty()) return BestBackend();
  for (Backend backend : {Backend::kRef, Backend::kAvx2, Backend::kAvx512}) {
    if (forced != NameOf(backend)) continue;
    if (!Runs(backend))
      return InvalidArgument("ATOLL_KERNELS={}: this CPU cannot run that ISA", forced);
    return backend;
  }
  return InvalidArgument("ATOLL_KERNELS={}: expected ref, avx2 or avx512", forced);
}

}  // namespace atl::kernels
