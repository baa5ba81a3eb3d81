"""The checkpoint of a run: one safetensors file in the format of `infinity train` (src/train/checkpoint.rs), replaced whole."""

import os
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

PARTS = ("model", "optimizer", "ema")


class Checkpoint(NamedTuple):
    step: int
    config: str
    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    ema: dict[str, Tensor]

    @staticmethod
    def load(path: Path) -> "Checkpoint":
        parts: dict[str, dict[str, Tensor]] = {part: {} for part in PARTS}
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            for name in file.keys():
                part, _, tensor = name.partition("/")
                if part not in parts:
                    raise SystemExit(f"{path} holds {name}, which no checkpoint of `infinity train` has; give the folder of a run")
                parts[part][tensor] = file.get_tensor(name)
        if "step" not in metadata or "config" not in metadata:
            raise SystemExit(f"{path} is no checkpoint of `infinity train`: its header lacks the step or the settings")
        return Checkpoint(int(metadata["step"]), metadata["config"], **parts)

    def save(self, path: Path) -> None:
        """Writes beside `path`, then renames: a run that is cut off keeps the checkpoint before."""
        tensors = {
            f"{part}/{name}": tensor.detach().cpu().contiguous()
            for part in PARTS
            for name, tensor in getattr(self, part).items()
        }
        temporary = path.with_suffix(".partial")
        save_file(tensors, temporary, {"step": str(self.step), "config": self.config})
        os.replace(temporary, path)

    def averaged(self) -> dict[str, Tensor]:
        """The averaged weights in their shapes; those of the model where there is no average yet."""
        return {name: self.ema[name].view_as(tensor) if name in self.ema else tensor for name, tensor in self.model.items()}


def load_weights(model: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Copies named tensors into a network; names and shapes must be the same on both sides."""
    own = dict(model.named_parameters())
    missing, unknown = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    if missing or unknown:
        raise SystemExit(f"{path} does not fit its settings: missing {missing[:5]}, unknown {unknown[:5]}")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(tensors[name].view_as(parameter))
