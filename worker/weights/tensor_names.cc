#include "worker/weights/tensor_names.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <string_view>

namespace atl::worker {
namespace {

constexpr std::string_view kScaleSuffix = "_scale_inv";

// The matrices that the FP8 release quantises; the others stay bf16 in every release.
const std::set<std::string_view>& QuantisableNames() {
  static const std::set<std::string_view> names = {
      "self_attn.q_proj.weight",          "self_attn.k_proj.weight",
      "self_attn.v_proj.weight",          "self_attn.o_proj.weight",
      "linear_attn.in_proj_qkv.weight",   "linear_attn.in_proj_z.weight",
      "linear_attn.out_proj.weight",      "mlp.shared_expert.gate_proj.weight",
      "mlp.shared_expert.up_proj.weight", "mlp.shared_expert.down_proj.weight"};
  return names;
}

const std::set<std::string_view>& OtherNames() {
  static const std::set<std::string_view> names = {"input_layernorm.weight",
                                                   "post_attention_layernorm.weight",
                                                   "mlp.gate.weight",
                                                   "mlp.experts.gate_up_proj",
                                                   "mlp.experts.down_proj",
                                                   "mlp.shared_expert_gate.weight",
                                                   "linear_attn.in_proj_b.weight",
                                                   "linear_attn.in_proj_a.weight",
                                                   "linear_attn.conv1d.weight",
                                                   "linear_attn.A_log",
                                                   "linear_attn.dt_bias",
                                                   "linear_attn.norm.weight",
                                                   "self_attn.q_norm.weight",
                                                   "self_attn.k_norm.weight"};
  return names;
}

bool IsDigits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isdigit(static_cast<unsigned char>(c)) != 0;
  });
}

// "mlp.experts.17.gate_proj.weight".
bool IsOneExpert(std::string_view rest) {
  constexpr std::string_view kPrefix = "mlp.experts.";
  if (!rest.starts_with(kPrefix)) return false;
  rest.remove_prefix(kPrefix.size());
  const size_t dot = rest.find('.');
  if (dot == std::string_view::npos || !IsDigits(rest.substr(0, dot))) return false;
  const std::string_view matrix = rest.substr(dot + 1);
  return matrix == "gate_proj.weight" || matrix == "up_proj.weight" || matrix == "down_proj.weight";
}

bool IsQuantisable(std::string_view rest) {
  return QuantisableNames().contains(rest) || IsOneExpert(rest);
}

bool IsLayerTensor(std::string_view rest) {
  if (OtherNames().contains(rest) || IsQuantisable(rest)) return true;
  if (!rest.ends_with(kScaleSuffix)) return false;
  rest.remove_suffix(kScaleSuffix.size());
  return IsQuantisable(rest);
}

// What stands behind "layers.3."; empty for any other name.
std::string_view WithinLayer(std::string_view canonical) {
  constexpr std::string_view kPrefix = "layers.";
  if (!canonical.starts_with(kPrefix)) return {};
  canonical.remove_prefix(kPrefix.size());
  const size_t dot = canonical.find('.');
  if (dot == std::string_view::npos || !IsDigits(canonical.substr(0, dot))) return {};
  return canonical.substr(dot + 1);
}

}  // namespace

std::string CanonicalName(const std::string& stored) {
  for (const std::string_view prefix :
       {"model.language_model.", "language_model.model.", "language_model.", "model."}) {
    if (stored.starts_with(prefix)) return stored.substr(prefix.size());
  }
  return stored;
}

std::string PublishedName(const std::string& canonical) {
  if (canonical == "lm_head.weight" || IsMtpTensor(canonical)) return canonical;
  if (IsVisionTensor(canonical)) return "model." + canonical;
  return "model.language_model." + canonical;
}

bool IsMtpTensor(const std::string& canonical) { return canonical.starts_with("mtp."); }
bool IsVisionTensor(const std::string& canonical) { return canonical.starts_with("visual."); }

bool IsQuantisedInFp8(const std::string& canonical) {
  constexpr std::string_view kMtp = "mtp.";
  std::string_view name = canonical;
  if (name.starts_with(kMtp)) name.remove_prefix(kMtp.size());
  return IsQuantisable(WithinLayer(name));
}

std::string ScaleNameOf(const std::string& matrix) { return matrix + std::string(kScaleSuffix); }

absl::Status RecogniseTensor(const std::string& canonical, const std::string& stored) {
  if (canonical == "embed_tokens.weight" || canonical == "norm.weight" ||
      canonical == "lm_head.weight")
    return absl::OkStatus();
  if (IsLayerTensor(WithinLayer(canonical))) return absl::OkStatus();
  for (const std::string_view suffix :
       {"_scale_inv", ".qweight", ".qzeros", ".scales", ".g_idx", "weight_packed", "weight_scale",
        "weight_scale_2", "input_scale", "weight_zero_point", "weight_shape"}) {
    if (canonical.ends_with(suffix)) {
      return Unimplemented(
          "tensor {}: a quantised form that Atoll does not read; use the bf16, fp16, fp32 or "
          "block-scaled FP8 release",
          stored);
    }
  }
  return Unimplemented(
      "tensor {}: no such tensor in a qwen3_5_moe checkpoint; use an unmodified release", stored);
}

}  // namespace atl::worker
