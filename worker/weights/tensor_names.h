// The names that tensors of this family have in files (docs/model.md 2.1, 2.2).
#pragma once

#include <string>

#include "common/base/status.h"

namespace atl::worker {

// The name without the prefix that loaders of the family accept in front of it:
// "model.language_model.", "language_model.model.", "language_model.", "model." or none.
std::string CanonicalName(const std::string& stored);

// The name with the prefix that the published files have; "lm_head.weight" and "mtp." have none.
std::string PublishedName(const std::string& canonical);

// Tensors that belong to the checkpoint and not to the trunk.
bool IsMtpTensor(const std::string& canonical);
bool IsVisionTensor(const std::string& canonical);

// OK for a name that a trunk may have; otherwise kUnimplemented and why. `stored` stands in the
// message.
absl::Status RecogniseTensor(const std::string& canonical, const std::string& stored);

// Whether the FP8 release stores this matrix in F8_E4M3, with scales: linear layers and experts,
// those of the MTP layer too.
bool IsQuantisedInFp8(const std::string& canonical);

// Of the scales that belong to an FP8 matrix: "x.weight" → "x.weight_scale_inv".
std::string ScaleNameOf(const std::string& matrix);

}  // namespace atl::worker
