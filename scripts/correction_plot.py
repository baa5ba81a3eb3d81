#!/usr/bin/env python3
"""Draws what `infinity eval self-correction --out` measured: `correction_plot.py REPORT.json OUT.svg` (needs matplotlib).

One panel for each share of flipped bits: the error of the running sum after every scale, with the 95 % interval of its mean.
"""

import json
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

TREATMENTS = {"clean": ("clean", "0.55"), "flipped": ("flipped, old residuals", "C1"), "requantised": ("flipped, re-quantised", "C0")}


def main(report, out):
    with open(report) as file:
        measured = json.load(file)
    rows = measured["rows"]
    rates = sorted({row["rate"] for row in rows if row["rate"] > 0})
    figure, axes = plt.subplots(1, len(rates), figsize=(3.6 * len(rates), 3.1), sharey=True, squeeze=False)
    for axis, rate in zip(axes[0], rates):
        for row in rows:
            if row["rate"] not in (0, rate):
                continue
            scales = range(1, len(row["errors"]) + 1)
            means = [error["mean"] for error in row["errors"]]
            low, high = zip(*(error["interval95"] for error in row["errors"]))
            label, colour = TREATMENTS[row["treatment"]]
            axis.plot(scales, means, color=colour, marker="o", markersize=3, label=label)
            axis.fill_between(scales, low, high, color=colour, alpha=0.25, linewidth=0)
        axis.set_title(f"{100 * rate:.0f} % of the bits flipped")
        axis.set_xlabel("scale k")
        axis.set_xticks(list(scales))
        axis.set_ylim(0, 1)
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("|F - F_k| / |F|")
    axes[0][0].legend(frameon=False, fontsize="small")
    figure.tight_layout()
    figure.savefig(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
