"""Draws the weights of a small checkpoint under the names of docs/model.md 2.

Not the default initialisation: with that the logits are flat and the routing is chance.
Sigma of a linear layer is 1/sqrt(fan in), times a gain where a line says so.
"""

import numpy as np

from shapes import VISION, layer_types

QUIET_SCALE = 0.003  # small enough that the L2 norm's epsilon shows


class Draw:
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def normal(self, shape, mean=0.0, sigma=1.0):
        return (mean + sigma * self.rng.standard_normal(shape)).astype(np.float32)

    def uniform(self, shape, low, high):
        return self.rng.uniform(low, high, shape).astype(np.float32)

    def linear(self, *shape, gain=1.0):
        return self.normal(shape, sigma=gain / np.sqrt(shape[-1]))


def _moe(draw, text):
    hidden, width = text["hidden_size"], text["moe_intermediate_size"]
    shared, experts = text["shared_expert_intermediate_size"], text["num_experts"]
    return {
        "input_layernorm.weight": draw.normal(hidden, sigma=0.3),
        "post_attention_layernorm.weight": draw.normal(hidden, sigma=0.3),
        "mlp.gate.weight": draw.linear(experts, hidden, gain=4.0),
        "mlp.experts.gate_up_proj": draw.linear(experts, 2 * width, hidden),
        "mlp.experts.down_proj": draw.linear(experts, hidden, width),
        "mlp.shared_expert.gate_proj.weight": draw.linear(shared, hidden),
        "mlp.shared_expert.up_proj.weight": draw.linear(shared, hidden),
        "mlp.shared_expert.down_proj.weight": draw.linear(hidden, shared),
        "mlp.shared_expert_gate.weight": draw.linear(1, hidden),
    }


def _full(draw, text):
    hidden, size = text["hidden_size"], text["head_dim"]
    heads, kv_heads = text["num_attention_heads"], text["num_key_value_heads"]
    return {
        "self_attn.q_proj.weight": draw.linear(2 * heads * size, hidden),
        "self_attn.k_proj.weight": draw.linear(kv_heads * size, hidden),
        "self_attn.v_proj.weight": draw.linear(kv_heads * size, hidden),
        "self_attn.o_proj.weight": draw.linear(hidden, heads * size),
        "self_attn.q_norm.weight": draw.normal(size, mean=0.3, sigma=0.3),
        "self_attn.k_norm.weight": draw.normal(size, mean=0.3, sigma=0.3),
    }


def _linear(draw, text, quiet):
    hidden, taps = text["hidden_size"], text["linear_conv_kernel_dim"]
    key_heads, key_size = text["linear_num_key_heads"], text["linear_key_head_dim"]
    heads, value_size = text["linear_num_value_heads"], text["linear_value_head_dim"]
    keys, values = key_heads * key_size, heads * value_size
    qkv = draw.linear(2 * keys + values, hidden)
    if quiet:
        qkv[:key_size] *= QUIET_SCALE
        qkv[keys : keys + key_size] *= QUIET_SCALE
    return {
        "linear_attn.in_proj_qkv.weight": qkv,
        "linear_attn.in_proj_z.weight": draw.linear(values, hidden),
        "linear_attn.in_proj_b.weight": draw.linear(heads, hidden),
        "linear_attn.in_proj_a.weight": draw.linear(heads, hidden),
        "linear_attn.conv1d.weight": draw.normal(
            (2 * keys + values, 1, taps), mean=0.2, sigma=1 / np.sqrt(taps)
        ),
        "linear_attn.A_log": draw.uniform(heads, -3.5, 1.5),
        "linear_attn.dt_bias": draw.normal(heads, mean=-1.0),
        "linear_attn.norm.weight": draw.normal(value_size, mean=1.0, sigma=0.25),
        "linear_attn.out_proj.weight": draw.linear(hidden, values),
    }


def trunk(shape):
    """Every trunk tensor, named as after the prefix; the head keeps its full name."""
    text, draw = shape.text, Draw(shape.seed)
    vocabulary, hidden = text["vocab_size"], text["hidden_size"]
    tensors = {
        "embed_tokens.weight": draw.normal((vocabulary, hidden)),
        "norm.weight": draw.normal(hidden, sigma=0.3),
    }
    if not text["tie_word_embeddings"]:
        tensors["lm_head.weight"] = draw.linear(vocabulary, hidden, gain=3.0)
    for i, kind in enumerate(layer_types(text)):
        layer = _moe(draw, text)
        if kind == "full_attention":
            layer |= _full(draw, text)
        else:
            layer |= _linear(draw, text, i in shape.quiet_layers)
        tensors |= {f"layers.{i}.{name}": tensor for name, tensor in layer.items()}
    return tensors


def mtp(shape):
    """The 19 tensors of the speculative layer, with full names."""
    text, draw = shape.text, Draw(shape.seed + 1)
    hidden = text["hidden_size"]
    tensors = {
        "fc.weight": draw.linear(hidden, 2 * hidden),
        "pre_fc_norm_embedding.weight": draw.normal(hidden, sigma=0.3),
        "pre_fc_norm_hidden.weight": draw.normal(hidden, sigma=0.3),
        "norm.weight": draw.normal(hidden, sigma=0.3),
    }
    layer = _moe(draw, text) | _full(draw, text)
    tensors |= {f"layers.0.{name}": tensor for name, tensor in layer.items()}
    return {f"mtp.{name}": tensor for name, tensor in tensors.items()}


def vision(shape):
    """A whole vision tower of one block, so that the nested class loads without a gap."""
    draw, v = Draw(shape.seed + 2), VISION
    hidden, width, merged = v["hidden_size"], v["intermediate_size"], 4 * v["hidden_size"]
    patch = (v["in_channels"], v["temporal_patch_size"], v["patch_size"], v["patch_size"])
    sizes = {
        "patch_embed.proj": (hidden, *patch),
        "blocks.0.norm1": (hidden,),
        "blocks.0.norm2": (hidden,),
        "blocks.0.attn.qkv": (3 * hidden, hidden),
        "blocks.0.attn.proj": (hidden, hidden),
        "blocks.0.mlp.linear_fc1": (width, hidden),
        "blocks.0.mlp.linear_fc2": (hidden, width),
        "merger.norm": (hidden,),
        "merger.linear_fc1": (merged, merged),
        "merger.linear_fc2": (shape.text["hidden_size"], merged),
    }
    tensors = {"pos_embed.weight": draw.normal((v["num_position_embeddings"], hidden))}
    for name, size in sizes.items():
        tensors[f"{name}.weight"] = draw.normal(size, sigma=0.3)
        tensors[f"{name}.bias"] = draw.normal(size[0], sigma=0.1)
    return {f"model.visual.{name}": tensor for name, tensor in tensors.items()}
