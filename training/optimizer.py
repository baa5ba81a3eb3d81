"""AdamW with global-norm clipping and a running average of the weights, as in `src/train/{optimizer,ema}.rs`."""

import torch
from torch import Tensor, nn

from .plan import Plan

EXEMPT = ("cfg_uncond", "pos_start", "lvl_embed", "ada_gss", "scale_mul", "text_proj_for_sos.mat_q", "pos_embed")


def exempt_from_decay(name: str, parameter: Tensor) -> bool:
    """Vectors, biases and the embeddings that the official recipe names."""
    return parameter.dim() == 1 or name.endswith("bias") or any(part in name for part in EXEMPT)


class Optimizer:
    """One network's AdamW state; frozen parameters have none."""

    def __init__(self, model: nn.Module, plan: Plan):
        self.clip = plan.clip
        self.named = {name: p for name, p in model.named_parameters() if p.requires_grad}
        groups = [
            {"params": [p for name, p in self.named.items() if not exempt_from_decay(name, p)], "weight_decay": plan.weight_decay},
            {"params": [p for name, p in self.named.items() if exempt_from_decay(name, p)], "weight_decay": 0.0},
        ]
        groups = [group for group in groups if group["params"]]
        cuda = next(iter(self.named.values())).is_cuda
        self.adamw = torch.optim.AdamW(groups, plan.lr, (plan.beta_1, plan.beta_2), plan.epsilon, fused=cuda)

    def step(self, lr: float) -> Tensor:
        """One update from the gradients; gives their global norm before clipping."""
        gradients = [p.grad for p in self.named.values() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients, foreach=True)
        if self.clip > 0.0:
            scale = (self.clip / (norm + 1e-6)).clamp_max(1.0)
            torch._foreach_mul_(gradients, scale)
        for group in self.adamw.param_groups:
            group["lr"] = lr
        self.adamw.step()
        self.adamw.zero_grad(set_to_none=True)
        return norm

    def export(self, step: int) -> dict[str, Tensor]:
        """Moments as flat tensors `m.NAME` and `v.NAME`, and the number of updates as `time`."""
        tensors = {"time": torch.tensor([step])}
        for name, p in self.named.items():
            state = self.adamw.state[p]
            if state:
                tensors[f"m.{name}"] = state["exp_avg"].flatten()
                tensors[f"v.{name}"] = state["exp_avg_sq"].flatten()
        return tensors

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Restores what `export` gave; nothing where a run starts."""
        time = float(tensors["time"].item()) if "time" in tensors else 0.0
        for name, p in self.named.items():
            if f"m.{name}" in tensors:
                first, second = (tensors[f"{part}.{name}"].view_as(p).to(p) for part in "mv")
                # A fused AdamW keeps its counters on the device.
                count = torch.tensor(time, device=p.device if p.is_cuda else "cpu")
                self.adamw.state[p] = {"step": count, "exp_avg": first, "exp_avg_sq": second}


class Ema:
    """The running average of all parameters; early steps use less of the old one: `min(decay, (1 + t) / (10 + t))`."""

    def __init__(self, model: nn.Module, decay: float):
        self.decay = decay
        self.names, self.parameters = zip(*model.named_parameters())
        self.average: list[Tensor] | None = None

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Takes in the parameters after `step`, counted from 0."""
        if self.average is None:
            self.average = [p.detach().clone() for p in self.parameters]
            return
        decay = min(self.decay, (1.0 + step) / (10.0 + step))
        torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 1.0 - decay)

    def export(self) -> dict[str, Tensor]:
        return {} if self.average is None else {n: a.flatten() for n, a in zip(self.names, self.average)}

    def load(self, tensors: dict[str, Tensor]) -> None:
        if tensors:
            self.average = [tensors[n].view_as(p).to(p) for n, p in zip(self.names, self.parameters)]
