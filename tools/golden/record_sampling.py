"""Records what a token is drawn from: tests/worker/sampling/data/sampling.jsonl.

Repetition penalty, temperature, min_p, top_k and top_p are transformers' own processors, called in
vLLM's order; bias, frequency and presence penalty, which transformers lacks, are OpenAI's published
formulas. All in float64. Cases in which rounding to fp32 could decide what is kept are drawn again.
"""

import json
import pathlib

import torch
from transformers.generation import logits_process as hf

OUT = pathlib.Path("tests/worker/sampling/data/sampling.jsonl")
VOCAB = 48
CASES = 60
MARGIN = 1e-4  # of a probability to the bound that it is compared with


def uniform(generator, low, high):
    return round(low + (high - low) * torch.rand((), generator=generator).item(), 3)


def draw_case(generator):
    prompt = torch.randint(0, 30, (12,), generator=generator).tolist()
    output = torch.randint(0, 30, (20,), generator=generator).tolist()
    params = {"temperature": uniform(generator, 0.3, 2.5)}
    choices = {
        "min_p": lambda: uniform(generator, 0.01, 0.4),
        "top_k": lambda: int(torch.randint(1, VOCAB, (), generator=generator)),
        "top_p": lambda: uniform(generator, 0.2, 0.99),
        "presence_penalty": lambda: uniform(generator, -2, 2),
        "frequency_penalty": lambda: uniform(generator, -2, 2),
        "repetition_penalty": lambda: uniform(generator, 0.6, 1.8),
        "logit_bias": lambda: {
            str(i): uniform(generator, -8, 8)
            for i in torch.randperm(VOCAB, generator=generator)[:5].tolist()
        },
    }
    for name, choose in choices.items():
        if torch.rand((), generator=generator) < 0.5:
            params[name] = choose()
    logits = [uniform(generator, -6, 6) for _ in range(VOCAB)]
    return {"logits": logits, "prompt_ids": prompt, "output_ids": output, "params": params}


def penalised(case):
    params = case["params"]
    scores = torch.tensor([case["logits"]], dtype=torch.float64)
    for token, bias in params.get("logit_bias", {}).items():
        scores[0, int(token)] += bias
    if "repetition_penalty" in params:
        seen = torch.tensor([case["prompt_ids"] + case["output_ids"]])
        scores = hf.RepetitionPenaltyLogitsProcessor(params["repetition_penalty"])(seen, scores)
    times = torch.bincount(torch.tensor(case["output_ids"]), minlength=VOCAB).to(torch.float64)
    scores = scores - params.get("frequency_penalty", 0.0) * times
    return scores - params.get("presence_penalty", 0.0) * (times > 0)


def filtered(case):
    """The distribution, and how near a probability comes to a bound."""
    params = case["params"]
    none = torch.tensor([[0]])
    scores = hf.TemperatureLogitsWarper(params["temperature"])(none, penalised(case))
    margin = 1.0
    if "min_p" in params:
        probabilities = scores.softmax(-1)
        share = probabilities / probabilities.max()
        margin = min(margin, (share - params["min_p"]).abs().min().item())
        scores = hf.MinPLogitsWarper(params["min_p"])(none, scores)
    if "top_k" in params:
        scores = hf.TopKLogitsWarper(params["top_k"])(none, scores)
    if "top_p" in params:
        sums = scores.softmax(-1).sort(descending=True).values.cumsum(-1)
        margin = min(margin, (sums - params["top_p"]).abs().min().item())
        scores = hf.TopPLogitsWarper(params["top_p"])(none, scores)
    kept = scores[0][torch.isfinite(scores[0])]
    gaps = kept.sort().values.diff()
    if len(gaps) and gaps.min().item() < MARGIN:
        margin = 0.0  # a tie: the orders may differ
    return scores.softmax(-1)[0].tolist(), margin


def main():
    generator = torch.Generator().manual_seed(20)
    lines = []
    while len(lines) < CASES:
        case = draw_case(generator)
        probs, margin = filtered(case)
        if margin < MARGIN:
            continue
        raw = torch.tensor(case["logits"], dtype=torch.float64).log_softmax(-1)
        case["probs"] = [[i, float(f"{p:.10g}")] for i, p in enumerate(probs) if p > 0]
        case["logprobs"] = [float(f"{p:.10g}") for p in raw.tolist()]
        lines.append(json.dumps(case, separators=(",", ":")))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text("\n".join(lines) + "\n")
    print(f"{OUT}: {len(lines)} cases")


if __name__ == "__main__":
    main()
