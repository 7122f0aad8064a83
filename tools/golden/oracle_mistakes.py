"""Plants mistakes in the reference and prints by how much each exceeds the tests' limits.

A recording is worth something only if it tells a wrong forward pass from a right one. Every block
is fed its recorded input, logits come from a whole run. Exits 1 if one goes unseen.
"""

import json
import math
import sys

import torch
from safetensors.torch import load_file
from transformers.models.qwen3_5_moe import modeling_qwen3_5_moe as modeling

from checkpoint import load
from make_checkpoint import DATA
from probe import Probe, row_errors
from record import kind_of
from shapes import SHAPES, layer_types

ALLOWED = 10  # times the recorded noise


def modules(model, part):
    return [m for name, m in model.named_modules() if name.endswith(part)]


def parameters(model, part):
    return [p for name, p in model.named_parameters() if name.endswith(part)]


def each(part, change):
    """A mistake that rewrites every tensor whose name ends in `part`."""

    def plant(model):
        for tensor in parameters(model, part):
            tensor.data = change(tensor.data)

    return plant


def norms_epsilon(eps):
    def plant(model):
        for module in model.modules():
            for field in ("eps", "variance_epsilon"):
                if hasattr(module, field):
                    setattr(module, field, eps)

    return plant


def gated_norm_epsilon(eps):
    def plant(model):
        for module in modules(model, "linear_attn.norm"):
            module.variance_epsilon = eps

    return plant


def rotary(change):
    return lambda model: change(model.model.rotary_emb)


def set_inv_freq(module, values):
    module.inv_freq = values


def without_yarn(module):
    half = len(module.inv_freq)
    theta = module.config.rope_parameters["rope_theta"]
    set_inv_freq(module, theta ** -(torch.arange(half, dtype=torch.float32) / half))


def round_tables(module):
    module.register_forward_hook(lambda m, args, out: tuple(t.bfloat16().float() for t in out))


