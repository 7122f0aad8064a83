// The chat template of Qwen3.6, as published.
#pragma once

namespace atl::tools {

extern const char kDefaultTemplate[];

}  // namespace atl::tools
