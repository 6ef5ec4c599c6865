"""Masks are carried through a stack with their object, no farther, and over none made by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from scipy import ndimage
from smaller import starters_at

from napari_sam_tune import Predictor, Project, Session
from napari_sam_tune.core.errors import MaskError, ProjectError
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.images import large_image
from napari_sam_tune.core.images.axes import axes_of_labels
from napari_sam_tune.core.images.large_image import LargeImage
from napari_sam_tune.core.images.planes import stack_of_file
from napari_sam_tune.core.project.annotations import NewAnnotation
from napari_sam_tune.core.project.stack_files import stack_of
from napari_sam_tune.core.project.stacks import IN_A_RUN, Stack
from napari_sam_tune.core.scoring import iou

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam_tune.core.geometry.windows import Window

SHAPE, PLANES = (96, 128), 9
GONE_FROM = 7
"""Plane from which on the disc is no more."""


def truth(plane: int) -> np.ndarray:
    """A disc that moves by 4 px a plane, down and right, and grows a little."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    y, x, radius = 30 + 3 * plane, 30 + 4 * plane, 11 + 0.4 * plane
    return (rows - y) ** 2 + (columns - x) ** 2 < radius**2


def name(plane: int) -> str:
    return f"s [{plane}]"


def fill_project(path: Path, gone_from: int = PLANES) -> Project:
    project, rng = Project.open(path), np.random.default_rng(5)
    for plane in range(PLANES):
        pixels = rng.normal(120, 5, SHAPE)
        if plane < gone_from:
            pixels[truth(plane)] -= 70
        pixels = pixels * (1 + 0.1 * (plane % 3)) + 5 * plane  # each of its own brightness
        project.register(pixels.clip(0, 255).astype(np.uint8), name(plane), group="s")
    axes = axes_of_labels(("z", "y", "x"), (PLANES, *SHAPE))
    project.set_stack(Stack("s", axes, {name(plane): (plane,) for plane in range(PLANES)}))
    return project


@pytest.fixture(scope="module")
def predictor() -> Iterator[Predictor]:
    with starters_at(256):
        yield Predictor.from_checkpoint("starter", device="cpu")


def open_session(path: Path, predictor: Predictor, gone_from: int = PLANES) -> Session:
    return Session(fill_project(path, gone_from), predictor, source="robot")


def accept_by_hand(session: Session, plane: int, mask: np.ndarray | None = None) -> str:
    new = NewAnnotation(name(plane), truth(plane) if mask is None else mask, "pore")
    return session.project.add(new).id


def test_a_mask_goes_with_its_object_both_ways_and_is_accepted_as_a_run(
    tmp_path: Path, predictor: Predictor
) -> None:
    session = open_session(tmp_path / "p", predictor)
    project = session.project
    start = accept_by_hand(session, 4)
    steps = session.carry_on(start)
    assert {step.image_id for step in steps} == {name(p) for p in range(PLANES) if p != 4}
    likeness = [iou(s.suggestion.full_mask, truth(int(s.image_id[3:-1]))) for s in steps]
    assert min(likeness) > 0.7
    assert all(step.suggestion.thing == start for step in steps)
    assert not any(step.split or step.merged_with for step in steps)
    assert project.annotations(name(5)) == []
    session.show(name(5))
    assert session.open_object.suggestion is not None  # it comes up where the person goes
    kept = session.accept_run(start)
    assert len(kept) == PLANES - 1
    assert sum(annotation.effort.actions for annotation in kept) == 1
    assert {a.image_id for a in project.things()[start]} == {name(p) for p in range(PLANES)}
    assert session.open_object.is_empty
    session.undo()
    assert {a.id for a in project.things()[start]} == {start}
    assert len(session.waiting(start)) == PLANES - 1
    session.redo()
    assert len(project.things()[start]) == PLANES
    assert session.waiting(start) == {}
    with pytest.raises(MaskError, match="carry"):
        session.accept_run(start)


def test_a_mask_smaller_than_the_model_draws_it_stays_so(
    tmp_path: Path, predictor: Predictor
) -> None:
    session = open_session(tmp_path / "p", predictor)
    inner = ndimage.binary_erosion(truth(4), iterations=3)
    steps = session.carry_on(accept_by_hand(session, 4, inner))
    areas = {int(s.image_id[3:-1]): s.suggestion.full_mask.sum() for s in steps}
    shares = [area / truth(plane).sum() for plane, area in areas.items()]
    assert abs(np.mean(shares) - inner.sum() / truth(4).sum()) < 0.1


def test_it_stops_where_the_object_vanishes(tmp_path: Path, predictor: Predictor) -> None:
    session = open_session(tmp_path / "p", predictor, GONE_FROM)
    run = session.carrying.carry(accept_by_hand(session, 4), 1)
    reached = [step.image_id for step in run]
    assert reached[:2] == [name(5), name(6)]
    assert len(reached) <= 3  # it may be unsure once
    assert run.ended in {"vanished", "unsure"}


