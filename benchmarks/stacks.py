"""What carrying a mask through a stack saves, and how good what is carried is.

Stacks of 64 planes of 256 × 256 px are made by the starter's generator, and fixed before anything
was measured: every plane moves by up to 2 px and every object by up to 6 px a plane in all, grows
or shrinks by up to 5 % a plane and turns a little; one object in ten appears or vanishes on the
way; each plane is blurred by up to 1.5 px, has noise of its own, and another brightness and
contrast. The surface of a plane is that of the one before, panned, with grain of its own.

Asked of objects prompted once, in the middle plane: mean IoU a plane .10 above plain "last mask as
the next prompt"; score of carried masks .80; clicks a plane with carrying .25 of those without.

    python benchmarks/stacks.py [--seeds 0 1 2 3] [--objects 4] [--no-clicks]
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scipy import ndimage

from napari_sam_tune import Predictor, Project, Session
from napari_sam_tune.core.evaluation.robot import Clicker, Robot
from napari_sam_tune.core.images.axes import axes_of_labels
from napari_sam_tune.core.project.stacks import Stack
from napari_sam_tune.core.prompts import Prompt
from napari_sam_tune.core.scoring import iou, score
from napari_sam_tune.core.stacks.sureness import GONE, has_become_unsure
from napari_sam_tune.starter.defects import MIN_PIXELS, render, truth
from napari_sam_tune.starter.shapes import crack, outline, pit, rasterise, ring, streak
from napari_sam_tune.starter.surfaces import power_noise, texture

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Masks = NDArray[np.bool_]

SIDE, PLANES = 256, 64
DRIFT, STAGE, GROWTH, BLUR, COME_OR_GO = 6.0, 2.0, 0.05, 1.5, 0.1
CANVAS = 128
KINDS = ("pit", "patch", "ring", "streak", "crack")
EASE = 0.5
GOOD, CAREFUL, MOST_CLICKS, EVERY, SMALLEST = 0.8, 0.9, 6, 4, 40
"""Score at which the robot is content, and until which it clicks what it carries on; clicks after
which it gives up; every so many planes it clicks without carrying; and px of objects in the middle
plane that are measured."""


@dataclass(frozen=True)
class Sample:
    """A stack and what is in it.

    planes: (Z, H, W) uint8; things: (N, Z, H, W) bool, each where it is seen.
    """

    planes: NDArray[np.uint8]
    things: Masks


def _shape(rng: np.random.Generator, kind: str) -> NDArray[np.float32]:
    """Coverage of an object in the middle of a canvas of its own."""
    middle = (CANVAS / 2, CANVAS / 2)
    if kind == "patch":
        return rasterise((CANVAS, CANVAS), [outline(rng, middle, rng.uniform(18, 30))])
    make = {"pit": pit, "ring": ring, "streak": streak, "crack": crack}[kind]
    while True:
        coverage = make(rng, (CANVAS, CANVAS)).coverage
        inside = np.argwhere(coverage > 0.5)
        if not 60 <= len(inside) <= 2500:
            continue
        centre = inside.mean(axis=0)
        if np.abs(inside - centre).max() < 0.45 * CANVAS:
            return ndimage.shift(coverage, np.array(middle) - centre, order=1)


def _path(rng: np.random.Generator) -> tuple[NDArray[np.float64], ...]:
    """Centres (Z, 2) in px, scales (Z,) and angles (Z,) of an object, plane by plane."""
    at, speed = rng.uniform(0.2, 0.8, 2) * SIDE, rng.normal(0, 1.5, 2)
    scale, growth, angle, turn = rng.uniform(0.8, 1.2), 0.0, 0.0, 0.0
    most = DRIFT - STAGE
    found = []
    for _ in range(PLANES):
        found.append((*at, scale, angle))
        speed = 0.9 * speed + rng.normal(0, 1.0, 2)
        speed *= min(1.0, most / (np.hypot(*speed) + 1e-9))
        speed = np.where((at < 0.12 * SIDE) & (speed < 0), -speed, speed)
        speed = np.where((at > 0.88 * SIDE) & (speed > 0), -speed, speed)
        growth = float(np.clip(0.8 * growth + rng.normal(0, 0.02), -GROWTH, GROWTH))
        growth = abs(growth) if scale < 0.6 else -abs(growth) if scale > 1.6 else growth
        turn = 0.8 * turn + rng.normal(0, 0.01)
        at, scale, angle = at + speed, scale * (1 + growth), angle + turn
    path = np.array(found)
    return path[:, :2], path[:, 2], path[:, 3]


def _placed(coverage: NDArray[np.float32], at: object, scale: float, angle: float) -> object:
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    matrix = np.array([[cos, -sin], [sin, cos]])
    offset = CANVAS / 2 - matrix @ np.asarray(at)
    return ndimage.affine_transform(
        coverage, matrix, offset, output_shape=(SIDE, SIDE), order=1
    ).astype(np.float32)


def make_stack(seed: int, objects: int) -> Sample:
    """Return stack number `seed`."""
    rng = np.random.default_rng([30, seed])
    margin = 80
    surface = texture(rng, (SIDE + 2 * margin, SIDE + 2 * margin))
    grain = float(np.exp(rng.uniform(np.log(0.01), np.log(0.06))))
    level, stage = rng.uniform(0.3, 0.7), np.zeros(2)
    own = power_noise(rng, (SIDE, SIDE), 1.0)
    kinds = [KINDS[int(rng.integers(len(KINDS)))] for _ in range(objects)]
    shapes = [_shape(rng, kind) for kind in kinds]
    paths = [_path(rng) for _ in kinds]
    lives = [(0, PLANES)] * objects
    for n in np.flatnonzero(rng.random(objects) < COME_OR_GO):
        cut = int(rng.integers(PLANES // 4, 3 * PLANES // 4))
        lives[n] = (cut, PLANES) if rng.random() < 0.5 else (0, cut)
    looks = rng.integers(1 << 31, size=objects)
    planes, things = [], np.zeros((objects, PLANES, SIDE, SIDE), bool)
    for z in range(PLANES):
        stage = np.clip(stage + rng.uniform(-1, 1, 2) * STAGE / 2**0.5, -margin + 2, margin - 2)
        own = 0.8 * own + 0.6 * power_noise(rng, (SIDE, SIDE), 1.0)
        panned = ndimage.shift(surface, -stage, order=1, mode="nearest")
        panned = panned[margin : margin + SIDE, margin : margin + SIDE]
        picture = np.float32(level) + np.float32(grain) * (panned + np.float32(0.4) * own)
        for n, (kind, coverage) in enumerate(zip(kinds, shapes, strict=True)):
            if not lives[n][0] <= z < lives[n][1]:
                continue
            centres, scales, angles = paths[n]
            drawn = _placed(coverage, centres[z] + stage, scales[z], angles[z])
            picture = render(np.random.default_rng(looks[n]), picture, drawn, kind, grain, EASE)
            mask = truth(np.random.default_rng(looks[n]), drawn, kind)
            things[:n, z] &= ~mask
            things[n, z] = mask
        picture = ndimage.gaussian_filter(picture, rng.uniform(0, BLUR))
        picture = picture * rng.uniform(0.85, 1.15) + rng.normal(0, 0.03)
        picture = picture + rng.normal(0, 0.01, picture.shape)
        planes.append(np.clip(picture * 255, 0, 255).astype(np.uint8))
    things[things.sum(axis=(2, 3)) < MIN_PIXELS] = False
    return Sample(np.stack(planes), things)


@dataclass(frozen=True)
class Row:
    """What came of one object.

    carried, plain: mean IoU over the planes that have it, but for the middle one; kept: the same
    where planes after a stop count 0; score: of what is carried until the stop; beyond: planes
    carried on to where it is not; clicks, without: a plane, with and without carrying.
    """

    carried: float
    kept: float
    plain: float
    score: float
    beyond: int
    clicks: float
    without: float


def open_stack(folder: Path, sample: Sample, predictor: Predictor) -> Session:
    """Return a session on a project that has the stack."""
    project = Project.open(folder)
    for z, plane in enumerate(sample.planes):
        project.register(plane, _name(z), group="stack")
    axes = axes_of_labels(("z", "y", "x"), sample.planes.shape)
    project.set_stack(Stack("stack", axes, {_name(z): (z,) for z in range(PLANES)}))
    return Session(project, predictor, source="robot")


def objects_in(seeds: Sequence[int], objects: int) -> Iterator[tuple[str, Sample, Session, Masks]]:
    """Open the stacks one after the other; yields each object that is measured, by name.

    What was accepted of one is deleted before the next.
    """
    for seed in seeds:
        sample = make_stack(seed, objects)
        predictor = Predictor.from_checkpoint("starter", device="cpu")
        with (
            tempfile.TemporaryDirectory() as folder,
            open_stack(Path(folder) / "p", sample, predictor) as session,
        ):
            for number, things in enumerate(sample.things):
                if things[PLANES // 2].sum() >= SMALLEST:
                    yield f"{seed}.{number}", sample, session, things
                    session.project.delete([a.id for a in session.project.annotations()])


def _name(z: int) -> str:
    return f"stack [z {z}]"


def _click(
    session: Session, z: int, truth_there: NDArray[np.bool_], target: float = CAREFUL
) -> int:
    """Let the robot click on what is open in a plane until it is good, and accept; clicks."""
    project = session.project
    session.open_image(project.read_image(_name(z)), _name(z))
    clicker = Clicker(
        truth_there, Robot(max_clicks=MOST_CLICKS), np.random.default_rng(0), {"proposing": 0.0}
    )
    shown = session.open_object.placed
    if shown is not None:
        clicker.mask = shown
    clicker.run(session.propose, target)
    session.accept(label="object")
    return len(clicker.scores)


def _ways(z0: int) -> Iterator[tuple[int, range]]:
    yield 1, range(z0 + 1, PLANES)
    yield -1, range(z0 - 1, -1, -1)


def measure(session: Session, things: Masks, clicks: bool) -> Row:
    """Carry one object from the middle plane, the plain way too, and count clicks."""
    z0, project = PLANES // 2, session.project
    first = _click(session, z0, things[z0])
    start = project.annotations(_name(z0))[-1]
    there = [z for z in range(PLANES) if z != z0 and things[z].any()]
    found: dict[int, NDArray[np.bool_]] = {}
    kept: set[int] = set()
    for direction, _ in _ways(z0):
        goes_on, before = True, 1.0
        for step in session.carrying.carry(start.id, direction, stops=False):
            z, sure = int(step.image_id[9:-1]), step.suggestion.score
            found[z] = step.suggestion.full_mask
            goes_on = goes_on and sure >= GONE
            if goes_on:
                kept.add(z)
            goes_on = goes_on and not has_become_unsure(before, sure)
            before = sure
    plain = _plain(session, start.mask)
    nothing = np.zeros((SIDE, SIDE), bool)
    good = [score(found[z], things[z]) for z in kept if things[z].any()]
    with_, without = _count_clicks(session, things, start.id, first) if clicks else (0.0, 0.0)
    return Row(
        carried=float(np.mean([iou(found.get(z, nothing), things[z]) for z in there])),
        kept=float(np.mean([iou(found[z], things[z]) if z in kept else 0.0 for z in there])),
        plain=float(np.mean([iou(plain.get(z, nothing), things[z]) for z in there])),
        score=float(np.mean(good)),
        beyond=sum(not things[z].any() for z in kept),
        clicks=with_,
        without=without,
    )


def _plain(session: Session, start: NDArray[np.bool_]) -> dict[int, NDArray[np.bool_]]:
    """The last mask as the next prompt, as the product answers a prompt with a mask."""
    found, answerer, project = {}, session.answerer, session.project
    for _, planes in _ways(PLANES // 2):
        mask = start
        for z in planes:
            if not mask.any():
                break
            pixels, record = project.read_image(_name(z)), project.image(_name(z))
            answerer.encode(pixels, record)
            mask = answerer.chain.answer(Prompt(mask=mask)).mask
            found[z] = mask
    return found


def _count_clicks(session: Session, things: Masks, start: str, first: int) -> tuple[float, float]:
    """Clicks a plane with carrying, and without; a run that is accepted is one, a no is one."""
    project, clicks = session.project, first
    thing = project.thing_of(start)
    for direction, planes in _ways(PLANES // 2):
        run, clicks = session.carrying.carry(start, direction), clicks + 1
        for z in planes:
            step = next(run, None)
            if step is not None:
                session.receive_carried(step)
            if not things[z].any():
                if step is not None:
                    session.review.queue(_name(z)).take_out(thing)
                    clicks += 1
                break
            if step is not None and score(step.suggestion.full_mask, things[z]) >= GOOD:
                if run.ended is None:
                    continue
                session.show(_name(z))
                session.accept()  # an unsure one is looked at by itself
                clicks += 1
            else:
                clicks += _click(session, z, things[z])
            made = project.annotations(_name(z))[-1]
            project.tie(made.id, thing)
            run = session.carrying.carry(made.id, direction)
    planes_with = int(things.any(axis=(1, 2)).sum())
    for made in project.things()[thing]:
        project.delete(made.id)
    looked = [z for z in range(0, PLANES, EVERY) if things[z].any()]
    alone = 0
    for z in looked:
        session.review.queue(_name(z)).take_out(thing)
        session.objects.open(_name(z), (SIDE, SIDE))
        alone += _click(session, z, things[z], GOOD)
        project.delete(project.annotations(_name(z))[-1].id)
    return clicks / planes_with, alone / max(len(looked), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--objects", type=int, default=4)
    parser.add_argument("--no-clicks", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    console, rows = Console(), []
    for name, _, session, things in objects_in(options.seeds, options.objects):
        rows.append(measure(session, things, not options.no_clicks))
        console.print(name, rows[-1], highlight=False)
    table = Table("measure", "mean", "asked")
    mean = {name: float(np.mean([getattr(row, name) for row in rows])) for name in vars(rows[0])}
    table.add_row("IoU a plane, carried", f"{mean['carried']:.3f}", "")
    table.add_row("the same, nothing after a stop", f"{mean['kept']:.3f}", "")
    table.add_row("IoU a plane, last mask as the next prompt", f"{mean['plain']:.3f}", "")
    table.add_row("gain", f"{mean['kept'] - mean['plain']:+.3f}", "+.10")
    table.add_row("score of what is carried", f"{mean['score']:.3f}", ".80")
    table.add_row("planes carried beyond the object", f"{mean['beyond']:.2f}", "")
    table.add_row("clicks a plane, with carrying", f"{mean['clicks']:.3f}", "")
    table.add_row("clicks a plane, without", f"{mean['without']:.3f}", "")
    ratio = sum(row.clicks for row in rows) / max(sum(row.without for row in rows), 1e-9)
    table.add_row("ratio", f"{ratio:.3f}", ".25")
    console.print(table)


if __name__ == "__main__":
    main()
