#!/usr/bin/env python3
"""Draws the curves of training runs: `curves.py OUT.svg TITLE=DIR/metrics.csv ...` (needs matplotlib).

Every column but the bookkeeping gets its own panel, where the runs that have it lie over each other.
"""

import csv
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

BOOKKEEPING = {"stage", "step", "seconds", "grad_norm", "auxiliary"}
# Logged values are those of single batches: the line is their running mean, the haze the values themselves.
SMOOTHING = 0.9


def read(path):
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0] if name != "stage"}


def smooth(values):
    mean, out = values[0], []
    for value in values:
        mean = SMOOTHING * mean + (1 - SMOOTHING) * value
        out.append(mean)
    return out


def main(out, *runs):
    tables = [(run.split("=", 1)[0], read(run.split("=", 1)[1])) for run in runs]
    names = list(dict.fromkeys(name for _, table in tables for name in table if name not in BOOKKEEPING))
    columns = 3
    height = -(-len(names) // columns)
    figure, axes = plt.subplots(height, columns, figsize=(4 * columns, 2.7 * height), squeeze=False)
    for axis in axes.flat[len(names):]:
        axis.axis("off")
    for name, axis in zip(names, axes.flat):
        for i, (title, table) in enumerate(tables):
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
