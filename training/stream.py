"""Pictures from the Rust composer: records of `infinity data stream`, and a pool of them on the training device."""

import queue
import subprocess
import threading
from typing import Callable, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .plan import Plan

MAGIC = int.from_bytes(b"INFB", "little")
IN_FLIGHT = 4


class Record(NamedTuple):
    """One composed batch, on the host: pixels `u8 [B, H, W, 3]`, prompt lengths `[B]` and token ids `[B, T]`."""

    template: int
    pixels: np.ndarray
    lens: np.ndarray
    ids: np.ndarray


class Stream:
    """Records from a composer in another process, read ahead by a thread."""

    def __init__(self, command: list[str]):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0)
        self.records: queue.Queue[Record | None] = queue.Queue(IN_FLIGHT)
        threading.Thread(target=self._read, daemon=True).start()

    def _take(self, shape: tuple[int, ...], kind: type) -> np.ndarray | None:
        array = np.empty(shape, kind)
        view, got = memoryview(array).cast("B") if array.size else memoryview(b""), 0
        while got < len(view):
            count = self.process.stdout.readinto(view[got:])
            if not count:
                return None
            got += count
        return array

    def _read(self) -> None:
        while (header := self._take((8,), np.uint32)) is not None:
            magic, _, template, batch, height, width, length, _ = (int(number) for number in header)
            if magic != MAGIC:
                break
            pixels = self._take((batch, height, width, 3), np.uint8)
            count = batch if length else 0
            lens, ids = self._take((count,), np.uint16), self._take((count, length), np.uint16)
            if pixels is None or lens is None or ids is None:
                break
            self.records.put(Record(template, pixels, lens, ids))
        self.records.put(None)

    def next(self) -> Record:
        record = self.records.get()
        if record is None:
            raise SystemExit(f"the composer ended with status {self.process.wait()}; its message is above")
        return record

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


def command(infinity: str, plan: Plan, first: int, every: int, threads: int, held_out: bool = False) -> list[str]:
    """The call of the composer for the records `first, first + every, ..`."""
    options = ["--from", str(first), "--every", str(every), "--threads", str(threads)]
    return [infinity, "data", "stream", str(plan.folder), *options, *(["--held-out"] if held_out else [])]


class Batch(NamedTuple):
    """A batch on the device: images or features `data`, token ids `[B, T]` and prompt lengths `[B]`."""

    template: int
    data: Tensor
    ids: Tensor
    lens: Tensor


class Pool:
    """The last `capacity` records on the device, from which batches are drawn.

    A composer may be slower than the GPU. Every record joins the pool as `prepare` makes it (pixels, or features of a finished
    encoder), and batches mix samples of all records that share an aspect ratio. With a capacity of one a batch is the record.
    """

    def __init__(self, capacity: int, text_length: int, device: torch.device, prepare: Callable[[Tensor], Tensor]):
        self.capacity, self.text_length, self.device, self.prepare = capacity, text_length, device, prepare
        # By the record's number modulo the capacity, so that a resumed run finds each in its old place.
        self.places: dict[int, Batch] = {}
        self.taken = 0

    def add(self, record: Record) -> None:
        pixels = torch.from_numpy(record.pixels)
        if self.device.type == "cuda":
            pixels = pixels.pin_memory().to(self.device, non_blocking=True)
        data = self.prepare(pixels)
        ids = torch.zeros(len(record.pixels), self.text_length, dtype=torch.long)
        lens = torch.zeros(len(record.pixels), dtype=torch.long)
        if self.text_length:
            ids[:, : record.ids.shape[1]] = torch.from_numpy(record.ids.astype(np.int64))
            lens[:] = torch.from_numpy(record.lens.astype(np.int64))
        batch = Batch(record.template, data, ids.to(self.device), lens.to(self.device))
        self.places[self.taken % self.capacity] = batch
        self.taken += 1

    def draw(self, generator: torch.Generator) -> Batch:
        """A batch of the size of a record; `generator` is on the host."""
        batches = [self.places[place] for place in sorted(self.places)]
        if self.capacity == 1:
            return batches[0]
        chosen = batches[int(torch.randint(len(batches), (), generator=generator))]
        alike = [batch for batch in batches if batch.template == chosen.template]
        size = len(chosen.data)
        # Runs of one eighth of a batch: as mixed as it needs to be, and few copies.
        run = max(size // 8, 1)
        parts: list[tuple[Batch, int]] = []
        for _ in range(-(-size // run)):
            batch = alike[int(torch.randint(len(alike), (), generator=generator))]
            parts.append((batch, int(torch.randint(size - run + 1, (), generator=generator))))

        def mixed(field: str) -> Tensor:
            return torch.cat([getattr(batch, field)[at : at + run] for batch, at in parts])[:size]

        return Batch(chosen.template, mixed("data"), mixed("ids"), mixed("lens"))
