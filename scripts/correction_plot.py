#!/usr/bin/env python3
"""Draws what `infinity eval self-correction --out` measured: `correction_plot.py REPORT.json OUT.svg` (needs matplotlib).

One column for each share of flipped bits: the error of the running sum after every scale, with the 95 % interval of its mean.
Above the tokenizer's paths, below those of the transformer and its teacher-forced baseline, each against its own unflipped image.
"""

import json
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

TREATMENTS = {"clean": ("clean", "0.55"), "flipped": ("flipped, old residuals", "C1"), "requantised": ("flipped, re-quantized", "C0")}
ANSWERS = {"unflipped": "unflipped", "kept": "later bits kept", "drawn": "later bits drawn"}


def treatment(row):
    label, colour = TREATMENTS[row["treatment"]]
    return label, {"color": colour}


def answer(row):
    style = {"unflipped": ":", "kept": "--", "drawn": "-"}[row["answer"]]
    network, colour = ("twin", "C1") if row["twin"] else ("model", "C0")
    return f"{network}, {ANSWERS[row['answer']]}", {"color": colour, "linestyle": style}


def draw(axes, rows, rates, style):
    for axis, rate in zip(axes, rates):
        for row in rows:
            if row["rate"] not in (0, rate):
                continue
            scales = range(1, len(row["errors"]) + 1)
            means = [error["mean"] for error in row["errors"]]
            low, high = zip(*(error["interval95"] for error in row["errors"]))
            label, look = style(row)
            axis.plot(scales, means, marker="o", markersize=3, label=label, **look)
            axis.fill_between(scales, low, high, color=look["color"], alpha=0.25, linewidth=0)
        axis.set_xticks(list(scales))
        axis.grid(alpha=0.3)
    # The panels of a row share their axis: only now is it as high as the highest needs.
    axes[0].set_ylim(bottom=0)
    axes[0].set_ylabel("|F - F_k| / |F|")
    axes[0].legend(frameon=False, fontsize="x-small")


def main(report, out):
    with open(report) as file:
        measured = json.load(file)
    rates = sorted({row["rate"] for row in measured["rows"] if row["rate"] > 0})
    figure, axes = plt.subplots(2, len(rates), figsize=(3.6 * len(rates), 6), sharey="row", squeeze=False)
    draw(axes[0], measured["rows"], rates, treatment)
    draw(axes[1], measured["recovery"]["rows"], rates, answer)
    flipped = measured["recovery"]["flipped_scales"]
    for above, below, rate in zip(axes[0], axes[1], rates):
        above.set_title(f"tokenizer, {100 * rate:.0f} % of the bits flipped", fontsize=10)
        below.set_title(f"transformer, {100 * rate:.0f} % of scales 1 to {flipped}", fontsize=10)
        below.set_xlabel("scale k")
    figure.tight_layout()
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    main(*sys.argv[1:])
