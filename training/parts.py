"""`python -m training.parts`: averaged weights of a run in small bf16 files, and back, to carry a run from one machine to another.

The optimizer's moments stay behind: start the next run from the joined one (`infinity train .. --init-from`) with a short warm-up.
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from .checkpoint import Checkpoint


def split(run: Path, out: Path, megabytes: float) -> list[Path]:
    """Writes `part-NN.safetensors` of at most so many megabytes each."""
    saved = Checkpoint.load(run / "checkpoint.safetensors")
    out.mkdir(parents=True, exist_ok=True)
    limit, size, parts = int(megabytes * 1e6), 0, [{}]
    for name, tensor in saved.averaged().items():
        tensor = tensor.to(torch.bfloat16)
        if parts[-1] and size + 2 * tensor.numel() > limit:
            parts.append({})
            size = 0
        parts[-1][name] = tensor.contiguous()
        size += 2 * tensor.numel()
    paths = []
    for number, tensors in enumerate(parts):
        path = out / f"part-{number:02}.safetensors"
        save_file(tensors, path, {"step": str(saved.step), "config": saved.config, "parts": str(len(parts))})
        paths.append(path)
    return paths


def join(parts: Path, run: Path) -> Checkpoint:
    """Writes the checkpoint of a run whose weights are those of `part-NN.safetensors`."""
    paths = sorted(parts.glob("part-*.safetensors"))
    tensors: dict[str, Tensor] = {}
    metadata: dict[str, str] = {}
    for path in paths:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors.update({name: file.get_tensor(name).float() for name in file.keys()})
    if str(len(paths)) != metadata.get("parts"):
        raise SystemExit(f"{parts} holds {len(paths)} parts of {metadata.get('parts', 'an unknown number')}; fetch the missing ones")
    joined = Checkpoint(int(metadata["step"]), metadata["config"], tensors, {"time": torch.tensor([0])}, {})
    run.mkdir(parents=True, exist_ok=True)
    joined.save(run / "checkpoint.safetensors")
    return joined


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.parts", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    splitting = commands.add_parser("split", help="a run's averaged weights into parts")
    splitting.add_argument("run", type=Path)
    splitting.add_argument("out", type=Path)
    splitting.add_argument("--megabytes", type=float, default=15.0, help="largest part [15]")
    joining = commands.add_parser("join", help="parts into a run to start others from")
    joining.add_argument("parts", type=Path)
    joining.add_argument("run", type=Path)
    given = parser.parse_args()
    if given.command == "split":
        paths = split(given.run, given.out, given.megabytes)
        print(json.dumps({path.name: path.stat().st_size for path in paths}))
    else:
        print(f"step {join(given.parts, given.run).step}, {given.run}")


if __name__ == "__main__":
    main()
