"""Resizing of feature maps by small fixed matrices, as `src/kernels/reference/resize.rs` does it; and space-to-depth."""

import functools

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .plan import Grid


@functools.lru_cache(maxsize=None)
def _matrix(mode: str, source: int, target: int, device: torch.device) -> Tensor:
    """The `[target, source]` matrix of one axis: `area` averages, `bilinear` has half-pixel centers and no anti-aliasing."""
    weights = torch.zeros(target, source)
    for i in range(target):
        if mode == "area":
            start, end = i * source // target, -(-(i + 1) * source // target)
            weights[i, start:end] = 1.0 / (end - start)
        else:
            # In single precision, like the official code.
            scale = np.float32(source) / np.float32(target)
            place = max((np.float32(i) + np.float32(0.5)) * scale - np.float32(0.5), np.float32(0.0))
            low = min(int(place), source - 1)
            weights[i, low] += float(1 - (place - low))
            weights[i, min(low + 1, source - 1)] += float(place - low)
    return weights.to(device)


def resize(x: Tensor, grid: Grid, mode: str) -> Tensor:
    """`[B, C, H, W] -> [B, C, h, w]` in f32."""
    height, width = x.shape[-2:]
    if (height, width) == tuple(grid):
        return x
    rows = _matrix(mode, height, grid[0], x.device)
    columns = _matrix(mode, width, grid[1], x.device)
    with torch.autocast(x.device.type, enabled=False):
        return rows @ (x.float() @ columns.T)


def space_to_depth(x: Tensor, size: int) -> Tensor:
    """`[B, C, s h, s w] -> [B, s^2 C, h, w]`, channel `s^2 c + s dy + dx`."""
    return x if size == 1 else F.pixel_unshuffle(x, size)


def depth_to_space(x: Tensor, size: int) -> Tensor:
    """The inverse of `space_to_depth`."""
    return x if size == 1 else F.pixel_shuffle(x, size)