def attention_scale(model):
    for module in modules(model, "self_attn"):
        module.scaling = (model.config.hidden_size // model.config.num_attention_heads) ** -0.5


def queries_then_gates(model):
    for tensor in parameters(model, "q_proj.weight"):
        size, hidden = model.config.head_dim, tensor.shape[1]
        by_head = tensor.data.view(2, -1, size, hidden).transpose(0, 1)
        tensor.data = by_head.reshape(tensor.shape).contiguous()


def swap_gate_up(tensor):
    return torch.cat(tensor.chunk(2, dim=1)[::-1], dim=1)


def tiled_heads(model):
    modeling.torch.Tensor.repeat_interleave = lambda x, n, dim: torch.cat([x] * n, dim=dim)


def l2_norm(formula):
    def plant(model):
        modeling.l2norm = lambda x, dim=-1, eps=1e-6: formula(x, dim)

    return plant


def not_renormalised(model):
    def after(module, args, output):
        logits, _, chosen = output
        return logits, logits.softmax(-1).gather(-1, chosen), chosen

    for module in modules(model, "mlp.gate"):
        module.register_forward_hook(after)


def no_shared_gate(model):
    for module in modules(model, "shared_expert_gate"):
        module.register_forward_hook(lambda m, args, out: torch.full_like(out, 40.0))


def fewer_experts(model):
    for module in modules(model, "mlp.gate"):
        module.top_k -= 1


def sum_rsqrt(eps):
    return lambda x, dim: x * torch.rsqrt((x * x).sum(dim, keepdim=True) + eps)


MISTAKES = (
    ("tied4", "epsilon of the norms 1e-6 hard-coded", norms_epsilon(1e-6)),
    ("tied4", "epsilon of the gated norm 1e-6 hard-coded", gated_norm_epsilon(1e-6)),
    ("tied4", "rotary base 10000", rotary(lambda m: set_inv_freq(m, m.inv_freq ** (4 / 7)))),
    ("tied4", "cos and sin in bf16", rotary(round_tables)),
    ("tied4", "attention scale from hidden / heads", attention_scale),
    ("tied4", "q_proj: all queries, then all gates", queries_then_gates),
    ("tied4", "+1 in the gated norm", each("linear_attn.norm.weight", lambda t: t + 1)),
    ("tied4", "no +1 in q_norm and k_norm", each("_norm.weight", lambda t: t - 1)),
    ("tied4", "convolution reversed", each("conv1d.weight", lambda t: t.flip(-1))),
    ("untied8", "A_log in bf16", each("A_log", lambda t: t.bfloat16().float())),
    ("untied8", "A_log not exponentiated", each("A_log", lambda t: t.abs().log())),
    ("untied8", "dt_bias forgotten", each("dt_bias", lambda t: t * 0)),
    ("untied8", "L2 norm without epsilon", l2_norm(sum_rsqrt(1e-20))),
    ("untied8", "epsilon outside the L2 norm's root",
     l2_norm(lambda x, dim: x / ((x * x).sum(dim, keepdim=True).sqrt() + 1e-6))),
    ("untied8", "L2 norm by the mean",
     l2_norm(lambda x, dim: x * torch.rsqrt((x * x).mean(dim, keepdim=True) + 1e-6))),
    ("untied8", "key heads tiled", tiled_heads),
    ("untied8", "gate and up swapped", each("gate_up_proj", swap_gate_up)),
    ("experts256", "weights not renormalised", not_renormalised),
    ("experts256", "seven experts", fewer_experts),
    ("experts256", "shared gate forgotten", no_shared_gate),
    ("unfriendly", "L2 norm without epsilon", l2_norm(sum_rsqrt(1e-20))),
    ("unfriendly", "key heads tiled", tiled_heads),
    ("unfriendly", "attention scale from hidden / heads", attention_scale),
    ("unfriendly", "convolution reversed", each("conv1d.weight", lambda t: t.flip(-1))),
    ("yarn4", "YaRN ignored", rotary(without_yarn)),
    ("yarn4", "attention factor forgotten",
     rotary(lambda m: setattr(m, "attention_scaling", 1.0))),
    ("yarn4", "attention factor 0.1 ln 2 + 1",
     rotary(lambda m: setattr(m, "attention_scaling", 0.1 * math.log(2) + 1))),
    ("yarn4", "cos and sin in bf16", rotary(round_tables)),
)  # fmt: skip


def excess(shape, probe, limits):
    """{kind: (by `noise`, by `noise_fed`)}: the largest figures, in units of their limits."""
    recorded = load_file(DATA / shape.name / "recording.safetensors")
    types, most = layer_types(shape.text), {}
    for prompt in ("prompt0.", "prompt1."):
        own = {n[len(prompt) :]: t for n, t in recorded.items() if n.startswith(prompt)}
        ids = own["ids"].tolist()
        free = probe.run(ids)
        fed = probe.run(ids, fed={**free, **own})
        for name, reference in own.items():
            kind = kind_of(name, types)
            if kind is None:
                continue
            rows = row_errors((free if kind == "logits" else fed)[name], reference)
            ratios = most.setdefault(kind, [0.0, 0.0])
            for which, value in (("worst", rows.max()), ("median", rows.median())):
                for i, figures in enumerate((limits["noise"], limits["noise_fed"])):
                    limit = ALLOWED * figures.get(kind, limits["noise"][kind])[which]
                    ratios[i] = max(ratios[i], value.item() / limit)
    return most


def main():
    saved = modeling.l2norm, torch.Tensor.repeat_interleave
    unseen = 0
    for name, title, plant in MISTAKES:
        shape = SHAPES[name]
        model = load(shape)
        probe = Probe(model)
        limits = json.loads((DATA / name / "noise.json").read_text())
        clean = max(strict for _, strict in excess(shape, probe, limits).values())
        plant(model)
        found = excess(shape, probe, limits)
        modeling.l2norm, torch.Tensor.repeat_interleave = saved
        seen = max(wide for wide, _ in found.values()) > 1 and clean <= 1
        unseen += not seen
        figures = ", ".join(f"{k} {w:.3g} ({s:.3g})" for k, (w, s) in sorted(found.items()))
        print(f"{name:10} {title:40} clean {clean:.2g}; {figures}", flush=True)
    print(f"{len(MISTAKES) - unseen} seen, {unseen} unseen")
    return 1 if unseen else 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main())
