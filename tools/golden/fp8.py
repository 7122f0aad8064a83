"""FP8 as published (docs/model.md 2.2): E4M3 weights and one scale for each block of 128 x 128.

The blocks of a tensor differ in scale, up to 2^18 times, and some hold nothing but subnormals, so that
a scale of another block or a subnormal read as zero is no small error.
"""

import re
import zlib

import numpy as np
import torch

BLOCK = 128
LARGEST = 448.0
LARGEST_SUBNORMAL = 7 * 2.0**-9
GAINS = (1.0, 0.25, 2.0, 0.5)  # of neighbouring blocks
PLANTED = (LARGEST, -LARGEST, 0.0, -0.0, 2.0**-9, -LARGEST_SUBNORMAL)  # once in every tensor
QUANTISED = re.compile(
    r".*\.(self_attn\.[qkvo]_proj|linear_attn\.(in_proj_qkv|in_proj_z|out_proj)"
    r"|mlp\.(shared_expert|experts\.\d+)\.(gate|up|down)_proj)\.weight"
)


def is_quantised(name):
    return QUANTISED.fullmatch(name) is not None


def quantise(name, weight, scale_type):
    """{name: E4M3 tensor, name + "_scale_inv": [ceil(out / 128), ceil(in / 128)]}."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    rows, columns = (range(0, n, BLOCK) for n in weight.shape)
    scales = torch.empty((len(rows), len(columns)), dtype=scale_type)
    out = torch.empty(weight.shape, dtype=torch.float8_e4m3fn)
    first = int(rng.integers(len(GAINS)))
    for number in range(scales.numel()):
        i, j = divmod(number, len(columns))
        block = np.s_[rows[i] : rows[i] + BLOCK, columns[j] : columns[j] + BLOCK]
        values = torch.from_numpy(weight[block]) * GAINS[(first + number) % len(GAINS)]
        target = LARGEST_SUBNORMAL if (first + number) % 5 == 4 else LARGEST
        scales[i, j] = values.abs().max() / target
        quotients = (values / scales[i, j].float()).clamp(-LARGEST, LARGEST)
        out[block] = quotients.to(torch.float8_e4m3fn)
    places = rng.choice(out.numel(), len(PLANTED), replace=False)
    out.view(-1)[places] = torch.tensor(PLANTED).to(torch.float8_e4m3fn)
    return {name: out.contiguous(), f"{name}_scale_inv": scales}


def dequantise(tensors):
    """Every tensor in fp32, E4M3 ones times the scale of their block; without the scales."""
    plain = {}
    for name, tensor in tensors.items():
        if name.endswith("_scale_inv"):
            continue
        plain[name] = tensor.float()
        if tensor.dtype == torch.float8_e4m3fn:
            scales = tensors[f"{name}_scale_inv"].float()
            wide = scales.repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)
            plain[name] *= wide[: tensor.shape[0], : tensor.shape[1]]
    return plain
