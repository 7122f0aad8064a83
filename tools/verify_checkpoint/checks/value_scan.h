// Reads every weight once: NaN, infinities, matrices of zeros.
#pragma once

#include "tools/verify_checkpoint/evidence/report.h"
#include "tools/verify_checkpoint/evidence/stored_tensors.h"

namespace atl::tools {

// Reports tensors with values that are not finite, and matrices that are all zeros, as an
// interrupted copy leaves them. Progress goes to standard error.
void ScanValues(const StoredCheckpoint& stored, int num_threads, Report& report);

}  // namespace atl::tools
