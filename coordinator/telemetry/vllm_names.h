// vLLM's names of our metrics, for dashboards, KEDA queries and the Gateway API Inference Extension
// that read them. Source: vLLM's "Production Metrics" page (0.32).
#pragma once

#include <string>

#include "common/metrics/registry.h"

namespace atl::coordinator {

// Before the registry's page is first rendered. Series carry the label `model_name`, and `engine`
// "0". What vLLM counts and we do not have (a prefix cache, LoRA) is not shown.
void AddVllmNames(const std::string& model_name, Registry& registry);

}  // namespace atl::coordinator
