"""Records transformers' rotary tables in the form of `atoll-check yarn`: writes yarn.jsonl"""

import json

import numpy as np
import torch
from transformers import Qwen3_5MoeTextConfig
from transformers.models.qwen3_5_moe.modeling_qwen3_5_moe import Qwen3_5MoeTextRotaryEmbedding

from make_checkpoint import DATA

POSITIONS = [0, 1, 63, 1000, 4095, 262143, 262144, 524287, 1000000, 1009999]
NAMES = ("rotary_dim", "rope_theta", "factor", "original_max_position_embeddings",
         "beta_fast", "beta_slow")  # fmt: skip
CASES = (
    (64, 10000000.0, 4.0, 262144, 32.0, 1.0),  # the published recipe
    (64, 10000000.0, 2.0, 262144, 32.0, 1.0),
    (64, 10000000.0, 1.0, 262144, 32.0, 1.0),  # no scaling, factor 1
    (64, 10000000.0, 3.85, 262144, 32.0, 1.0),
    (64, 10000000.0, 4.0, 262144, 16.0, 2.0),
    (64, 10000000.0, 4.0, 32768, 32.0, 1.0),
    (64, 1000000.0, 8.0, 32768, 32.0, 1.0),
    (64, 10000.0, 4.0, 4096, 32.0, 1.0),
    (16, 10000000.0, 2.0, 8192, 32.0, 1.0),  # nano
    (24, 10000.0, 4.0, 32, 32.0, 1.0),  # the shape yarn4: low is clamped to 0
    (28, 500000.0, 2.5, 1000, 24.0, 1.5),
    (6, 10000.0, 16.0, 2048, 4.0, 3.9),
    (2, 10000.0, 4.0, 7, 1.0, 1.0),  # one frequency; low equals high
    (128, 10000000.0, 4.0, 262144, 32.0, 1.0),
)


def rotary(params):
    """The model's own rotary module for these parameters."""
    dim = params["rotary_dim"]
    rope = {name: value for name, value in params.items() if name != "rotary_dim"}
    rope |= {"rope_type": "yarn", "partial_rotary_factor": 1.0, "mrope_section": [dim, dim, dim]}
    config = Qwen3_5MoeTextConfig(
        head_dim=dim,
        rope_parameters=rope,
        max_position_embeddings=params["original_max_position_embeddings"],
    )
    return Qwen3_5MoeTextRotaryEmbedding(config)


def shortest(values):
    """Decimals that read back to the same fp32."""
    return [float(str(np.float32(v))) for v in values]


def line(number, case):
    params = dict(zip(NAMES, case))
    module, half = rotary(params), params["rotary_dim"] // 2
    cos, sin = module(torch.zeros(1, dtype=torch.float32), torch.tensor([POSITIONS]))
    return {
        "id": number,
        "params": params,
        "positions": POSITIONS,
        "inv_freq": shortest(module.inv_freq.numpy()),
        "attention_factor": module.attention_scaling,
        "cos": [shortest(row[:half].numpy()) for row in cos[0]],
        "sin": [shortest(row[:half].numpy()) for row in sin[0]],
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    with open(DATA / "yarn.jsonl", "w") as out:
        for number, case in enumerate(CASES):
            out.write(json.dumps(line(number, case)) + "\n")
