"""Runs the speculative layer of a loaded model: the recorded oracle of docs/model.md 4."""

import torch
from transformers.cache_utils import MtpCache
from transformers.modeling_layers import MtpModel

CHAINED = 2  # drafts that follow the first, each fed the one before


class Drafter:
    """The MTP layer of `model`, read from the same files; 19 tensors, none may be missing."""

    def __init__(self, model):
        model.config.num_mtp_layers = 1
        model.config.mtp_layer_types = ["full_attention"]
        self.mtp = MtpModel.from_pretrained(model, device_map={"": "cpu"}).eval()
        self.config = model.config.get_mtp_config()
        self.margins = []
        layer = self.mtp.layers[0].mtp_block
        layer.mlp.gate.register_forward_hook(self._margin)

    def _margin(self, module, args, output):
        best = output[0].topk(module.top_k + 1, dim=-1).values
        self.margins.append((best[:, -2] - best[:, -1]).min().item())

    def run(self, hidden, next_ids, piece=None):
        """The vectors after mtp.norm of all rows and of the chained drafts, and their logits."""
        cache, rows = MtpCache(config=self.config), []
        step = piece or len(next_ids)
        for start in range(0, len(next_ids), step):
            part = slice(start, start + step)
            rows.append(self._layer(hidden[part], next_ids[part], start, cache))
        drafts = [self._best(rows[-1])]
        for n in range(CHAINED):
            rows.append(self._layer(rows[-1][-1:], [drafts[-1]], len(next_ids) + n, cache))
            drafts.append(self._best(rows[-1]))
        out = torch.cat(rows)
        return {"out": out, "logits": self._logits(out), "drafts": drafts}

    @torch.no_grad()
    def _layer(self, hidden, ids, start, cache):
        positions = torch.arange(start, start + len(ids))[None]
        ids = torch.tensor([ids])
        return self.mtp.forward_layer(0, hidden[None], positions, cache, input_ids=ids)[0]

    @torch.no_grad()
    def _logits(self, rows):
        return self.mtp.shared_head(rows)

    def _best(self, rows):
        return int(self._logits(rows[-1:]).argmax())


def last_hidden(model, ids):
    """The trunk's vectors after the final norm."""
    with torch.no_grad():
        out = model(torch.tensor([ids]), use_cache=False, output_hidden_states=True)
    return out.hidden_states[-1][0]
