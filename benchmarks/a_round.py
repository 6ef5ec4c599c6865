"""Rounds in the process runner, from start to swap, with three clicks a second all along.

Asked of ViT-B's shape on a GPU: a round with 64 masks and 100 steps in 5 s, and the p95 of clicks
during it at most 50 ms. A worker's first round, which loads the model, is said apart.

    python benchmarks/a_round.py --model vit_b --device cuda [--masks 64] [--steps 100] [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, sleep
from typing import TYPE_CHECKING

import numpy as np
from model_shapes import model_of
from rich.console import Console
from rich.table import Table

from napari_sam_tune import Predictor, Project, Prompt, Session, TrainConfig
from napari_sam_tune.core.rounds.runners import ProcessRunner
from napari_sam_tune.core.scoring import next_click
from napari_sam_tune.starter.images import make_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from napari_sam_tune.core.prompts import Mask
    from napari_sam_tune.core.rounds.report import Round
    from napari_sam_tune.core.training.job import Progress

SIDE = 512
BEFORE = 20
"""Clicks while nothing trains."""
PAUSE = 0.3
"""Seconds between an answer and the next click."""


@dataclass(frozen=True)
class Labelled:
    """An image to label, (H, W[, C]), and the masks of its objects."""

    image: NDArray[np.uint8]
    name: str
    masks: list[Mask]
    label: str = "defect"
    group: str | None = None
    path: Path | None = None


@dataclass
class Times:
    """Seconds of rounds, of their phases, of clicks before and during them, and of closer looks."""

    before: list[float] = field(default_factory=list)
    closer: list[float] = field(default_factory=list)
    during: list[float] = field(default_factory=list)
    rounds: list[float] = field(default_factory=list)
    phases: list[dict[str, float]] = field(default_factory=list)
    said: str = ""

    def p95(self) -> tuple[float, float]:
        """Of clicks before and during the rounds, in seconds."""
        before, during = (float(np.percentile(s, 95)) for s in (self.before, self.during))
        return before, during

    def figures(self) -> dict[str, object]:
        """What is known by now, by name."""
        known: dict[str, object] = {
            "idle_click_p95_ms": float(np.percentile(self.before, 95)) * 1e3,
            "closer_look_median_ms": float(np.median(self.closer or [np.nan])) * 1e3,
        }
        known["phases_s"] = self.phases
        if self.rounds:
            first, *later = self.rounds
            known |= {
                "first_round_s": first,
                "round_s": float(np.median(later or [first])),
                "rounds_s": self.rounds,
                "clicks": len(self.during),
                "click_p95_ms": self.p95()[1] * 1e3,
                "click_median_ms": float(np.median(self.during)) * 1e3,
            }
        return known


def made_up() -> Iterator[Labelled]:
    """Surfaces with defects, without an end."""
    rng = np.random.default_rng(0)
    number = 0
    while True:
        image, defects = make_image(rng, SIDE)
        yield Labelled(image, f"{number}.png", [defect.mask for defect in defects])
        number += 1


def clicks(
    session: Session, ended: Callable[[], bool], closer: list[float] | None = None
) -> list[float]:
    """Seconds from clicks to their first answers, three a second, until something has ended.

    As the dock asks: the first answer is shown at once. If `closer` is given, the model also looks
    at small objects from close by, and the seconds that takes are added there.
    """
    rng = np.random.default_rng(0)
    height, width = session.predictor.image_shape
    seconds: list[float] = []
    while not ended():
        sleep(PAUSE)
        request = session.objects.request(
            Prompt([(rng.uniform(0, width - 1), rng.uniform(0, height - 1))], [1])
        )
        began = perf_counter()
        with session.learner.runner.stepping_aside():
            proposal = session.answerer.answer(request)
        seconds.append(perf_counter() - began)
        if closer is not None:
            began = perf_counter()
            if session.answerer.look_closer(proposal) is not None:
                closer.append(perf_counter() - began)
        session.objects.receive(request, proposal)
        session.reject()
    return seconds


def label(session: Session, labelled: Iterable[Labelled], masks: int) -> None:
    """Click and accept so many masks; the last image stays open."""
    for one in labelled:
        session.open_image(one.image, one.name, path=one.path, group=one.group)
        for mask in one.masks:
            x, y, _ = next_click(None, mask)
            session.propose(Prompt([(x, y)], [1]))
            session.accept(mask=mask, label=one.label)
            if session.state.masks_since_round >= masks:
                return


def measured(
    labelled: Iterable[Labelled],
    masks: int,
    model: str,
    device: str,
    config: TrainConfig,
    rounds: int = 1,
    after: Callable[[Times], None] = lambda times: None,
) -> Times:
    """Time rounds with clicks all along.

    Args:
        labelled: images and their masks.
        masks: how many of them are accepted first.
        model: name or weights file.
        device: where clicks are answered and rounds train.
        config: how they train.
        rounds: how many, one after the other.
        after: called after every round and in its course, and before the first, with what is
            known by then: whoever is stopped at a limit leaves where the time went.

    """
    times = Times()
    with tempfile.TemporaryDirectory() as scratch:
        predictor = Predictor.from_checkpoint(model, device=device)
        runner = ProcessRunner()
        runner.warm()  # as the dock does
        project = Project.open(Path(scratch) / "project")
        with Session(project, predictor, runner, source="robot", config=config) as session:
            label(session, labelled, masks)
            session.answerer.learn()
            left = iter(range(BEFORE))
            times.before = clicks(session, lambda: next(left, None) is None, times.closer)
            after(times)
            finished: list[Round] = []
            session.round_finished.connect(finished.append)
            for number in range(1, rounds + 1):
                times.phases.append({})
                began = turned = perf_counter()

                def note(progress: Progress, phases: dict[str, float] = times.phases[-1]) -> None:
                    nonlocal turned
                    now = perf_counter()
                    phases[progress.phase] = phases.get(progress.phase, 0.0) + now - turned
                    turned = now
                    after(times)

                session.progress.connect(note)
                session.fine_tune(wait=False)
                times.during += clicks(session, lambda number=number: len(finished) >= number)
                session.answerer.apply_swap()
                times.rounds.append(perf_counter() - began)
                session.progress.disconnect(note)
                after(times)
                if finished[-1].candidate is None:
                    raise SystemExit(f"The round made no candidate: {finished[-1].report}")
    times.said = str(finished[-1].report)
    return times


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model", default="starter", choices=["starter", "vit_b", "vit_l", "vit_h"]
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--masks", type=int, default=64)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    given = parser.parse_args()
    config = TrainConfig(steps=given.steps, prompts_per_mask=1e9)
    shape = {"model": given.model, "masks": given.masks, "steps": given.steps}
    with tempfile.TemporaryDirectory() as scratch:
        model = model_of(given.model, Path(scratch))
        started = perf_counter()

        def write(times: Times) -> None:
            prepared = perf_counter() - started - sum(times.rounds)
            known = shape | {"all_but_rounds_s": prepared} | times.figures()
            if given.json:
                given.json.write_text(json.dumps(known, indent=1), encoding="utf-8")

        times = measured(made_up(), given.masks, model, given.device, config, given.rounds, write)
    first, *later = times.rounds
    before, during = times.p95()
    table = Table("what", "seen", title=f"{given.model}, {given.masks} masks, {given.steps} steps")
    table.add_row("first round", f"{first:.2f} s")
    table.add_row("later rounds", ", ".join(f"{seconds:.2f} s" for seconds in later))
    for name, seconds in times.phases[-1].items():
        table.add_row(f"of the last: {name}", f"{seconds:.2f} s")
    table.add_row(f"{len(times.during)} clicks during them, p95", f"{during * 1e3:.0f} ms")
    table.add_row(f"{BEFORE} clicks before, p95", f"{before * 1e3:.0f} ms")
    closely = float(np.median(times.closer or [np.nan])) * 1e3
    table.add_row("a closer look, median", f"{closely:.0f} ms")
    Console().print(table)
    Console().print(times.said)


if __name__ == "__main__":
    main()
