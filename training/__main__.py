"""`python -m training RUN`: trains what `infinity train .. --out RUN --prepare` wrote; `torchrun -m training RUN` on several GPUs."""

import argparse
import json
from pathlib import Path

import torch
import torch.distributed as dist

from .plan import Plan
from .run import Options, Process, train


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training", description="Train a prepared run; again to resume it.")
    parser.add_argument("run", type=Path, help="folder that `infinity train .. --prepare` wrote")
    parser.add_argument("--infinity", default="infinity", help="the command that composes pictures [infinity]")
    parser.add_argument("--pool", type=int, default=1, help="composed batches kept on the device, which training batches mix [1]")
    parser.add_argument("--fill", type=int, help="batches composed before the first step [the smaller of --pool and 32]")
    parser.add_argument("--reuse", type=int, default=1, help="steps from one composed batch to the next [1]")
    parser.add_argument("--threads", type=int, default=0, help="threads that compose, of each process [all cores]")
    parser.add_argument("--minutes", type=float, help="stop after so long, with a checkpoint, and go on another time")
    parser.add_argument("--f32", action="store_true", help="no bf16 autocast; always so on a CPU")
    parser.add_argument("--no-compile", action="store_true", help="no torch.compile; never used on a CPU")
    given = parser.parse_args()
    if min(given.pool, given.reuse, given.fill or 1) < 1:
        parser.error("--pool, --fill and --reuse start at 1")
    process = Process.start()
    cuda = process.device.type == "cuda"
    options = Options(
        infinity=given.infinity,
        pool=given.pool,
        fill=given.fill or min(given.pool, 32),
        reuse=given.reuse,
        threads=given.threads,
        autocast=cuda and not given.f32,
        compile=cuda and not given.no_compile,
        minutes=given.minutes,
    )
    torch.backends.cudnn.benchmark = True
    summary = train(Plan.load(given.run), options, process)
    if process.rank == 0:
        print(json.dumps(summary))
    if process.world > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
