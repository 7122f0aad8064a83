"""Records logits, blocks and the reference's own noise of the checkpoints: record.py [NAME ...]"""

import json
import sys

import numpy as np
import safetensors
import torch
import transformers
from safetensors.torch import save_file

from checkpoint import check_nested_class, load
from make_checkpoint import DATA
from mtp import Drafter, last_hidden
from probe import Probe, router_margin, row_errors
from shapes import SHAPES, layer_types

ROUTER_MARGIN = 2e-3  # between the last chosen and the first rejected router logit
GREEDY_MARGIN = 1e-2  # between the best two logits along the continuation
GREEDY_TOKENS = 8
NOISE_FLOOR = 1e-7  # an fp32 epsilon of the largest output
PIECE = 7


def draw_prompt(probe, shape, length, rng):
    """Random ids, token by token; one that brings a router near a tie is drawn again."""
    ids = []
    while len(ids) < length:
        token = int(rng.integers(shape.text["vocab_size"]))
        result = probe.run(ids + [token])
        if router_margin(result, shape.text["num_experts_per_tok"])[-1] >= ROUTER_MARGIN:
            ids.append(token)
    return ids


def continue_greedily(probe, shape, prompt):
    """Eight greedy ids and the two smallest margins on the way, or None after a near tie."""
    ids, gaps = list(prompt), []
    while True:
        result = probe.run(ids)
        router = router_margin(result, shape.text["num_experts_per_tok"]).min().item()
        if router < ROUTER_MARGIN:
            return None
        if len(ids) == len(prompt) + GREEDY_TOKENS:
            return ids[len(prompt) :], min(gaps), router
        best, second = result["logits"][-1].topk(2).values.tolist()
        gaps.append(best - second)
        if gaps[-1] < GREEDY_MARGIN:
            return None
        ids.append(int(result["logits"][-1].argmax()))


def draw_all(probe, shape):
    """The prompts and the first one's continuation; draws until nothing is nearly tied."""
    rng = np.random.default_rng(shape.seed + 1000)
    greedy = None
    while greedy is None:
        first = draw_prompt(probe, shape, shape.prompt_lengths[0], rng)
        greedy = continue_greedily(probe, shape, first)
    rest = [draw_prompt(probe, shape, length, rng) for length in shape.prompt_lengths[1:]]
    return [first, *rest], greedy


def kind_of(name, types):
    """logits, full, linear, moe, mtp_out or mtp_logits; None for what is not an output."""
    if name in ("logits", "mtp_out", "mtp_logits"):
        return name
    if name.endswith("moe_out"):
        return "moe"
    if name.endswith("mixer_out"):
        return types[int(name[len("layer") : name.index(".")])].removesuffix("_attention")
    return None


def measure(other, whole, types, noise):
    """Raises the figures of `noise` to those of this comparison."""
    for name, reference in whole.items():
        kind = kind_of(name, types)
        if kind is None:
            continue
        rows = row_errors(other[name], reference)
        entry = noise.setdefault(kind, {"worst": NOISE_FLOOR, "median": NOISE_FLOOR})
        entry["worst"] = max(entry["worst"], rows.max().item())
        entry["median"] = max(entry["median"], rows.median().item())


def compare(probe, eager, prompt, whole, types):
    """Noise of one prompt: {comparison: {kind: figures}}, free and with the blocks fed."""
    runs = {
        "token_by_token": lambda fed: probe.run(prompt, piece=1, fed=fed),
        "pieces_of_7": lambda fed: probe.run(prompt, piece=PIECE, fed=fed),
        "eager": lambda fed: eager.run(prompt, fed=fed),
    }
    free, fed = {}, {}
    for name, run in runs.items():
        measure(run(None), whole, types, free.setdefault(name, {}))
        measure(run(whole), whole, types, fed.setdefault(name, {}))
        fed[name].pop("logits")  # fed blocks leave no logits of their own
    return free, fed


def fold(into, comparisons):
    for name, kinds in comparisons.items():
        for kind, figures in kinds.items():
            entry = into.setdefault(name, {}).setdefault(kind, dict(figures))
            for which, value in figures.items():
                entry[which] = max(entry[which], value)


