"""The bitwise autoregressive transformer with the infinite-vocabulary classifier (Sec. 3.1 - 3.3), teacher-forced.

As in `src/model/transformer`; parameter names are that module's field paths. Before the blocks and in the head everything is f32;
the blocks may run under bf16 autocast, with f32 norms and a f32 residual stream.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import rope
from .plan import Template
from .t5 import rms_norm

LEVELS = 15


def attend(q: Tensor, k: Tensor, v: Tensor, spans: list[tuple[int, int]], mask: Tensor) -> Tensor:
    """Block-wise causal attention on `[B, H, L, hd]` with scale 1.

    A token sees all tokens of its own and earlier scales. So the queries of one scale see a prefix of the keys without any
    mask: each large scale is a call of its own, and only the small ones before them share one that needs `mask`.
    """
    parts = []
    for start, end in spans:
        hidden = mask if start == 0 else None
        parts.append(
            F.scaled_dot_product_attention(q[:, :, start:end], k[:, :, :end], v[:, :, :end], attn_mask=hidden, scale=1.0)
        )
    return torch.cat(parts, 2)


def spans(tokens: list[int], least: int = 128) -> list[tuple[int, int]]:
    """Ranges of queries for `attend`: the scales of fewer than `least` tokens together, each of the others alone."""
    small = sum(1 for count in tokens if count < least)
    ends = [sum(tokens[: k + 1]) for k in range(max(small, 1) - 1, len(tokens))]
    return list(zip([0, *ends[:-1]], ends))


class Layout(nn.Module):
    """What the tokens of one aspect ratio have in common: rotary tables, scale indices, the mask of the small scales."""

    def __init__(self, template: Template, positions: str, head_dim: int):
        super().__init__()
        self.spans = spans(template.tokens)
        level = torch.cat([torch.full((count,), k) for k, count in enumerate(template.tokens)])
        first = level[: self.spans[0][1]]
        self.register_buffer("level", level, persistent=False)
        self.register_buffer("mask", first[:, None] >= first[None, :], persistent=False)
        cos, sin = rope.tables(positions, head_dim, template)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)


def split_heads(x: Tensor, heads: int) -> Tensor:
    """`[B, L, C] -> [B, H, L, hd]`."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def unit(x: Tensor) -> Tensor:
    return x / x.square().sum(-1, keepdim=True).clamp_min(1e-24).sqrt()


class SelfAttention(nn.Module):
    """On L2-normalized queries and keys with a learned temperature per head."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.mat_qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.scale_mul = nn.Parameter(torch.zeros(1, heads, 1, 1))
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor, spans: list[tuple[int, int]]) -> Tensor:
        q, k, v = self.mat_qkv(x).chunk(3, -1)
        kind = v.dtype
        temperature = self.scale_mul.clamp_max(math.log(100.0)).exp()
        q = unit(split_heads(q.float() + self.q_bias, self.heads)) * temperature
        k = unit(split_heads(k.float(), self.heads))
        v = split_heads((v.float() + self.v_bias).to(kind), self.heads)
        q, k = (rope.rotate(part, cos, sin).to(kind) for part in (q, k))
        out = attend(q, k, v, spans, mask)
        return self.proj(out.transpose(1, 2).flatten(2))


class CrossAttention(nn.Module):
    """From tokens to the prompt."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.mat_q = nn.Linear(width, width)
        self.mat_kv = nn.Linear(width, 2 * width, bias=False)
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """`x [B, L, C]`, `memory [B, T, C]`, `mask [B, 1, 1, T]`."""
        q = split_heads(self.mat_q(x), self.heads)
        k, v = self.mat_kv(memory).chunk(2, -1)
        v = (v + self.v_bias).to(k.dtype)
        mask = mask.expand(-1, 1, x.shape[1], -1)
        out = F.scaled_dot_product_attention(q, split_heads(k, self.heads), split_heads(v, self.heads), attn_mask=mask)
        return self.proj(out.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self, inputs: int, hidden: int, outputs: int):
        super().__init__()
        self.fc1 = nn.Linear(inputs, hidden)
        self.fc2 = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))


class Affine(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width))
        self.bias = nn.Parameter(torch.zeros(width))


class Weight(nn.Module):
    def __init__(self, *shape: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(shape))


class Block(nn.Module):
    """`x += g1 SA(LN(x)(1 + s1) + h1)`, `x += CA(LN(x) w + b)`, `x += g2 FFN(LN(x)(1 + s2) + h2)`."""

    def __init__(self, config: dict):
        super().__init__()
        width, heads = config["embed_dim"], config["num_heads"]
        self.width, self.eps = width, config["norm_eps"]
        self.ada_gss = nn.Parameter(torch.zeros(1, 1, 6, width))
        self.sa = SelfAttention(width, heads)
        self.ca_norm = Affine(width)
        self.ca = CrossAttention(width, heads)
        self.ffn = FeedForward(width, config["ffn_hidden"], width)

    def forward(self, x: Tensor, modulation: Tensor, memory: Tensor, text_mask: Tensor, layout: tuple) -> Tensor:
        """`x [B, L, C]`, `modulation [B, 1, 6, C]`, `layout` are cosines, sines, mask and spans of the tokens."""
        gate1, gate2, scale1, scale2, shift1, shift2 = (self.ada_gss + modulation).unbind(2)

        def norm(x: Tensor) -> Tensor:
            return F.layer_norm(x, (self.width,), eps=self.eps)

        x = x + gate1 * self.sa(norm(x) * (1.0 + scale1) + shift1, *layout)
        x = x + self.ca(norm(x) * self.ca_norm.weight + self.ca_norm.bias, memory, text_mask)
        return x + gate2 * self.ffn(norm(x) * (1.0 + scale2) + shift2)


