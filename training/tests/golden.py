"""Golden cases of tests/golden: what the official code computed, and how near one must come."""

import json
import os
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

FOLDER = Path(os.environ.get("INFINITY_GOLDEN", Path(__file__).parents[2] / "tests/golden"))


class Case:
    def __init__(self, manifest: Path):
        self.manifest = json.loads(manifest.read_text())
        self.name, self.config, self.scalars = self.manifest["case"], self.manifest["config"], self.manifest["scalars"]
        self.data = load_file(FOLDER / self.manifest["files"]["io"])
        self.specs = {spec["name"]: spec for spec in self.manifest["tensors"]}

    def __getitem__(self, name: str) -> Tensor:
        return self.data[name]

    def __contains__(self, name: str) -> bool:
        return name in self.data

    def weights(self, key: str = "weights") -> dict[str, Tensor]:
        path = FOLDER / self.manifest["files"][key]
        return load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)["vae"]

    def names(self, prefix: str) -> list[str]:
        return [name for name in self.data if name.startswith(prefix)]

    def check(self, name: str, found: Tensor) -> None:
        """`|found - expected| <= atol + rtol |expected|`, but for the share that the case lets differ; integers exactly."""
        expected, tolerance = self.data[name], self.specs[name].get("tol", {})
        assert found.shape == expected.shape, f"{self.name} {name}: shape {tuple(found.shape)}, not {tuple(expected.shape)}"
        if not expected.is_floating_point():
            assert torch.equal(found.to(expected.dtype), expected), f"{self.name} {name} differs"
            return
        error = (found.detach().float() - expected).abs()
        limit = tolerance.get("atol", 0.0) + tolerance.get("rtol", 0.0) * expected.abs()
        outside = int((~(error <= limit)).sum())
        allowed = int(tolerance.get("max_fraction_differing", 0.0) * expected.numel())
        assert outside <= allowed, f"{self.name} {name}: {outside} of {error.numel()} outside, worst {error.max():.3e}"


def cases(kind: str) -> list[Case]:
    """All cases of a kind; at least one, so that a test never passes on nothing."""
    index = [path for path in sorted(FOLDER.glob("*.json")) if path.name != "INDEX.json"]
    found = [Case(path) for path in index if json.loads(path.read_text())["kind"] == kind]
    assert found, f"no golden case of the kind {kind} in {FOLDER}"
    return found


def grids(schedule: list[list[int]]) -> tuple[tuple[int, int], ...]:
    return tuple((h, w) for h, w in schedule)
