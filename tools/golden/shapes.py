"""The small checkpoints of the foreign oracle: one entry a shape, each with its own traps."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Shape:
    name: str
    seed: int
    text: dict  # fields of the text config
    nested: bool = False  # text_config inside a top level, as the published files have it
    prefix: str = "model."  # of every trunk tensor but the head
    stored: str = "F32"  # or BF16
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

SHAPES = {shape.name: shape for shape in (TIED4, UNTIED8, EXPERTS256, UNFRIENDLY, YARN4)}

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


def config_json(shape):
    """The content of config.json."""
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
