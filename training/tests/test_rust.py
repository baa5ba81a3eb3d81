"""Side by side with `infinity train`: the same losses from the same weights and batches, and files that both accept."""

import csv
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import torch

from ..checkpoint import Checkpoint
from ..parts import join, split

ROOT = Path(__file__).parents[2]
INFINITY = os.environ.get("INFINITY", str(ROOT / "target/debug/infinity"))
DATA = "emoji:flat,single,plain,still,apple,car"
COMMON = ["--data", DATA, "--batch", "2", "--scales", "3", "--square-share", "0.5", "--log-every", "1", "--warmup", "2"]
COMMON += ["--final-lr", "1", "--seed", "5", "--ema", "0.9"]
TOKENIZER = ["--bits", "8", "--base-ch", "16", "--ch-mult", "1,2", "--stem-patch", "8", "--encoder-base-ch", "24"]
TOKENIZER += ["--encoder-res-blocks", "2", "--quantizer-warmup", "2"]
TRANSFORMER = ["--embed-dim", "64", "--depth", "2", "--heads", "2", "--text-depth", "1", "--text-length", "16"]


def infinity(*arguments: str | Path) -> str:
    done = subprocess.run([INFINITY, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"infinity {' '.join(map(str, arguments))}: {done.stderr}"
    return done.stdout


def training(run: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "training", str(run), "--infinity", INFINITY, "--threads", "2", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


def rows(run: Path) -> list[dict[str, float]]:
    with (run / "metrics.csv").open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


class BesideRust(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.directory = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.directory.name)
        cls.tokenizer = cls.folder / "tokenizer"
        infinity("train", "tokenizer", *COMMON, *TOKENIZER, "--steps", "3", "--partial", "0", "--out", cls.tokenizer)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.directory.cleanup()

    def transformer(self, out: Path, *arguments: str, steps: int = 3) -> list[str | Path]:
        options = [*COMMON, *TRANSFORMER, "--tokenizer", self.tokenizer, "--steps", str(steps), "--out", out]
        return ["train", "transformer", *options, *arguments]

    def assert_same_steps(self, one: Path, other: Path) -> None:
        """The same columns, and the same numbers but for the time."""
        expected, found = rows(one), rows(other)
        self.assertEqual([list(row) for row in found], [list(row) for row in expected])
        self.assertGreaterEqual(len(found), 3)
        for a, b in zip(found, expected):
            for name in a.keys() - {"seconds"}:
                # A bit whose logit is near zero may fall to either side.
                bar = 0.02 if "accuracy" in name else 1e-4 * max(abs(b[name]), 1.0)
                self.assertLess(abs(a[name] - b[name]), bar, f"step {b['step']}, {name}: {a[name]} {b[name]}")

    def test_a_tokenizer_learns_the_same(self) -> None:
        run = self.folder / "tokenizer-torch"
        options = ["train", "tokenizer", *COMMON, *TOKENIZER, "--partial", "0", "--out", run]
        infinity(*options, "--steps", "3", "--prepare")
        training(run)
        self.assert_same_steps(self.tokenizer, run)
        # And the other trainer goes on from here.
        infinity(*options, "--steps", "5")
        self.assertEqual([row["step"] for row in rows(run)], [1, 2, 3, 4, 5])

    def test_a_tokenizer_learns_the_same_through_every_scale(self) -> None:
        for name, options in [("scale", ["--straight-through", "scale"]), ("decoder", ["--decoder-only"])]:
            runs = [self.folder / f"{name}-{kind}" for kind in ("rust", "torch")]
            start = ["--init-from", self.tokenizer] if name == "decoder" else []
            for run, end in zip(runs, ([], ["--prepare"])):
                infinity(
                    "train", "tokenizer", *COMMON, *TOKENIZER, "--partial", "0", "--steps", "3", "--out", run, *options, *start, *end
                )
            training(runs[1])
            self.assert_same_steps(*runs)

    def test_a_transformer_learns_the_same(self) -> None:
        exact = ["--flips", "0", "--condition-dropout", "0", "--reweight-by-scale"]
        one, other = self.folder / "transformer-rust", self.folder / "transformer-torch"
        infinity(*self.transformer(one, *exact))
        infinity(*self.transformer(other, *exact, "--prepare"))
        training(other)
        self.assert_same_steps(one, other)
        infinity(*self.transformer(other, *exact, steps=4))
        self.assertEqual(rows(other)[-1]["step"], 4)

    def test_a_run_resumes_exactly(self) -> None:
        """Three steps and three more are six steps: with flips, dropped prompts, cuts and a pool that mixes batches."""
        kinds = {
            "tokenizer": lambda out, steps: ["train", "tokenizer", *COMMON, *TOKENIZER, "--partial", "0.5", "--steps", str(steps), "--out", out],
            "transformer": lambda out, steps: self.transformer(out, "--flips", "0.3", "--condition-dropout", "0.5", steps=steps),
        }
        for kind, command in kinds.items():
            whole, halves = self.folder / f"{kind}-whole", self.folder / f"{kind}-halves"
            pool = ["--pool", "3", "--reuse", "2"]
            infinity(*command(whole, 6), "--prepare")
            training(whole, *pool)
            for steps in (3, 6):
                infinity(*command(halves, steps), "--prepare")
                training(halves, *pool)
            one, other = (Checkpoint.load(run / "checkpoint.safetensors") for run in (whole, halves))
            self.assertEqual((one.step, other.step), (6, 6))
            for part in ("model", "optimizer", "ema"):
                a, b = getattr(one, part), getattr(other, part)
                self.assertEqual(a.keys(), b.keys())
                for name in a:
                    self.assertTrue(torch.equal(a[name], b[name]), f"{kind}, {part}/{name}")

    def test_a_trained_model_is_packed_and_draws(self) -> None:
        run, packed, image = (self.folder / name for name in ("to-pack", "packed", "apple.png"))
        infinity(*self.transformer(run, "--prepare"))
        training(run)
        infinity("pack", "--tokenizer", self.tokenizer, "--transformer", run, "--out", packed, "--name", "tiny")
        infinity("generate", "an apple", "--model", packed, "--out", image)
        self.assertEqual(image.read_bytes()[:4], b"\x89PNG")

    def test_parts_carry_the_averaged_weights(self) -> None:
        parts, joined = self.folder / "parts", self.folder / "joined"
        names = split(self.tokenizer, parts, 0.05)
        self.assertGreater(len(names), 1)
        join(parts, joined)
        one, other = (Checkpoint.load(run / "checkpoint.safetensors") for run in (self.tokenizer, joined))
        for name, tensor in one.averaged().items():
            torch.testing.assert_close(other.model[name], tensor, atol=1e-6, rtol=0.005)
        run = self.folder / "from-joined"
        options = ["--steps", "1", "--init-from", joined, "--out", run]
        infinity("train", "tokenizer", *COMMON, *TOKENIZER, *options)


if __name__ == "__main__":
    unittest.main()
