"""A click answered while a round trains in the process runner, against a click with none.

Asked: p95 at most 1.5 times as long, 200 clicks each, one torch thread for the clicking process.
Blocks with and without a round alternate. Before each click there is a pause, as there is with a
person, so that the worker is in the middle of a step when the click comes.

    python benchmarks/click_during_round.py [--clicks 200] [--pause 0.05]
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from napari_sam_tune import Predictor, Project, Prompt, Session, TrainConfig

ASKED = 1.5
BLOCKS = 5
SIDE = 512
OBJECTS = 6
LONG = TrainConfig(steps=10_000, prompts_per_mask=1e9, judge_objects=1)


def label(session: Session) -> None:
    """Accept a few discs on two images; the second stays open."""
    rows, columns = np.ogrid[:SIDE, :SIDE]
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        session.open_image(rng.integers(100, 200, (SIDE, SIDE), dtype=np.uint8), name)
        for x, y in rng.integers(40, SIDE - 40, (OBJECTS, 2)):
            session.propose(Prompt([(x, y)], [1]))
            session.accept(mask=(columns - x) ** 2 + (rows - y) ** 2 < 30**2)


def clicks(session: Session, count: int, pause: float, rng: np.random.Generator) -> list[float]:
    """Seconds from each of `count` clicks to its answer."""
    seconds = []
    for _ in range(count):
        x, y = rng.uniform(0, SIDE - 1, 2)
        time.sleep(pause)
        began = time.perf_counter()
        session.propose(Prompt([(x, y)], [1]))
        seconds.append(time.perf_counter() - began)
        session.reject()
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clicks", type=int, default=200)
    parser.add_argument("--pause", type=float, default=0.05)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(1)
    idle: list[float] = []
    training: list[float] = []
    trains = threading.Event()
    steps = 0
    with tempfile.TemporaryDirectory() as folder:
        predictor = Predictor.from_checkpoint("starter", device="cpu")
        with Session(Project.open(folder), predictor, "process", config=LONG) as session:
            label(session)
            clicks(session, 5, 0, rng)

            def follow(progress: object) -> None:
                nonlocal steps
                if progress.phase == "training" and progress.step > 0:  # type: ignore[attr-defined]
                    steps += 1
                    trains.set()

            session.progress.connect(follow)
            for _ in range(BLOCKS):
                idle += clicks(session, arguments.clicks // BLOCKS, arguments.pause, rng)
                trains.clear()
                session.fine_tune(wait=False)
                trains.wait()
                training += clicks(session, arguments.clicks // BLOCKS, arguments.pause, rng)
                session.cancel()
                session.learner.wait()
    table = Table("", "clicks", "median, ms", "p95, ms", title="A click, one torch thread")
    for name, seconds in (("no round", idle), ("during a round", training)):
        median, p95 = np.percentile(seconds, [50, 95]) * 1e3
        table.add_row(name, str(len(seconds)), f"{median:.1f}", f"{p95:.1f}")
    ratio = np.percentile(training, [50, 95]) / np.percentile(idle, [50, 95])
    table.add_row("ratio", "", f"{ratio[0]:.2f}", f"{ratio[1]:.2f} (asked ≤ {ASKED})")
    Console().print(table)
    Console().print(f"The worker made {steps} steps meanwhile.")


if __name__ == "__main__":
    main()
