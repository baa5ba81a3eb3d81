"""Bitwise self-correction (Alg. 2), as in `src/model/self_correction.rs`: inputs with flipped bits, targets quantized again."""

from typing import NamedTuple

import torch
from torch import Tensor

from . import quantizer
from .plan import Grid


class Corrected(NamedTuple):
    """Targets `[B, d, h_k, w_k]`, never flipped, and the running sums with the flips in them."""

    targets: list[Tensor]
    sums: list[Tensor]


def draw_masks(
    p: float, shape: tuple[int, int], grids: tuple[Grid, ...], generator: torch.Generator
) -> list[Tensor | None]:
    """Which bits flip: `[B, d, h_k, w_k]` a scale, `shape` is `(B, d)`.

    Every scale draws one probability for the whole batch, in whole percents from 0 to 100 p, as the official code does.
    """
    percents = int(100.0 * p)
    if percents == 0:
        return [None] * len(grids)
    device = generator.device
    rates = torch.randint(percents + 1, (len(grids),), generator=generator, device=device).float() / 100.0
    return [torch.rand((*shape, *grid), generator=generator, device=device) < rate for rate, grid in zip(rates, grids)]


def correct(
    features: Tensor, grids: tuple[Grid, ...], masks: list[Tensor | None], inputs_only: bool = False
) -> Corrected:
    """Alg. 2. With `inputs_only` the targets stay those of the clean image: the paper's random-flip baseline (Table 7)."""

    def flip(k: int, bits: Tensor) -> Tensor:
        return bits if masks[k] is None else bits ^ masks[k]

    if not inputs_only:
        return Corrected(*quantizer.encode(features, grids, flip))
    targets = quantizer.encode(features, grids).bits
    stored = [flip(k, bits) for k, bits in enumerate(targets)]
    return Corrected(targets, quantizer.decode(stored, features.shape[-2:]))
