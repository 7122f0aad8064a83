"""Writes config.json and the safetensors files of the shapes: make_checkpoint.py [NAME ...]"""

import json
import pathlib
import sys

import torch
from safetensors.torch import save_file

import fp8
import weights
from shapes import SHAPES, config_json

TYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16, "FP8": torch.bfloat16}
DATA = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "data"


def split_experts(tensors, width):
    """The per-expert spelling of the two fused expert tensors."""
    split = {}
    for name, tensor in tensors.items():
        base, _, kind = name.rpartition(".")
        for expert in range(len(tensor)) if base.endswith("mlp.experts") else ():
            one = tensor[expert]
            if kind == "gate_up_proj":
                split[f"{base}.{expert}.gate_proj.weight"] = one[:width]
                split[f"{base}.{expert}.up_proj.weight"] = one[width:]
            else:
                split[f"{base}.{expert}.down_proj.weight"] = one
        if not base.endswith("mlp.experts"):
            split[name] = tensor
    return split


def stored_tensors(shape):
    """All tensors of the checkpoint under their file names, in their stored type."""
    named = {
        name if name == "lm_head.weight" else shape.prefix + name: tensor
        for name, tensor in weights.trunk(shape).items()
    }
    if shape.extras:
        named |= weights.mtp(shape) | weights.vision(shape)
    if shape.per_expert:
        named = split_experts(named, shape.text["moe_intermediate_size"])
    stored = {}
    for name, tensor in named.items():
        if shape.stored == "FP8" and fp8.is_quantised(name):
            stored |= fp8.quantise(name, tensor, TYPES[shape.scales])
            continue
        kept = name.endswith(shape.kept_f32 or ("\0",))
        dtype = torch.float32 if kept else TYPES[shape.stored]
        stored[name] = torch.from_numpy(tensor).to(dtype).contiguous()
    return stored


def write_sharded(folder, tensors, shards):
    """Cuts by size, not by layer, as the published files are cut."""
    total = sum(t.nbytes for t in tensors.values())
    parts, place, filled = [{} for _ in range(shards)], {}, 0
    for name, tensor in tensors.items():
        index = min(filled * shards // total, shards - 1)
        parts[index][name] = tensor
        place[name] = f"model-{index + 1:05d}-of-{shards:05d}.safetensors"
        filled += tensor.nbytes
    for index, part in enumerate(parts):
        path = folder / f"model-{index + 1:05d}-of-{shards:05d}.safetensors"
        save_file(part, path, metadata={"format": "pt"})
    index = {"metadata": {"total_size": total}, "weight_map": place}
    text = json.dumps(index, indent=1, sort_keys=True)
    (folder / "model.safetensors.index.json").write_text(text + "\n")


def write(shape):
    folder = DATA / shape.name
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("model*"):
        old.unlink()
    (folder / "config.json").write_text(json.dumps(config_json(shape), indent=1) + "\n")
    tensors = stored_tensors(shape)
    if shape.shards > 1:
        write_sharded(folder, tensors, shape.shards)
    else:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    size = sum(t.nbytes for t in tensors.values())
    print(f"{shape.name}: {len(tensors)} tensors, {size} bytes")


if __name__ == "__main__":
    for name in sys.argv[1:] or SHAPES:
        write(SHAPES[name])
