"""The convolutional tokenizer, as in `src/model/vae`; parameter names are that module's field paths."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .resize import depth_to_space, space_to_depth

NORM_EPS = 1e-6
OFFICIAL_GROUPS = 32
CHANNELS_PER_GROUP = 4


def norm_groups(channels: int, most: int) -> int:
    """Groups of a group norm: the official 32 or 24 where they divide, else the most that leave four channels each."""
    official = [32, 24] if most == OFFICIAL_GROUPS else []
    widest = min(max(channels // CHANNELS_PER_GROUP, 1), max(most, 1))
    return next((groups for groups in [*official, *range(widest, 0, -1)] if channels % groups == 0), 1)


class GroupNorm(nn.Module):
    """Group norm, then SiLU, which follows every norm of the tokenizer."""

    def __init__(self, channels: int, most: int):
        super().__init__()
        self.groups = norm_groups(channels, most)
        self.weight = nn.Parameter(torch.zeros(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(F.group_norm(x, self.groups, self.weight, self.bias, NORM_EPS))


class ResBlock(nn.Module):
    """`shortcut(x) + conv2(silu(GN2(conv1(silu(GN1 x)))))`."""

    def __init__(self, inputs: int, outputs: int, groups: int):
        super().__init__()
        self.norm1 = GroupNorm(inputs, groups)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = GroupNorm(outputs, groups)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.nin_shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv2(self.norm2(self.conv1(self.norm1(x))))
        return h + (x if self.nin_shortcut is None else self.nin_shortcut(x))


def row(count: int, inputs: int, outputs: int, groups: int) -> nn.ModuleList:
    """Residual blocks, the first of which changes the number of channels."""
    return nn.ModuleList(ResBlock(inputs if j == 0 else outputs, outputs, groups) for j in range(count))


class Middle(nn.Module):
    def __init__(self, channels: int, groups: int):
        super().__init__()
        self.block_1 = ResBlock(channels, channels, groups)
        self.block_2 = ResBlock(channels, channels, groups)

    def forward(self, x: Tensor) -> Tensor:
        return self.block_2(self.block_1(x))


class Downsample(nn.Module):
    """Stride 2 over the input padded with zeros at the right and bottom only."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Level(nn.Module):
    """One resolution: residual blocks, then a change of resolution where there is one."""

    def __init__(self, block: nn.ModuleList, name: str, change: nn.Module | None):
        super().__init__()
        self.block = block
        self.change = name
        setattr(self, name, change)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.block:
            x = block(x)
        change = getattr(self, self.change)
        return x if change is None else change(x)


def halvings(config: dict) -> int:
    return int(math.log2(config["patch_size"] // config["stem_patch"]))


class Encoder(nn.Module):
    """Images `[B, 3, H, W]` in [-1, 1] -> features `[B, d, H/f, W/f]`."""

    def __init__(self, config: dict):
        super().__init__()
        sizes = config.get("encoder") or config
        groups, self.stem_patch = config["norm_groups"], config["stem_patch"]
        channels = sizes["base_ch"]
        self.conv_in = nn.Conv2d(3 * self.stem_patch**2, channels, 3, padding=1)
        down = []
        for level, multiplier in enumerate(sizes["ch_mult"]):
            width = multiplier * sizes["base_ch"]
            change = Downsample(width) if level < halvings(config) else None
            down.append(Level(row(sizes["num_res_blocks"], channels, width, groups), "downsample", change))
            channels = width
        self.down = nn.ModuleList(down)
        self.mid = Middle(channels, groups)
        self.norm_out = GroupNorm(channels, groups)
        self.conv_out = nn.Conv2d(channels, config["codebook_dim"], 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.conv_in(space_to_depth(image, self.stem_patch))
        for level in self.down:
            x = level(x)
        return self.conv_out(self.norm_out(self.mid(x)))


class Decoder(nn.Module):
    """Summed codes `F_K [B, d, h, w]` -> images `[B, 3, f h, f w]`, about [-1, 1] but not clamped."""

    def __init__(self, config: dict):
        super().__init__()
        groups, self.stem_patch = config["norm_groups"], config["stem_patch"]
        widths = [multiplier * config["base_ch"] for multiplier in config["ch_mult"]]
        self.conv_in = nn.Conv2d(config["codebook_dim"], widths[-1], 3, padding=1)
        self.mid = Middle(widths[-1], groups)
        up = []
        for level, width in enumerate(widths):
            inputs = widths[level + 1] if level + 1 < len(widths) else widths[-1]
            change = Upsample(width) if 1 <= level <= halvings(config) else None
            up.append(Level(row(config["num_res_blocks"] + 1, inputs, width, groups), "upsample", change))
        self.up = nn.ModuleList(up)
        self.norm_out = GroupNorm(widths[0], groups)
        self.conv_out = nn.Conv2d(widths[0], 3 * self.stem_patch**2, 3, padding=1)

    def forward(self, total: Tensor) -> Tensor:
        x = self.mid(self.conv_in(total))
        for level in reversed(self.up):
            x = level(x)
        return depth_to_space(self.conv_out(self.norm_out(x)), self.stem_patch)


class Vae(nn.Module):
    def __init__(self, config: dict):
        super().__init__()
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
