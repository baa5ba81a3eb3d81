"""The bitwise multi-scale residual quantizer (Alg. 1, Eq. 4) and its losses, as in `src/model/quantizer.rs`.

Bits are `[B, d, h_k, w_k]` booleans here, features and sums `[B, d, H, W]` in f32.
"""

import math
from typing import Callable, NamedTuple

import torch
from torch import Tensor

from .plan import Grid
from .resize import resize

INVERSE_TEMPERATURE = 100.0
COMMITMENT_WEIGHT = 0.25
ENTROPY_WEIGHT = 0.1


class Pyramid(NamedTuple):
    """Bits of every scale and the running sums F_k."""

    bits: list[Tensor]
    sums: list[Tensor]


def codes(bits: Tensor) -> Tensor:
    """BSQ: bits to codes of `+-1/sqrt(d)` (Eq. 4)."""
    return (bits.float() * 2.0 - 1.0) / math.sqrt(bits.shape[1])


def add_codes(total: Tensor, bits: Tensor) -> Tensor:
    """A running sum and the codes of one more scale, enlarged to its size."""
    return total + resize(codes(bits), total.shape[-2:], "bilinear")


def encode(features: Tensor, grids: tuple[Grid, ...], store: Callable[[int, Tensor], Tensor] | None = None) -> Pyramid:
    """Alg. 1. `store(k, bits)` gives the bits whose codes enter the running sum; the bits returned are those before it."""
    total = torch.zeros_like(features)
    bits, sums = [], []
    for k, grid in enumerate(grids):
        found = resize(features - total, grid, "area") > 0
        total = add_codes(total, store(k, found) if store else found)
        bits.append(found)
        sums.append(total)
    return Pyramid(bits, sums)


def decode(bits: list[Tensor], size: Grid) -> list[Tensor]:
    """F_k of every scale from bits alone, on the grid `size`."""
    total = torch.zeros(*bits[0].shape[:2], *size, device=bits[0].device)
    sums = []
    for scale in bits:
        total = add_codes(total, scale)
        sums.append(total)
    return sums


def inputs(sums: list[Tensor], grids: tuple[Grid, ...]) -> list[Tensor]:
    """F~_k for k = 1 .. K-1: the running sums resized to the grids after them."""
    return [resize(total, grid, "bilinear") for total, grid in zip(sums, grids[1:])]


def project(residual: Tensor) -> Tensor:
    """Unit vectors over channels; the floor under the root keeps the gradient of a zero vector finite."""
    return residual / residual.square().sum(1, keepdim=True).clamp_min(1e-24).sqrt()


def _binary_entropy(p: Tensor) -> Tensor:
    return -p * (p + 1e-8).log() - (1.0 - p) * (1.0 - p + 1e-8).log()


def entropies(z: Tensor) -> tuple[Tensor, Tensor]:
    """Mean entropy of one soft assignment, and entropy of the mean assignment, in nats; `z [B, d, h, w]`.

    The assignment factorizes over bits, so the cost is O(d) and no codebook of 2^d entries is formed.
    """
    d = z.shape[1]
    negative = torch.sigmoid(-z * (4.0 * INVERSE_TEMPERATURE / math.sqrt(d)))
    mean = negative.mean((0, 2, 3))
    return _binary_entropy(negative).sum(1).mean(), _binary_entropy(mean).sum()


def scale_loss(z: Tensor, code: Tensor) -> Tensor:
    """`0.25 commit + 0.1 (H_sample - H_code) / 100` of one scale."""
    sample, codebook = entropies(z)
    commitment = (z - code.detach()).square().mean()
    return COMMITMENT_WEIGHT * commitment + (ENTROPY_WEIGHT / INVERSE_TEMPERATURE) * (sample - codebook)


class TrainedPyramid(NamedTuple):
    """F_K with straight-through gradients, all F_k without, and the auxiliary loss of every scale `[K]`."""

    total: Tensor
    sums: list[Tensor]
    losses: Tensor


def train(features: Tensor, grids: tuple[Grid, ...], detach_residual: bool) -> TrainedPyramid:
    """Alg. 1 as the tokenizer trains through it; `detach_residual` stops gradients through the code in the residual."""
    residual, total = features, torch.zeros_like(features)
    sums, losses = [], []
    for grid in grids:
        z = project(resize(residual, grid, "area"))
        code = codes(z.detach() > 0)
        losses.append(scale_loss(z, code))
        through = z + (code - z).detach()
        enlarged = resize(through, features.shape[-2:], "bilinear")
        residual = residual - (enlarged.detach() if detach_residual else enlarged)
        total = total + enlarged
        sums.append(total.detach())
    return TrainedPyramid(total, sums, torch.stack(losses))
