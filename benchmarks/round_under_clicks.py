"""A round while somebody clicks five times a second without a pause, against one with nobody there.

Asked: at most 3 times as long. Both kinds alternate, after a first round that loads the model.

    python benchmarks/round_under_clicks.py [--rounds 2] [--a-second 5]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from statistics import fmean

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from napari_sam_tune import Predictor, Project, Prompt, Session, TrainConfig

ASKED = 3.0
SIDE = 512
IMAGES, OBJECTS = 5, 6
SHORT = TrainConfig(steps=12, judge_objects=8)


def label(session: Session) -> None:
    """Accept a few discs on each of some images; the last one stays open."""
    rows, columns = np.ogrid[:SIDE, :SIDE]
    rng = np.random.default_rng(0)
    for number in range(IMAGES):
        pixels = rng.integers(100, 200, (SIDE, SIDE), dtype=np.uint8)
        session.open_image(pixels, f"{number}.png")
        for x, y in rng.integers(40, SIDE - 40, (OBJECTS, 2)):
            session.propose(Prompt([(x, y)], [1]))
            session.accept(mask=(columns - x) ** 2 + (rows - y) ** 2 < 30**2)


def click_on(session: Session, a_second: float, rng: np.random.Generator) -> int:
    """Click at an even pace until the round under way ends; return how often."""
    clicks, due = 0, time.perf_counter()
    while not session.learner.wait(timeout=0):
        x, y = rng.uniform(0, SIDE - 1, 2)
        session.propose(Prompt([(x, y)], [1]))
        session.reject()
        clicks += 1
        due = max(due + 1 / a_second, time.perf_counter() - 1 / a_second)
        time.sleep(max(0.0, due - time.perf_counter()))
    return clicks


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--a-second", type=float, default=5.0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(1)
    seconds: dict[bool, list[float]] = {False: [], True: []}
    clicks = 0
    with tempfile.TemporaryDirectory() as folder:
        predictor = Predictor.from_checkpoint("starter", device="cpu")
        with Session(Project.open(folder), predictor, "process", config=SHORT) as session:
            label(session)
            session.fine_tune(wait=True)
            for number in range(2 * arguments.rounds):
                is_clicking = number % 2 == 1
                began = time.perf_counter()
                session.fine_tune(wait=False)
                if is_clicking:
                    clicks += click_on(session, arguments.a_second, rng)
                session.learner.wait()
                seconds[is_clicking].append(time.perf_counter() - began)
    table = Table("", "rounds, s", title="A round of 12 steps, judged on 8 objects")
    for is_clicking, name in ((False, "nobody clicks"), (True, f"{clicks} clicks")):
        table.add_row(name, ", ".join(f"{one:.1f}" for one in seconds[is_clicking]))
    ratio = fmean(seconds[True]) / fmean(seconds[False])
    table.add_row("ratio", f"{ratio:.2f} (asked ≤ {ASKED})")
    Console().print(table)


if __name__ == "__main__":
    main()