class TextPool(nn.Module):
    """Pools the text into one vector: attention with a learned query."""

    def __init__(self, text_dim: int, width: int):
        super().__init__()
        heads = text_dim // (64 if width > 4096 else 128)
        self.mat_q = nn.Parameter(torch.zeros(1, heads, width // heads))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.mat_kv = nn.Linear(text_dim, 2 * width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, t: Tensor, mask: Tensor) -> Tensor:
        """`t [B, T, Ct5]`, `mask [B, 1, 1, T]` -> `[B, C]`."""
        heads = self.mat_q.shape[1]
        k, v = self.mat_kv(t).chunk(2, -1)
        q = self.mat_q.flatten().expand(t.shape[0], 1, -1)
        v = v + self.v_bias
        out = F.scaled_dot_product_attention(*(split_heads(part, heads) for part in (q, k, v)), attn_mask=mask)
        return self.proj(out.transpose(1, 2).flatten(1))


class HeadNorm(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.ada_lin = nn.Linear(width, 2 * width)


class Transformer(nn.Module):
    def __init__(self, config: dict):
        super().__init__()
        if config["classifier"] != "bits" or config["patchify"]:
            raise SystemExit("training/ has the bitwise classifier on one latent position a token; use `infinity train` for others")
        positions = config["positions"]
        if positions not in ("rope_plain", "rope_normalized"):
            raise SystemExit(f"training/ has no positions {positions}; use `infinity train` for them")
        width, text_dim, bits = config["embed_dim"], config["text_dim"], config["bits"]
        self.config, self.width, self.eps = config, width, config["norm_eps"]
        self.cfg_uncond = nn.Parameter(torch.zeros(config["text_maxlen"], text_dim))
        self.pos_start = nn.Parameter(torch.zeros(1, 1, width))
        self.text_norm = Weight(text_dim)
        self.text_proj_for_sos = TextPool(text_dim, width)
        self.text_proj_for_ca = FeedForward(text_dim, width, width)
        self.lvl_embed = Weight(LEVELS, width)
        self.word_embed = nn.Linear(bits, width)
        self.shared_ada_lin = nn.Linear(width, 6 * width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config["depth"]))
        self.head_nm = HeadNorm(width)
        self.head = nn.Linear(width, 2 * bits)

    def layout(self, template: Template) -> Layout:
        return Layout(template, self.config["positions"], self.width // self.config["num_heads"])

    def drop_condition(self, features: Tensor, dropped: Tensor) -> Tensor:
        """The rows of "no prompt" in place of the features of the samples that are `dropped [B]`."""
        rows = self.cfg_uncond[: features.shape[1]]
        if rows.shape[0] < features.shape[1]:
            # Only padding, which nothing sees, can be longer than the table.
            rows = F.pad(rows, (0, 0, 0, features.shape[1] - rows.shape[0]))
        return torch.where(dropped[:, None, None], rows, features)

    def forward(self, features: Tensor, text_mask: Tensor, inputs: Tensor, layout: Layout, autocast: bool = False) -> Tensor:
        """Logits `[B, L, 2d]`, channel `2p + c` for class c of bit p.

        `features [B, T, Ct5]`, `text_mask [B, T]`, `inputs [B, L - 1, d]` are the tokens of F~_1 .. F~_{K-1}.
        """
        device = inputs.device.type
        mask = text_mask[:, None, None, :]
        every_chunk = self.config["level_embedding"] == "every_chunk"
        chunk = len(self.blocks) // self.config["block_chunks"]
        with torch.autocast(device, enabled=False):
            t = rms_norm(features, self.text_norm.weight, self.eps)
            pooled = self.text_proj_for_sos(t, mask)
            memory = self.text_proj_for_ca(t)
            active = F.silu(pooled)
            modulation = self.shared_ada_lin(active).view(-1, 1, 6, self.width)
            scale, shift = self.head_nm.ada_lin(active).view(-1, 1, 2, self.width).unbind(2)
            x = torch.cat([pooled[:, None] + self.pos_start, self.word_embed(inputs)], 1)
            level = self.lvl_embed.weight[layout.level][None]
        tables = (layout.cos, layout.sin, layout.mask, layout.spans)
        with torch.autocast(device, torch.bfloat16, enabled=autocast):
            for i, block in enumerate(self.blocks):
                if i == 0 or (every_chunk and i % chunk == 0):
                    x = x + level
                x = block(x, modulation, memory, mask, tables)
        with torch.autocast(device, enabled=False):
            normed = F.layer_norm(x.float(), (self.width,), eps=self.eps)
            return self.head(normed * (1.0 + scale) + shift)


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean two-class cross entropy over the bits of every token: `[B, L, 2d]`, `[B, L, d]` -> `[B, L]`."""
    first, second = logits.unflatten(-1, (-1, 2)).unbind(-1)
    return F.binary_cross_entropy_with_logits(second - first, targets.float(), reduction="none").mean(-1)


def bit_accuracy(logits: Tensor, targets: Tensor) -> Tensor:
    """Share of right bits of every token, `[B, L]`."""
    first, second = logits.unflatten(-1, (-1, 2)).unbind(-1)
    return ((second > first) == targets).float().mean(-1)


def scale_weights(tokens: list[int], reweight: bool) -> Tensor:
    """Weight of every token in the loss, summing to 1: equal, or `sqrt(L_K / L_k)` (the official training script's)."""
    weights = [math.sqrt(tokens[-1] / count) if reweight else 1.0 for count in tokens for _ in range(count)]
    return torch.tensor(weights) / sum(weights)
