"""The training loop of both networks, on one process or one process per GPU (torchrun): step, log, save, resume."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from .checkpoint import Checkpoint, load_weights
from .correction import draw_masks
from .optimizer import Ema, Optimizer
from .plan import Plan
from .stream import Batch, Pool, Stream, command
from .text_to_bits import TransformerStage, example
from .tokenizer import TokenizerStage, draw_cuts
from .vae import Vae


@dataclass
class Options:
    """How a run uses its machine; what is trained stands in the plan."""

    infinity: str = "infinity"
    pool: int = 1
    fill: int = 1
    reuse: int = 1
    threads: int = 0
    autocast: bool = False
    compile: bool = False
    minutes: float | None = None


@dataclass
class Process:
    """This process among those that share a run."""

    rank: int
    world: int
    device: torch.device

    @staticmethod
    def start() -> "Process":
        rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        cuda = torch.cuda.is_available()
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if cuda else torch.device("cpu")
        if cuda:
            torch.cuda.set_device(device)
        if world > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if cuda else "gloo", device_id=device if cuda else None)
        return Process(rank, world, device)

    def mean(self, values: Tensor) -> Tensor:
        if self.world > 1:
            dist.all_reduce(values)
            values = values / self.world
        return values


class Tokenizing:
    """Draws batches of pixels and computes the first stage's loss."""

    def __init__(self, plan: Plan, options: Options, process: Process):
        self.stage = TokenizerStage(plan, options.autocast).to(process.device)
        if process.device.type == "cuda":
            self.stage.to(memory_format=torch.channels_last)
        self.plan, self.partial = plan, plan.settings["options"]["partial"]
        self.text_length = 0

    def prepare(self, pixels: Tensor) -> Tensor:
        return pixels

    def compiled(self, batch: Batch) -> bool:
        """Squares, of which there are many; each of the other shapes would be compiled for itself."""
        return batch.template == 0

    def arguments(self, batch: Batch, step: int, generator: torch.Generator) -> tuple:
        template = self.plan.templates[batch.template]
        cuts = draw_cuts(self.partial, len(batch.data), len(template.grids), generator)
        return images(batch.data), template, step, cuts


class Transforming:
    """Draws batches of features, flips bits and computes the second stage's loss."""

    def __init__(self, plan: Plan, options: Options, process: Process):
        self.stage = TransformerStage(plan, options.autocast).to(process.device)
        self.plan, self.settings = plan, plan.settings
        self.text_length = self.settings["transformer"]["text_maxlen"]
        path = plan.tokenizer / "checkpoint.safetensors"
        saved = Checkpoint.load(path)
        vae = Vae(json.loads(saved.config)["vae"])
        load_weights(vae, saved.averaged(), path)
        self.encoder = vae.encoder.to(process.device).eval().requires_grad_(False)
        if process.device.type == "cuda":
            self.encoder.to(memory_format=torch.channels_last)
        # Halves keep eleven bits of the features whose signs are the targets; a single record stays as it is.
        self.kind = torch.float32 if options.pool == 1 else torch.float16

    def compiled(self, batch: Batch) -> bool:
        """All: the blocks are compiled for any number of tokens."""
        return True

    @torch.no_grad()
    def prepare(self, pixels: Tensor) -> Tensor:
        parts = [self.encoder(images(part)) for part in pixels.split(256)]
        return torch.cat(parts).contiguous().to(self.kind)

    @torch.no_grad()
    def arguments(self, batch: Batch, step: int, generator: torch.Generator) -> tuple:
        template, settings = self.plan.templates[batch.template], self.settings
        features = batch.data.float()
        masks = draw_masks(settings["flips"], features.shape[:2], template.grids, generator)
        inputs, targets = example(features, template, masks, settings["inputs_only"])
        draw = torch.rand(len(features), generator=generator, device=features.device)
        return batch.ids, batch.lens, draw < settings["condition_dropout"], inputs, targets, batch.template


def images(pixels: Tensor) -> Tensor:
    """Pixels `u8 [B, H, W, 3]` as images `[B, 3, H, W]` in [-1, 1]."""
    return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1.0


class Metrics:
    """`metrics.csv` with the columns of `infinity train`."""

    def __init__(self, path: Path, step: int):
        lines = path.read_text().splitlines() if path.exists() and step > 0 else []
        # A run that was cut off between a row and a checkpoint repeats these steps.
        kept = [line for line in lines if not line[:1].isdigit() or int(line.split(",")[0]) <= step]
        self.header = bool(kept)
        self.file = path.open("w")
        self.file.writelines(line + "\n" for line in kept)

    def log(self, step: int, lr: float, seconds: float, numbers: dict[str, float]) -> None:
        if not self.header:
            self.file.write(",".join(["step", "lr", "seconds", *numbers]) + "\n")
            self.header = True
        self.file.write(",".join([str(step), str(lr), f"{seconds:.3f}", *map(str, numbers.values())]) + "\n")
        self.file.flush()


def seeded(plan: Plan, process: Process, step: int, device: torch.device) -> torch.Generator:
    """The random numbers of a step: a resumed run draws the same ones."""
    seed = hash((plan.seed, process.rank, step)) & 0x7FFF_FFFF_FFFF_FFFF
    return torch.Generator(device).manual_seed(seed)


