"""The T5 encoder in the gated-GELU layout of Flan-T5, as in `src/model/t5.rs`; parameter names are that module's field paths."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    x = x.float()
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight


def bucket(offset: int, buckets: int, max_distance: int) -> int:
    """Bucket of the distance `key - query`: exact when near, logarithmic further off, one half for each direction."""
    half = buckets // 2
    side = half if offset > 0 else 0
    distance, exact = abs(offset), half // 2
    if distance < exact:
        return side + distance
    # In single precision, like the official code: at powers of two the floor is one rounding from its neighbor.
    span = torch.tensor(math.log(max_distance / exact), dtype=torch.float32)
    far = torch.log(torch.tensor(distance / exact, dtype=torch.float32)) / span * (half - exact)
    return side + min(exact + int(far), half - 1)


class Block(nn.Module):
    def __init__(self, config: dict):
        super().__init__()
        d, f = config["d_model"], config["d_ff"]
        self.heads, self.d_kv, self.eps = config["num_heads"], config["d_kv"], config["layer_norm_epsilon"]
        inner = self.heads * self.d_kv
        self.attention_norm = nn.Parameter(torch.zeros(d))
        self.q, self.k, self.v = (nn.Linear(d, inner, bias=False) for _ in range(3))
        self.o = nn.Linear(inner, d, bias=False)
        self.ffn_norm = nn.Parameter(torch.zeros(d))
        self.wi_0, self.wi_1 = (nn.Linear(d, f, bias=False) for _ in range(2))
        self.wo = nn.Linear(f, d, bias=False)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """`x [B, T, d_model]`; `bias [B, H, T, T]` has relative positions and hides padding. Scores are not scaled."""
        normed = rms_norm(x, self.attention_norm, self.eps)
        q, k, v = (m(normed).unflatten(-1, (self.heads, self.d_kv)).transpose(1, 2) for m in (self.q, self.k, self.v))
        scores = (q @ k.transpose(-1, -2)).float() + bias
        mixed = scores.softmax(-1).to(v.dtype) @ v
        x = x + self.o(mixed.transpose(1, 2).flatten(2))
        normed = rms_norm(x, self.ffn_norm, self.eps)
        return x + self.wo(F.gelu(self.wi_0(normed), approximate="tanh") * self.wi_1(normed))


class T5Encoder(nn.Module):
    def __init__(self, config: dict):
        super().__init__()
        self.buckets = config["relative_attention_num_buckets"]
        self.max_distance = config["relative_attention_max_distance"]
        self.eps = config["layer_norm_epsilon"]
        self.shared = nn.Parameter(torch.zeros(config["vocab_size"], config["d_model"]))
        self.relative_attention_bias = nn.Parameter(torch.zeros(self.buckets, config["num_heads"]))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config["num_layers"]))
        self.final_layer_norm = nn.Parameter(torch.zeros(config["d_model"]))
        self._buckets: dict[tuple[int, torch.device], Tensor] = {}

    def _bucket_table(self, length: int, device: torch.device) -> Tensor:
        key = (length, device)
        if key not in self._buckets:
            rows = [[bucket(j - i, self.buckets, self.max_distance) for j in range(length)] for i in range(length)]
            self._buckets[key] = torch.tensor(rows, device=device)
        return self._buckets[key]

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Token ids `[B, T]` and which of them count `[B, T]` -> features `[B, T, d_model]`."""
        table = self._bucket_table(ids.shape[1], ids.device)
        bias = F.embedding(table, self.relative_attention_bias).permute(2, 0, 1)[None]
        bias = bias.masked_fill(~mask[:, None, None, :], -1e9)
        x = F.embedding(ids, self.shared)
        for block in self.blocks:
            x = block(x, bias)
        return rms_norm(x, self.final_layer_norm, self.eps)
