"""Draw how many clicks a mask takes along a line, from reports of `simulate --out`.

python benchmarks/line_chart.py OUT.png frozen=frozen.json "learning=learning.json"
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

COLOURS = ("#888888", "#e9a23b", "#d1495b")
MEAN_OF = 10


def main() -> None:
    """Draw each report as a line, the first in grey."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("reports", nargs="+", help="NAME=REPORT.json")
    given = parser.parse_args()
    figure, axes = plt.subplots(figsize=(8, 4.6), layout="constrained")
    for colour, report in zip(COLOURS, given.reports, strict=False):
        name, _, path = report.rpartition("=")
        objects = json.loads(Path(path).read_text())["objects"]
        clicks = np.array([one["clicks"] for one in objects])
        means = np.convolve(clicks, np.full(MEAN_OF, 1 / MEAN_OF), mode="valid")
        axes.plot(
            np.arange(MEAN_OF, len(clicks) + 1),
            means,
            color=colour,
            linewidth=2.4,
            label=f"{name}: {clicks.sum()} clicks in all",
        )
    axes.set(xlabel="accepted masks", ylabel=f"clicks per mask (mean of {MEAN_OF})", ylim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower left")
    figure.savefig(given.out, dpi=130)


if __name__ == "__main__":
    main()
