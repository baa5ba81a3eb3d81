"""Two-dimensional rotary embedding over all scales of a schedule (Sec. 3.5), as in `src/model/rope.rs`."""

import torch
from torch import Tensor

from .plan import Template


def tables(positions: str, head_dim: int, template: Template) -> tuple[Tensor, Tensor]:
    """Cosines and sines `[L, head_dim / 2]`: of the channel pairs the first half turns with the row, the second with the column.

    `rope_plain` takes grid positions as they are, `rope_normalized` stretches them to the reference grid and rounds.
    """
    pairs = head_dim // 2
    theta = 1.0 / (10000.0 ** (torch.arange(pairs // 2).float() * 2.0 / pairs))
    angles = []
    for grid in template.grids:
        axes = []
        for size, reference in zip(grid, template.reference):
            place = torch.arange(size).float()
            if positions == "rope_normalized":
                # Factor and product in f32; torch rounds halves to even, as the official code does.
                place = (place * torch.tensor(reference / size, dtype=torch.float32)).round()
            axes.append(place)
        y, x = (axis.reshape(-1) for axis in torch.meshgrid(*axes, indexing="ij"))
        angles.append(torch.cat([y[:, None] * theta, x[:, None] * theta], 1))
    angle = torch.cat(angles)
    return angle.cos(), angle.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotates adjacent channels of `x [B, H, L, hd]`: `(a, b) -> (a cos - b sin, a sin + b cos)`."""
    a, b = x.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)
