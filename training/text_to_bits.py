"""One training step of the transformer with its text encoder, as in `src/train/transformer.rs` (Alg. 2, Sec. 3.3)."""

import torch
from torch import Tensor, nn

from . import quantizer
from .correction import correct
from .plan import Plan, Template
from .t5 import T5Encoder
from .transformer import Transformer, bit_accuracy, cross_entropy, scale_weights


def rows(maps: list[Tensor]) -> Tensor:
    """Maps `[B, d, h_k, w_k]` as tokens `[B, L, d]`."""
    return torch.cat([part.flatten(2).transpose(1, 2) for part in maps], 1)


def example(
    features: Tensor, template: Template, masks: list[Tensor | None], inputs_only: bool
) -> tuple[Tensor, Tensor]:
    """Inputs `[B, L - 1, d]` with the flips in them, and target bits `[B, L, d]`, of encoder features `[B, d, H, W]`."""
    corrected = correct(features, template.grids, masks, inputs_only)
    maps = quantizer.inputs(corrected.sums, template.grids)
    batch, d = features.shape[:2]
    inputs = rows(maps) if maps else features.new_zeros(batch, 0, d)
    return inputs, rows(corrected.targets)


class TextToBits(nn.Module):
    """What is trained: the transformer and the text encoder, under the names that checkpoints have."""

    def __init__(self, settings: dict):
        super().__init__()
        self.transformer = Transformer(settings["transformer"])
        self.text_encoder = T5Encoder(settings["text_encoder"])


class TransformerStage(nn.Module):
    """Stage 2: prompts and features to bits."""

    def __init__(self, plan: Plan, autocast: bool = False):
        super().__init__()
        self.plan, self.autocast = plan, autocast
        self.model = TextToBits(plan.settings)
        self.layouts = nn.ModuleList(self.model.transformer.layout(template) for template in plan.templates)
        reweight = plan.settings["reweight_by_scale"]
        for i, template in enumerate(plan.templates):
            self.register_buffer(f"weights_{i}", scale_weights(template.tokens, reweight), persistent=False)

    def compile(self, **options) -> None:
        # A block at a time: all share one graph, so that a new aspect ratio costs seconds and not minutes.
        for block in self.model.transformer.blocks:
            block.compile(**options)

    def forward(
        self, ids: Tensor, lens: Tensor, dropped: Tensor, inputs: Tensor, targets: Tensor, index: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch of the aspect ratio `index`, and the numbers of a step.

        `ids [B, T]` and `lens [B]` are the prompts, `dropped [B]` says which samples are trained without theirs.
        """
        transformer = self.model.transformer
        mask = torch.arange(ids.shape[1], device=ids.device) < lens[:, None]
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=self.autocast):
            features = self.model.text_encoder(ids, mask)
        features = transformer.drop_condition(features.float(), dropped)
        logits = transformer(features, mask, inputs, self.layouts[index], self.autocast)
        per_token = cross_entropy(logits, targets)
        loss = (per_token * getattr(self, f"weights_{index}")).sum(1).mean()
        with torch.no_grad():
            accuracy = bit_accuracy(logits, targets)
            numbers = {"accuracy": accuracy.mean()}
            tokens = self.plan.templates[index].tokens
            for name, values in [("accuracy", accuracy), ("loss", per_token)]:
                for k, part in enumerate(values.split(tokens, 1)):
                    numbers[f"{name}_{k + 1}"] = part.mean()
        return loss, numbers