def largest(comparisons):
    total = {}
    for kinds in comparisons.values():
        fold(total, {"all": kinds})
    return total["all"]


def recorded_tensors(index, prompt, whole, layers):
    """The tensors of one prompt, under the names that the tests read."""
    tensors = {f"prompt{index}.ids": torch.tensor(prompt, dtype=torch.int32)}
    tensors[f"prompt{index}.logits"] = whole["logits"]
    for layer in layers:
        for end in ("mixer_in", "mixer_out", "moe_in", "moe_out"):
            name = f"layer{layer}.{end}"
            tensors[f"prompt{index}.{name}"] = whole[name]
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def record_mtp(probe, eager, prompt, follower, tensors, fed):
    """Adds what the speculative layer makes of prompt 0, and its noise; returns its margin."""
    next_ids = prompt[1:] + [follower]
    hidden = last_hidden(probe.model, prompt)
    drafter = Drafter(probe.model)
    whole = drafter.run(hidden, next_ids)
    others = {
        "token_by_token": drafter.run(hidden, next_ids, piece=1),
        "pieces_of_7": drafter.run(hidden, next_ids, piece=PIECE),
        "eager": Drafter(eager.model).run(hidden, next_ids),
    }
    for name, other in others.items():
        assert other["drafts"] == whole["drafts"], (name, other["drafts"], whole["drafts"])
        pair = [{f"mtp_{k}": run[k] for k in ("out", "logits")} for run in (other, whole)]
        measure(*pair, (), fed[name])
    tensors |= {
        "prompt0.mtp.hidden": hidden,
        "prompt0.mtp.next_ids": torch.tensor(next_ids, dtype=torch.int32),
        "prompt0.mtp.out": whole["out"],
        "prompt0.mtp.logits": whole["logits"],
        "prompt0.mtp.drafts": torch.tensor(whole["drafts"], dtype=torch.int32),
    }
    return min(drafter.margins)


def record(shape):
    probe = Probe(load(shape))
    eager = Probe(load(shape, attn_implementation="eager", experts_implementation="eager"))
    types = layer_types(shape.text)
    prompts, (greedy, greedy_margin, margin) = draw_all(probe, shape)
    tensors, free, fed = {}, {}, {}
    for index, prompt in enumerate(prompts):
        whole = probe.run(prompt)
        margin = min(margin, router_margin(whole, shape.text["num_experts_per_tok"]).min().item())
        layers = shape.long_layers if index else range(len(types))
        tensors |= recorded_tensors(index, prompt, whole, layers)
        for total, part in zip((free, fed), compare(probe, eager, prompt, whole, types)):
            fold(total, part)
    if shape.extras:
        margin = min(margin, record_mtp(probe, eager, prompts[0], greedy[0], tensors, fed))
    assert margin >= ROUTER_MARGIN, margin
    check_nested_class(shape, prompts[0], tensors["prompt0.logits"])
    tensors["prompt0.greedy"] = torch.tensor(greedy, dtype=torch.int32)
    folder = DATA / shape.name
    save_file(tensors, folder / "recording.safetensors")
    report = {
        "shape": shape.name,
        "versions": {
            "transformers": transformers.__version__,
            "torch": torch.__version__,
            "safetensors": safetensors.__version__,
            "numpy": np.__version__,
        },
        "router_margin": margin,
        "greedy_margin": greedy_margin,
        "largest_logit": max(
            t.abs().max().item() for n, t in tensors.items() if n.endswith(".logits")
        ),
        "noise_floor": NOISE_FLOOR,
        "noise": largest(free),
        "noise_fed": largest(fed),
        "comparisons": free,
        "comparisons_fed": fed,
    }
    (folder / "noise.json").write_text(json.dumps(report, indent=1) + "\n")
    print(f"{shape.name}: router margin {margin:.2g}, logits {report['noise']['logits']}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in sys.argv[1:] or SHAPES:
        record(SHAPES[name])
