"""The small checkpoints of the foreign oracle: one entry a shape, each with its own traps."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Shape:
    name: str
    seed: int
    text: dict  # fields of the text config
    nested: bool = False  # text_config inside a top level, as the published files have it
    prefix: str = "model."  # of every trunk tensor but the head
    stored: str = "F32"  # or BF16, F16; FP8: docs/model.md 2.2, the rest BF16
    scales: str = "BF16"  # or F32: the type of the block scales of an FP8 checkpoint
    kept_f32: tuple = ()  # endings of names that stay F32 in a BF16 checkpoint
    per_expert: bool = False  # else the fused expert tensors
    shards: int = 1
    extras: bool = False  # MTP and vision tensors, which text-only readers skip by name
    quiet_layers: tuple = ()  # layers whose key head 0 has q and k rows scaled by 0.003
    prompt_lengths: tuple = (9, 100)
    long_layers: tuple = ()  # layers recorded for the second prompt
    top_level: dict = field(default_factory=dict)


def _text(**fields):
    base = {
        "hidden_act": "silu",
        "initializer_range": 0.02,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "attn_output_gate": True,
        "mamba_ssm_dtype": "float32",
        "pad_token_id": None,
        "bos_token_id": None,
        "eos_token_id": 0,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": False,
        "max_position_embeddings": 4096,
    }
    return {**base, **fields}


def _rope(theta, fraction, section, **more):
    return {
        "rope_type": "default",
        "rope_theta": theta,
        "partial_rotary_factor": fraction,
        "mrope_section": section,
        "mrope_interleaved": True,
        **more,
    }


# Four layers, tied head, flat config, no layer_types, an epsilon that no one may hard-code.
TIED4 = Shape(
    name="tied4",
    seed=41,
    prompt_lengths=(9, 130),
    long_layers=(0, 3),
    text=_text(
        vocab_size=256, hidden_size=48, num_hidden_layers=4, full_attention_interval=4,
        num_attention_heads=4, num_key_value_heads=2, head_dim=32,
        linear_num_key_heads=2, linear_num_value_heads=2,
        linear_key_head_dim=16, linear_value_head_dim=16, linear_conv_kernel_dim=4,
        num_experts=8, num_experts_per_tok=3, moe_intermediate_size=12,
        shared_expert_intermediate_size=24, rms_norm_eps=1e-4, tie_word_embeddings=True,
        rope_parameters=_rope(10000000.0, 0.25, [2, 1, 1]),
    ),
)  # fmt: skip

# Eight layers as published: nested, BF16 with some F32, sharded, with MTP and vision tensors.
UNTIED8 = Shape(
    name="untied8",
    seed=82,
    nested=True,
    prefix="model.language_model.",
    stored="BF16",
    kept_f32=("linear_attn.A_log", "linear_attn.norm.weight"),
    shards=3,
    extras=True,
    quiet_layers=(0, 4),
    prompt_lengths=(9, 97),
    long_layers=(0, 3, 5),
    text=_text(
        vocab_size=320, hidden_size=48, num_hidden_layers=8,
        layer_types=(["linear_attention"] * 3 + ["full_attention"]) * 2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=32,
        linear_num_key_heads=2, linear_num_value_heads=4,
        linear_key_head_dim=16, linear_value_head_dim=16, linear_conv_kernel_dim=4,
        num_experts=10, num_experts_per_tok=3, moe_intermediate_size=16,
        shared_expert_intermediate_size=32, dtype="bfloat16",
        rope_parameters=_rope(10000000.0, 0.5, [3, 3, 2]),
        mtp_num_hidden_layers=1, mtp_use_dedicated_embeddings=False,
    ),
)  # fmt: skip

# 256 experts, eight a token, as the real model has; nested names, nested text-only config.
EXPERTS256 = Shape(
    name="experts256",
    seed=256,
    nested=True,
    prefix="model.language_model.",
    stored="BF16",
    prompt_lengths=(9, 70),
    long_layers=(3, 4),
    text=_text(
        vocab_size=200, hidden_size=24, num_hidden_layers=5,
        layer_types=["linear_attention"] * 3 + ["full_attention", "linear_attention"],
        num_attention_heads=2, num_key_value_heads=1, head_dim=16,
        linear_num_key_heads=1, linear_num_value_heads=4,
        linear_key_head_dim=16, linear_value_head_dim=8, linear_conv_kernel_dim=4,
        num_experts=256, num_experts_per_tok=8, moe_intermediate_size=8,
        shared_expert_intermediate_size=8, dtype="bfloat16",
        rope_parameters=_rope(1000000.0, 0.5, [2, 1, 1]),
    ),
)  # fmt: skip

# Nothing is a power of two: hidden 40, head 24, 3 of 7 experts, V 509, 3 value heads a key head.
UNFRIENDLY = Shape(
    name="unfriendly",
    seed=509,
    quiet_layers=(1,),
    prompt_lengths=(11, 77),
    long_layers=(0, 2),
    text=_text(
        vocab_size=509, hidden_size=40, num_hidden_layers=5,
        layer_types=["full_attention", "linear_attention", "linear_attention",
                     "full_attention", "linear_attention"],
        num_attention_heads=6, num_key_value_heads=2, head_dim=24,
        linear_num_key_heads=2, linear_num_value_heads=6,
        linear_key_head_dim=12, linear_value_head_dim=20, linear_conv_kernel_dim=3,
        num_experts=7, num_experts_per_tok=3, moe_intermediate_size=12,
        shared_expert_intermediate_size=20,
        rope_parameters=_rope(500000.0, 0.75, [3, 3, 3]),
    ),
)  # fmt: skip

# Static YaRN written in the old keys, prompts far beyond the original length, bare tensor names.
YARN4 = Shape(
    name="yarn4",
    seed=44,
    prefix="",
    prompt_lengths=(12, 120),
    long_layers=(1, 2),
    text=_text(
        vocab_size=160, hidden_size=32, num_hidden_layers=4,
        layer_types=["linear_attention", "full_attention"] * 2,
        num_attention_heads=4, num_key_value_heads=1, head_dim=40,
        linear_num_key_heads=2, linear_num_value_heads=2,
        linear_key_head_dim=16, linear_value_head_dim=16, linear_conv_kernel_dim=2,
        num_experts=8, num_experts_per_tok=2, moe_intermediate_size=16,
        shared_expert_intermediate_size=16, max_position_embeddings=128,
        rope_theta=10000.0, partial_rotary_factor=0.6,
        rope_scaling={"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32,
                      "mrope_section": [4, 4, 4], "mrope_interleaved": True},
    ),
)  # fmt: skip

# Three layers that end in full attention, one expert a token, a nested config that ties the head.
TIED3 = Shape(
    name="tied3",
    seed=33,
    nested=True,
    prefix="model.language_model.",
    prompt_lengths=(10, 90),
    long_layers=(0, 1),
    text=_text(
        vocab_size=307, hidden_size=44, num_hidden_layers=3,
        layer_types=["linear_attention", "full_attention", "full_attention"],
        num_attention_heads=3, num_key_value_heads=3, head_dim=24,
        linear_num_key_heads=3, linear_num_value_heads=12,
        linear_key_head_dim=8, linear_value_head_dim=12, linear_conv_kernel_dim=3,
        num_experts=8, num_experts_per_tok=1, moe_intermediate_size=12,
        shared_expert_intermediate_size=12, tie_word_embeddings=True,
        rope_parameters=_rope(2000000.0, 1.0, [4, 4, 4]),
    ),
)  # fmt: skip

# Twelve layers, all linear but one; experts one by one, those of a layer in more than one file.
DEEP12 = Shape(
    name="deep12",
    seed=12,
    nested=True,
    prefix="model.language_model.",
    stored="BF16",
    kept_f32=("linear_attn.A_log",),
    per_expert=True,
    shards=5,
    prompt_lengths=(9, 80),
    long_layers=(7, 11),
    text=_text(
        vocab_size=211, hidden_size=36, num_hidden_layers=12,
        layer_types=["linear_attention"] * 7 + ["full_attention"] + ["linear_attention"] * 4,
        num_attention_heads=3, num_key_value_heads=1, head_dim=20,
        linear_num_key_heads=2, linear_num_value_heads=4,
        linear_key_head_dim=20, linear_value_head_dim=12, linear_conv_kernel_dim=3,
        num_experts=24, num_experts_per_tok=2, moe_intermediate_size=8,
        shared_expert_intermediate_size=12, dtype="bfloat16",
        rope_parameters=_rope(10000000.0, 0.5, [2, 2, 1]),
    ),
)  # fmt: skip

# F16, every second layer full by the interval alone, YaRN x2 in the new keys, 32 experts.
HALF6 = Shape(
    name="half6",
    seed=66,
    stored="F16",
    quiet_layers=(2,),
    prompt_lengths=(9, 118),
    long_layers=(1,),
    text=_text(
        vocab_size=263, hidden_size=56, num_hidden_layers=6, full_attention_interval=2,
        num_attention_heads=2, num_key_value_heads=1, head_dim=56,
        linear_num_key_heads=3, linear_num_value_heads=6,
        linear_key_head_dim=8, linear_value_head_dim=12, linear_conv_kernel_dim=4,
        num_experts=32, num_experts_per_tok=3, moe_intermediate_size=8,
        shared_expert_intermediate_size=16, max_position_embeddings=128, dtype="float16",
        rms_norm_eps=1e-5,
        rope_parameters=_rope(1000000.0, 0.5, [5, 5, 4], rope_type="yarn", factor=2.0,
                              original_max_position_embeddings=64, beta_fast=2.0, beta_slow=0.5),
    ),
)  # fmt: skip

# FP8 as published, flat: every quantised matrix has whole blocks and partial ones.
FP8FLAT3 = Shape(
    name="fp8flat3",
    seed=83,
    stored="FP8",
    per_expert=True,
    prompt_lengths=(9, 40),
    long_layers=(0, 1),
    text=_text(
        vocab_size=192, hidden_size=160, num_hidden_layers=3,
        layer_types=["linear_attention", "full_attention", "linear_attention"],
        num_attention_heads=4, num_key_value_heads=2, head_dim=40,
        linear_num_key_heads=2, linear_num_value_heads=4,
        linear_key_head_dim=24, linear_value_head_dim=36, linear_conv_kernel_dim=4,
        num_experts=3, num_experts_per_tok=2, moe_intermediate_size=144,
        shared_expert_intermediate_size=136, dtype="bfloat16",
        rope_parameters=_rope(10000000.0, 0.5, [4, 3, 3]),
    ),
)  # fmt: skip

# FP8 nested and sharded, F32 scales, with the speculative layer in FP8 too and a BF16 vision tower.
FP8NESTED3 = Shape(
    name="fp8nested3",
    seed=183,
    nested=True,
    prefix="model.language_model.",
    stored="FP8",
    scales="F32",
    per_expert=True,
    shards=3,
    extras=True,
    prompt_lengths=(9, 40),
    long_layers=(0, 2),
    text=_text(
        vocab_size=192, hidden_size=136, num_hidden_layers=3,
        layer_types=["linear_attention", "linear_attention", "full_attention"],
        num_attention_heads=6, num_key_value_heads=2, head_dim=24,
        linear_num_key_heads=2, linear_num_value_heads=4,
        linear_key_head_dim=20, linear_value_head_dim=36, linear_conv_kernel_dim=4,
        num_experts=3, num_experts_per_tok=2, moe_intermediate_size=132,
        shared_expert_intermediate_size=40, dtype="bfloat16",
        rope_parameters=_rope(10000000.0, 0.25, [1, 1, 1]),
        mtp_num_hidden_layers=1, mtp_use_dedicated_embeddings=False,
    ),
)  # fmt: skip

SHAPES = {
    shape.name: shape
    for shape in (TIED4, UNTIED8, EXPERTS256, UNFRIENDLY, YARN4, TIED3, DEEP12, HALF6, FP8FLAT3,
                  FP8NESTED3)
}  # fmt: skip

VISION = {
    "model_type": "qwen3_5_moe_vision", "depth": 1, "hidden_size": 16, "intermediate_size": 32,
    "num_heads": 2, "hidden_act": "gelu_pytorch_tanh", "in_channels": 3, "patch_size": 4,
    "temporal_patch_size": 2, "spatial_merge_size": 2, "num_position_embeddings": 16,
    "deepstack_visual_indexes": [], "initializer_range": 0.02,
}  # fmt: skip


def layer_types(text):
    """The type of every layer; without the list, every `full_attention_interval`-th is full."""
    if "layer_types" in text:
        return text["layer_types"]
    interval = text["full_attention_interval"]
    return [
        "linear_attention" if (i + 1) % interval else "full_attention"
        for i in range(text["num_hidden_layers"])
    ]


def not_quantised(shape):
    """What the published FP8 recipe keeps in BF16, module by module."""
    kept = ["lm_head", f"{shape.prefix}embed_tokens"]
    for i, kind in enumerate(layer_types(shape.text)):
        layer = f"{shape.prefix}layers.{i}."
        kept += [f"{layer}mlp.gate", f"{layer}mlp.shared_expert_gate"]
        if kind == "linear_attention":
            kept += [f"{layer}linear_attn.{n}" for n in ("in_proj_a", "in_proj_b", "conv1d")]
    if shape.extras:
        kept += ["mtp.fc", "mtp.layers.0.mlp.gate", "mtp.layers.0.mlp.shared_expert_gate"]
        kept += ["model.visual"]
    return kept


def quantization_config(shape):
    return {
        "quant_method": "fp8",
        "fmt": "e4m3",
        "activation_scheme": "dynamic",
        "weight_block_size": [128, 128],
        "modules_to_not_convert": not_quantised(shape),
    }


def config_json(shape):
    """The content of config.json."""
    config = _config(shape)
    if shape.stored == "FP8":
        config["quantization_config"] = quantization_config(shape)
    return config


def _config(shape):
    text = {"model_type": "qwen3_5_moe_text", **shape.text}
    if not shape.nested:
        return {"architectures": ["Qwen3_5MoeForCausalLM"], **text}
    top = {
        "architectures": ["Qwen3_5MoeForCausalLM"],
        "model_type": "qwen3_5_moe",
        "tie_word_embeddings": text["tie_word_embeddings"],
        "text_config": text,
    }
    if shape.extras:
        top["architectures"] = ["Qwen3_5MoeForConditionalGeneration"]
        top["vision_config"] = {**VISION, "out_hidden_size": text["hidden_size"]}
        for offset, name in enumerate(("image", "video", "vision_start", "vision_end")):
            top[f"{name}_token_id"] = text["vocab_size"] - 4 + offset
    return top