def test_a_correction_leads_those_after_it_and_what_is_by_hand_stays(
    tmp_path: Path, predictor: Predictor
) -> None:
    session = open_session(tmp_path / "p", predictor)
    project = session.project
    start = accept_by_hand(session, 0)
    session.carry_on(start, (1,))
    session.accept_run(start)
    assert all(a.suggested_by == IN_A_RUN for a in project.things()[start] if a.id != start)
    carried = project.annotations(name(3))[0]
    right = project.add(
        NewAnnotation(name(3), truth(3), "pore", supersedes=carried.id), thing=start
    )
    before = {a.image_id: a.id for a in project.things()[start]}
    assert session.to_redo(right.id) == (1,)  # those before it lie between two made by hand
    steps = session.carry_on(right.id, (1,))
    assert [step.image_id for step in steps] == [name(p) for p in range(4, PLANES)]
    assert {step.suggestion.replaces for step in steps} == {before[s.image_id] for s in steps}
    session.accept_run(start)
    after = {a.image_id: a.id for a in project.things()[start]}
    same = {image_id for image_id in before if before[image_id] == after[image_id]}
    assert same == {name(p) for p in range(4)}
    session.undo()
    assert {a.image_id: a.id for a in project.things()[start]} == before
    again = session.carrying.carry(start, 1)
    assert [step.image_id for step in again] == [name(1), name(2)]
    assert again.ended == "by_hand"


def test_planes_between_two_accepted_are_filled_from_both_sides(
    tmp_path: Path, predictor: Predictor
) -> None:
    session = open_session(tmp_path / "p", predictor)
    one, other = accept_by_hand(session, 1), accept_by_hand(session, 6)
    assert session.carrying.gap(one) is None
    thing = session.tie([one, other])
    assert session.carrying.gap(other) == (other, one)
    steps = session.fill(other, one)
    assert [step.image_id for step in steps] == [name(p) for p in range(2, 6)]
    assert min(iou(s.suggestion.full_mask, truth(p)) for p, s in enumerate(steps, 2)) > 0.75
    assert set(session.waiting(thing)) == {name(p) for p in range(2, 6)}
    session.undo()
    assert session.project.thing_of(other) == other


def test_what_becomes_one_or_falls_apart_is_said(tmp_path: Path, predictor: Predictor) -> None:
    session = open_session(tmp_path / "p", predictor)
    other = accept_by_hand(session, 5)
    steps = session.carry_on(accept_by_hand(session, 4), (1,))
    assert steps[0].merged_with == (other,)


def test_an_image_by_itself_is_carried_nowhere(tmp_path: Path, predictor: Predictor) -> None:
    session = open_session(tmp_path / "p", predictor)
    project = session.project
    project.register(np.zeros(SHAPE, np.uint8), "alone.png")
    alone = project.add(NewAnnotation("alone.png", truth(1), "pore"))
    assert session.to_redo(alone.id) == ()
    with pytest.raises(ProjectError, match="no plane of a stack"):
        session.carry_on(alone.id)


def test_of_large_planes_nothing_is_read_but_windows(
    tmp_path: Path, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = open_session(tmp_path / "held", predictor)
    wanted = {s.image_id: s.suggestion.placed for s in held.carry_on(accept_by_hand(held, 4))}
    planes = np.full((PLANES, 2100, 4100), 120, np.uint8)
    for plane in range(PLANES):
        planes[plane, 700 : 700 + SHAPE[0], 900 : 900 + SHAPE[1]] = held.project.read_image(
            name(plane)
        )
    file = tmp_path / "s.tif"
    tifffile.imwrite(file, planes, tile=(256, 256), metadata={"axes": "ZYX"})
    monkeypatch.setattr(large_image, "LARGE_PIXELS", 1_000_000)
    stack = stack_of_file(file)
    assert stack is not None
    project = Project.open(tmp_path / "large")
    images = stack.images()
    for image in images:
        project.register(image.open(), image.name, path=image.path, plane=image.plane, group="s")
    project.set_stack(stack_of(stack, "s"))
    shape, start = planes.shape[1:], images[4].name
    away = (700, 900, 700 + SHAPE[0], 900 + SHAPE[1])
    mask = PlacedMask.in_window(truth(4), away, shape)
    session = Session(project, predictor, source="robot")
    accepted = project.add(NewAnnotation(start, mask, "pore"))
    read: list[int] = []
    read_window = LargeImage.rgb

    def counted(self: LargeImage, window: Window, side: int | None = None) -> np.ndarray:
        pixels = read_window(self, window, side)
        read.append(pixels.size // 3)
        return pixels

    monkeypatch.setattr(LargeImage, "rgb", counted)
    monkeypatch.setattr(LargeImage, "whole", lambda _: pytest.fail("a plane is read whole"))
    steps = session.carry_on(accepted.id)
    assert len(steps) == PLANES - 1
    by_name = {image.name: plane for plane, image in enumerate(images)}
    for step in steps:
        here = step.suggestion.placed.within(away)
        plane = by_name[step.image_id]
        assert iou(here.draw(), wanted[name(plane)].draw()) > 0.85
        assert iou(here.draw(), truth(plane)) > 0.7
    assert max(read) < planes[0].size / 2  # what an image is judged by is a window, too
