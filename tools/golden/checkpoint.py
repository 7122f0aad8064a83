"""Loads a written checkpoint with transformers and proves that every tensor arrived."""

import json
import pathlib
import re
import tempfile

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, Qwen3_5MoeForConditionalGeneration

import fp8
from make_checkpoint import DATA

FOLDERS = {}  # temporary, until the process ends
SKIPPED = re.compile(r"(mtp|model\.visual)\.")


def read_files(shape):
    """All stored tensors by file name, widened to fp32; FP8 weights times their scales."""
    tensors = {}
    for path in sorted((DATA / shape.name).glob("model*.safetensors")):
        tensors |= load_file(path)
    return fp8.dequantise(tensors)


def plain_folder(shape):
    """A folder that transformers reads in fp32: of FP8 files one with the dequantised weights."""
    if shape.stored != "FP8":
        return DATA / shape.name
    known = shape.name in FOLDERS
    path = pathlib.Path(FOLDERS.setdefault(shape.name, tempfile.TemporaryDirectory()).name)
    if known:
        return path
    config = json.loads((DATA / shape.name / "config.json").read_text())
    del config["quantization_config"]
    (path / "config.json").write_text(json.dumps(config))
    save_file(read_files(shape), path / "model.safetensors", metadata={"format": "pt"})
    return path


def _fused(tensors):
    """Trunk tensors under the text class's names: prefix `model.`, experts in one tensor."""
    fused, experts = {}, {}
    for name, tensor in tensors.items():
        name = re.sub(r"^(model\.language_model\.|model\.)?", "model.", name)
        name = name.replace("model.lm_head", "lm_head")
        one = re.fullmatch(r"(.*\.experts)\.(\d+)\.(gate|up|down)_proj\.weight", name)
        if one:
            experts.setdefault(one[1], {})[one[3], int(one[2])] = tensor
        else:
            fused[name] = tensor
    for base, parts in experts.items():
        numbers = range(len(parts) // 3)
        fused[f"{base}.gate_up_proj"] = torch.stack(
            [torch.cat([parts["gate", e], parts["up", e]]) for e in numbers]
        )
        fused[f"{base}.down_proj"] = torch.stack([parts["down", e] for e in numbers])
    return fused


def _load(cls, shape, **options):
    model, report = cls.from_pretrained(
        plain_folder(shape), dtype=torch.float32, output_loading_info=True, **options
    )
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        assert not report[kind], (shape.name, kind, report[kind])
    return model.eval()


def load(shape, **options):
    """The text model in fp32, checked tensor by tensor against the files."""
    model = _load(AutoModelForCausalLM, shape, **options)
    files = read_files(shape)
    skipped = {name for name in files if SKIPPED.match(name)}
    assert bool(skipped) == shape.extras, skipped
    expected = _fused({n: t for n, t in files.items() if n not in skipped})
    state = model.state_dict()
    if shape.text["tie_word_embeddings"]:
        expected["lm_head.weight"] = expected["model.embed_tokens.weight"]
    assert state.keys() == expected.keys(), state.keys() ^ expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(state[name], tensor.reshape(state[name].shape)), name
    return model


def check_nested_class(shape, ids, logits):
    """The class with the vision tower reads the same files and gives the same bits."""
    config = json.loads((DATA / shape.name / "config.json").read_text())
    if "vision_config" not in config:
        return
    model = _load(Qwen3_5MoeForConditionalGeneration, shape)
    with torch.no_grad():
        other = model(torch.tensor([ids]), use_cache=False).logits[0]
    assert torch.equal(other, logits), (other - logits).abs().max()