def train(plan: Plan, options: Options, process: Process) -> dict[str, float]:
    """Trains to `plan.steps` or for `options.minutes`, and gives how quick that was."""
    job = (Tokenizing if plan.network == "tokenizer" else Transforming)(plan, options, process)
    model = job.stage.model
    saved = Checkpoint.load(plan.checkpoint)
    if saved.config != plan.config:
        raise SystemExit(f"{plan.checkpoint} was made with other settings than {plan.folder / 'plan.json'}; prepare another folder")
    load_weights(model, saved.model, plan.checkpoint)
    optimizer, ema = Optimizer(model, plan), Ema(model, plan.ema)
    optimizer.load(saved.optimizer)
    ema.load(saved.ema)
    step = saved.step
    del saved
    if options.compile:
        # Norms are compiled once for every width, more often than the default allows.
        torch._dynamo.config.recompile_limit = 32
        job.stage.compile()
    stage: nn.Module = job.stage
    if process.world > 1:
        stage = DistributedDataParallel(stage, gradient_as_bucket_view=True, broadcast_buffers=False)

    # `fill` records are there before the first step, and every `reuse` steps bring one more. A resumed run composes the last
    # `fill` anew, which is the whole pool, and so the same run, where it is no larger.
    begin = step // options.reuse
    threads = options.threads or max((os.cpu_count() or 1) // process.world - 1, 1)
    stream = Stream(command(options.infinity, plan, begin * process.world + process.rank, process.world, threads))
    pool = Pool(options.pool, job.text_length, process.device, job.prepare)
    pool.taken = begin
    metrics = Metrics(plan.folder / "metrics.csv", step) if process.rank == 0 else None
    bar = tqdm(total=plan.steps, initial=step, disable=process.rank > 0, mininterval=5.0, dynamic_ncols=True)
    clock = Clock(process.device)
    since = time.perf_counter()

    def save() -> None:
        if process.rank == 0:
            weights = dict(model.named_parameters())
            Checkpoint(step, plan.config, weights, optimizer.export(step), ema.export()).save(plan.checkpoint)

    while step < plan.steps:
        wanted = step // options.reuse + options.fill
        while pool.taken < wanted:
            pool.add(stream.next())
        with clock:
            host = seeded(plan, process, step, torch.device("cpu"))
            generator = seeded(plan, process, step, process.device)
            batch = pool.draw(host)
            with torch.compiler.set_stance("default" if job.compiled(batch) else "force_eager"):
                loss, numbers = stage(*job.arguments(batch, step, generator))
            loss.backward()
            lr = plan.lr_at(step)
            norm = optimizer.step(lr)
            ema.update(step)
        step += 1
        bar.update(1)
        clock.samples += plan.batch * process.world
        over = time_is_up(clock, options, process)
        last = step == plan.steps or over
        if step % plan.log_every == 0 or step == 1 or last:
            values = process.mean(torch.stack([loss.detach(), norm, *numbers.values()]).float())
            values = dict(zip(["loss", "grad_norm", *numbers], values.tolist()))
            if not values["loss"] == values["loss"] or abs(values["loss"]) == float("inf"):
                raise SystemExit(f"the loss is {values['loss']} at step {step}; lower --lr or raise --warmup and start again")
            if metrics:
                now = time.perf_counter()
                metrics.log(step, lr, now - since, values)
                since = now
                shown = {name: f"{value:.4f}" for name, value in values.items() if "_" not in name or name == "grad_norm"}
                bar.set_postfix(**shown, images_s=f"{clock.rate():.0f}", busy=f"{clock.busy():.2f}")
        if step % plan.save_every == 0 or last:
            save()
        if over:
            break
    bar.close()
    stream.close()
    return {"step": step, "images_per_second": clock.rate(), "busy": clock.busy(), "reuse": options.reuse}


def time_is_up(clock: "Clock", options: Options, process: Process) -> bool:
    """Whether the run's minutes are over, by the first process's clock."""
    if options.minutes is None:
        return False
    over = torch.tensor(float(clock.elapsed() > 60.0 * options.minutes), device=process.device)
    if process.world > 1:
        dist.broadcast(over, 0)
    return bool(over)


class Clock:
    """Images a second and the share of the time in which the device worked, after the steps that compile."""

    WARMUP = 20
    IN_FLIGHT = 32

    def __init__(self, device: torch.device):
        self.device, self.steps = device, 0
        self.samples, self.worked = 0, 0.0
        self.begin = self.start = time.perf_counter()
        self.spans: list[tuple] = []

    def _mark(self) -> torch.cuda.Event | float:
        if self.device.type != "cuda":
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def _settle(self, in_flight: int) -> None:
        """Waits until at most so many steps are under way, and counts the time of the others."""
        while len(self.spans) > in_flight:
            begin, end = self.spans.pop(0)
            if self.device.type == "cuda":
                end.synchronize()
                self.worked += begin.elapsed_time(end) / 1000.0
            else:
                self.worked += end - begin

    def __enter__(self) -> None:
        if self.steps == self.WARMUP:
            # Of steps that compiled nothing may count later.
            self._settle(0)
            self.samples, self.worked, self.begin = 0, 0.0, time.perf_counter()
        self.entered = self._mark()

    def __exit__(self, *_) -> None:
        self.steps += 1
        self.spans.append((self.entered, self._mark()))
        # The host must not run ahead of the device without bound.
        self._settle(self.IN_FLIGHT)

    def elapsed(self) -> float:
        return time.perf_counter() - self.start

    def rate(self) -> float:
        return self.samples / max(time.perf_counter() - self.begin, 1e-9)

    def busy(self) -> float:
        self._settle(0)
        return min(self.worked / max(time.perf_counter() - self.begin, 1e-9), 1.0)
