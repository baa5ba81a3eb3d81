#!/usr/bin/env python3
"""Draws the curves of training runs: `curves.py OUT.svg TITLE=DIR/metrics.csv[,DIR/metrics.csv...] ...` (needs matplotlib).

Every column but the bookkeeping gets its own panel, the loss and bit accuracy of every scale among them. The files of one
title are runs that went on from each other: they are laid end to end, with a line where one ends. Titles lie over each other.
"""

import csv
import math
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

BOOKKEEPING = {"stage", "step", "seconds", "grad_norm", "auxiliary"}
# Logged values are those of single batches: the line is their running mean, the haze the values themselves.
SMOOTHING = 0.9


def read(paths):
    """The columns of all files by name, and the steps at which one run goes over into the next. Every file counts from its own first step."""
    rows, ends = [], []
    before = 0
    for path in paths:
        with open(path, newline="") as file:
            rows += [{**row, "step": before + int(row["step"])} for row in csv.DictReader(file)]
        before = rows[-1]["step"]
        ends.append(before)
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name != "stage"]
    # A run may log less than another one.
    return {name: [float(row.get(name) or math.nan) for row in rows] for name in names}, ends[:-1]


def smooth(values):
    mean, out = math.nan, []
    for value in values:
        mean = value if math.isnan(mean) else SMOOTHING * mean + (1 - SMOOTHING) * value
        out.append(mean)
    return out


def main(out, *runs):
    titled = (run.split("=", 1) for run in runs)
    tables = [(title, *read(files.split(","))) for title, files in titled]
    names = list(dict.fromkeys(name for _, table, _ in tables for name in table if name not in BOOKKEEPING))
    columns = 3
    height = -(-len(names) // columns)
    figure, axes = plt.subplots(height, columns, figsize=(4 * columns, 2.7 * height), squeeze=False)
    for axis in axes.flat[len(names):]:
        axis.axis("off")
    for name, axis in zip(names, axes.flat):
        for i, (title, table, ends) in enumerate(tables):
            for end in ends:
                axis.axvline(end, color=f"C{i}", alpha=0.4, linewidth=0.6)
            if name in table:
                axis.plot(table["step"], table[name], color=f"C{i}", alpha=0.25, linewidth=0.8)
                mean = table[name] if name == "lr" else smooth(table[name])
                axis.plot(table["step"], mean, color=f"C{i}", label=title)
        axis.set_title(name, fontsize=10)
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.3)
    axes.flat[0].legend(fontsize=8)
    figure.supxlabel("step", fontsize=9)
    figure.tight_layout()
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
