"""The folder of a run as `infinity train .. --prepare` writes it: `plan.json` and the settings in it."""

import json
from dataclasses import dataclass
from pathlib import Path

Grid = tuple[int, int]


@dataclass(frozen=True)
class Template:
    """One aspect ratio: token grids `(h_k, w_k)` of the trained scales, and the grid that rotary positions are stretched to."""

    grids: tuple[Grid, ...]
    reference: Grid

    @property
    def tokens(self) -> list[int]:
        """Tokens of every scale, L_k."""
        return [h * w for h, w in self.grids]


@dataclass(frozen=True)
class Plan:
    """`plan.json`; the learning rate and the optimizer's numbers are those of `infinity train`."""

    folder: Path
    network: str
    config: str
    settings: dict
    steps: int
    lr: float
    warmup: int
    final_lr_ratio: float
    beta_1: float
    beta_2: float
    epsilon: float
    weight_decay: float
    clip: float
    ema: float
    log_every: int
    save_every: int
    templates: tuple[Template, ...]
    tokenizer: Path | None

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.safetensors"

    @property
    def batch(self) -> int:
        return self.settings["data"]["batch"]

    @property
    def seed(self) -> int:
        return self.settings["data"]["seed"]

    def lr_at(self, step: int) -> float:
        """Learning rate of `step`, counted from 0: linear warm-up, then a linear fall to `final_lr_ratio` of `lr`."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        span = max(self.steps - min(self.warmup, self.steps), 1)
        done = min((step - self.warmup) / span, 1.0)
        return self.lr * (1.0 + (self.final_lr_ratio - 1.0) * done)

    @staticmethod
    def load(folder: Path) -> "Plan":
        path = folder / "plan.json"
        if not path.exists():
            raise SystemExit(f"{path} is missing; write it with `infinity train tokenizer|transformer .. --out {folder} --prepare`")
        plan = json.loads(path.read_text())
        templates = tuple(
            Template(tuple(tuple(grid) for grid in template["grids"]), tuple(template["reference"]))
            for template in plan.pop("templates")
        )
        tokenizer = plan.pop("tokenizer")
        plan.pop("text_tokenizer")
        return Plan(
            folder=folder,
            settings=json.loads(plan["config"]),
            templates=templates,
            tokenizer=Path(tokenizer) if tokenizer else None,
            **plan,
        )
