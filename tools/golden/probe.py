"""Runs a model and keeps what went into and came out of every mixer and MoE block."""

import collections

import torch
from transformers import DynamicCache


class Probe:
    """Hooks on a loaded model; `run` gives logits, router logits and blocks as [T, ...] tensors.

    With `fed` (a result of an earlier run) every block gets the recorded rows as its input,
    whatever the layers before it made, so that only the block's own noise shows.
    """

    def __init__(self, model):
        self.model = model
        self.seen = None
        self.fed = None
        self.start = 0
        for i, layer in enumerate(model.model.layers):
            full = hasattr(layer, "self_attn")
            self._watch(layer.self_attn if full else layer.linear_attn, f"layer{i}.mixer")
            self._watch(layer.mlp, f"layer{i}.moe")
            layer.mlp.gate.register_forward_hook(self._router(f"layer{i}.router"))

    def _router(self, name):
        def after(module, args, output):
            self.seen[name].append(output[0].detach().clone())

        return after

    def _watch(self, block, name):
        def before(module, args, kwargs):
            x = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
            if self.fed is not None:
                x = self.fed[f"{name}_in"][None, self.start : self.start + x.shape[1]].clone()
            self.seen[f"{name}_in"].append(x[0].detach().clone())
            if "hidden_states" in kwargs:
                return args, {**kwargs, "hidden_states": x}
            return (x, *args[1:]), kwargs

        def after(module, args, kwargs, output):
            y = output[0] if isinstance(output, tuple) else output
            self.seen[f"{name}_out"].append(y[0].detach().clone())

        block.register_forward_pre_hook(before, with_kwargs=True)
        block.register_forward_hook(after, with_kwargs=True)

    def run(self, ids, piece=None, fed=None):
        """All of `ids` in one call, or in pieces of that many tokens through a cache."""
        self.seen, self.fed = collections.defaultdict(list), fed
        cache = DynamicCache(config=self.model.config) if piece else None
        with torch.no_grad():
            for self.start in range(0, len(ids), piece or len(ids)):
                part = torch.tensor([ids[self.start : self.start + (piece or len(ids))]])
                out = self.model(part, past_key_values=cache, use_cache=piece is not None)
                self.seen["logits"].append(out.logits[0].clone())
        self.fed = None  # the hooks stay on the model
        return {name: torch.cat(rows) for name, rows in self.seen.items()}


def router_margin(result, chosen):
    """The smallest distance between the last chosen and the first rejected router logit, by row."""
    margins = []
    for name, logits in result.items():
        if name.endswith(".router"):
            best = logits.topk(chosen + 1, dim=-1).values
            margins.append(best[:, -2] - best[:, -1])
    return torch.stack(margins).amin(dim=0)


def row_errors(other, reference):
    """Per row: the largest distance, in units of the largest value of the whole reference."""
    return (other - reference).abs().amax(dim=-1) / reference.abs().amax()
