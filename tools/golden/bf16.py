"""Records how far transformers' own bf16 run of the nano model lies from its fp32 run: bf16.json

The texts are recorded dialogues, prompt and answer in one call. Only the two figures and the
dialogues' numbers are kept: the limit of our own bf16 run is set by them.
"""

import json
import pathlib

import torch
import transformers
from transformers import AutoModelForCausalLM

from make_checkpoint import DATA

NANO = pathlib.Path(__file__).resolve().parents[1] / "nano" / "checkpoint"
TEXTS = 64
LONGEST = 256


def texts():
    """The first 64 dialogues of at most 256 ids, as (number, ids)."""
    with open(NANO / "dialogues.jsonl") as lines:
        dialogues = [json.loads(line) for line in lines]
    pairs = [(d["id"], d["prompt_ids"] + d["answer_ids"]) for d in dialogues]
    return [pair for pair in pairs if len(pair[1]) <= LONGEST][:TEXTS]


def log_probabilities(model, ids):
    with torch.no_grad():
        logits = model(torch.tensor([ids]), use_cache=False).logits[0]
    return logits.double().log_softmax(-1)


def measure():
    exact, rounded = (
        AutoModelForCausalLM.from_pretrained(NANO, dtype=dtype).eval()
        for dtype in (torch.float32, torch.bfloat16)
    )
    divergence, equal, positions, chosen = 0.0, 0, 0, texts()
    for _, ids in chosen:
        p, q = log_probabilities(exact, ids), log_probabilities(rounded, ids)
        divergence += (p.exp() * (p - q)).sum().item()
        equal += (p.argmax(-1) == q.argmax(-1)).sum().item()
        positions += len(ids)
    return {
        "versions": {"transformers": transformers.__version__, "torch": torch.__version__},
        "dialogues": [number for number, _ in chosen],
        "positions": positions,
        "mean_kl": divergence / positions,
        "top1": equal / positions,
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    report = measure()
    (DATA / "bf16.json").write_text(json.dumps(report) + "\n")
    print({name: report[name] for name in ("positions", "mean_kl", "top1")})
