"""The tokenizer's training loss (Sec. 3.2 and the released tokenizer's recipe), as in `src/train/tokenizer.rs`.

`L1 + w_edge edges + 4 mean_k(aux_k)`: edges at three resolutions take the place of LPIPS, which needs a downloaded network.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import quantizer
from .plan import Plan, Template
from .vae import GroupNorm, Vae

AUXILIARY_WEIGHT = 4.0
EDGE_LEVELS = 3


def edge_loss(error: Tensor) -> Tensor:
    """`mean_levels (mean |dx e| + mean |dy e|)` of an error image, at full, half and quarter resolution."""
    terms = []
    for level in range(EDGE_LEVELS):
        if level > 0:
            error = F.avg_pool2d(error, 2)
        if min(error.shape[-2:]) < 2:
            break
        dx = error[..., 1:] - error[..., :-1]
        dy = error[..., 1:, :] - error[..., :-1, :]
        terms.append(dx.abs().mean() + dy.abs().mean())
    return torch.stack(terms).mean()


def draw_cuts(partial: float, batch: int, scales: int, generator: torch.Generator) -> Tensor:
    """After how many scales the sum that the decoder sees ends, `[B]`; `scales` where it sees all of them."""
    device = generator.device
    chosen = torch.rand(batch, generator=generator, device=device) < partial
    if scales < 2:
        return torch.full((batch,), scales, device=device)
    ends = torch.randint(1, scales, (batch,), generator=generator, device=device)
    return torch.where(chosen, ends, scales)


def cut(whole: Tensor, sums: list[Tensor], cuts: Tensor) -> Tensor:
    """`whole [B, d, H, W]`, but F_k up to there for images that are cut after a scale."""
    ends = cuts[:, None, None, None]
    for k, total in enumerate(sums[:-1]):
        whole = torch.where(ends == k + 1, total, whole)
    return whole


class TokenizerStage(nn.Module):
    """Stage 1: pixels to bits and back. The decoder reads `(1 - a) F + a F_K`, with `a` from 0 to 1 over `quantizer_warmup`."""

    def __init__(self, plan: Plan, autocast: bool = False):
        super().__init__()
        self.options = plan.settings["options"]
        self.plan = plan
        self.autocast = autocast
        self.model = Vae(plan.settings["vae"])
        if self.options["decoder_only"]:
            self.model.encoder.requires_grad_(False)

    def compile(self) -> None:
        # The norms alone: convolutions are the library's either way, and the whole network takes minutes to compile. One size
        # each, that of the squares: kernels for any size failed on batches of 256 (misaligned address, torch 2.11 on an H200).
        for module in self.model.modules():
            if isinstance(module, GroupNorm):
                module.compile(dynamic=False)

    def forward(self, images: Tensor, template: Template, step: int, cuts: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of `images [B, 3, H, W]` in [-1, 1], and the numbers of a step."""
        kind, grids, options = images.device.type, template.grids, self.options
        with torch.set_grad_enabled(torch.is_grad_enabled() and not options["decoder_only"]):
            with torch.autocast(kind, torch.bfloat16, enabled=self.autocast):
                features = self.model.encoder(images)
            features = features.float().contiguous()
        if options["decoder_only"]:
            sums = quantizer.encode(features, grids).sums
            seen, auxiliary = sums[-1], torch.zeros((), device=images.device)
        else:
            pyramid = options["straight_through"] == "pyramid"
            trained = quantizer.train(features, grids, detach_residual=pyramid)
            auxiliary = AUXILIARY_WEIGHT * trained.losses.mean()
            total, sums = trained.total, trained.sums
            if pyramid:
                total = total.detach()
                auxiliary = auxiliary + (features - total).square().mean()
                total = features + (total - features).detach()
            quantized = min((step + 1) / max(options["quantizer_warmup"], 1), 1.0)
            seen = features * (1.0 - quantized) + total * quantized if quantized < 1.0 else total
        with torch.autocast(kind, torch.bfloat16, enabled=self.autocast):
            rebuilt = self.model.decoder(cut(seen, sums, cuts))
        error = rebuilt.float() - images
        l1, edges = error.abs().mean(), edge_loss(error)
        with torch.no_grad():
            whole = (cuts == len(grids)).float()
            squares = (rebuilt.float().clamp(-1.0, 1.0) - images).square().mean((1, 2, 3))
            mse = (squares * whole).sum() / whole.sum().clamp_min(1.0)
            psnr = (mse / 4.0).log() * (-10.0 / math.log(10.0))
        loss = l1 + options["edge_weight"] * edges + auxiliary
        return loss, {"l1": l1, "edges": edges, "auxiliary": auxiliary, "psnr": psnr}
