"""What undo keeps in memory: little, however much is accepted, and every mask to the pixel."""

from __future__ import annotations

import gc
import mmap
import tracemalloc
import weakref
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from napari_sam_tune import Predictor, Project, Prompt, Session
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.prompts import Proposal
from napari_sam_tune.core.session import shelf
from napari_sam_tune.core.session.objects import Objects
from napari_sam_tune.core.session.open_object import OpenObject
from napari_sam_tune.core.session.packing import with_own_pages
from napari_sam_tune.core.session.shelf import Shelf
from napari_sam_tune.core.state import SessionState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_sam_tune.core.prompts import Mask

ACCEPTS = 60
BUDGET = 4 * 2**20
"""Bytes; three answers."""
SHAPE = (96, 128)


class Worked(NamedTuple):
    """A session with all objects accepted on two images, by turns."""

    session: Session
    masks: dict[str, list[Mask]]  # as proposed and accepted, by image
    whole: int  # bytes of arrays of answers that are still in memory
    grown: int  # bytes of all of Python's that came in the later half of the accepts


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worked]:
    rng = np.random.default_rng(0)
    images = {name: rng.integers(0, 255, SHAPE, np.uint8) for name in ("a.png", "b.png")}
    path = tmp_path_factory.mktemp("undo") / "p"
    predictor = Predictor.from_checkpoint("starter", device="cpu")
    plain = {"zoom": False, "recall": False, "instant": False}
    with (
        pytest.MonkeyPatch.context() as patch,
        Session(Project.open(path), predictor, **plain) as session,
    ):
        masks, alive, arrays = {name: [] for name in images}, [], []

        def watched(value: object) -> object:
            kept = with_own_pages(value)
            if isinstance(kept, Proposal):
                masks = [mask.cropped for mask, _ in kept.placed_candidates]
                answered = [*masks, kept.logits, kept.own_logits]
                arrays.extend(weakref.ref(array) for array in answered if array is not None)
            return kept

        patch.setattr(Shelf, "BYTES", BUDGET)
        patch.setattr(shelf, "with_own_pages", watched)
        tracemalloc.start()
        for number in range(ACCEPTS):
            if number % 10 == 0:
                name = "ab"[number // 10 % 2] + ".png"
                session.open_image(images[name], name)
            x, y = 8 + 11 * (number % 10), 8 + 14 * (number // 10)
            proposal = session.propose(Prompt([(x, y)], [1]))
            masks[name].append(proposal.mask.copy())
            arrays += map(weakref.ref, (proposal.logits, proposal.own_logits))
            del proposal
            session.accept(label="pit")
            if number + 1 in (ACCEPTS // 2, ACCEPTS):
                gc.collect()
                alive.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        living = [array.nbytes for ref in arrays if (array := ref()) is not None]
        yield Worked(session, masks, sum(living), alive[1] - alive[0])


def test_memory_stays_while_masks_are_accepted(worked):
    assert BUDGET / 2 < worked.whole <= BUDGET
    assert worked.grown < ACCEPTS // 2 * 32_000  # with the copies of masks made here


def test_what_is_kept_of_an_image_leaves_no_hole_in_the_heap(worked):
    """It has pages of its own; the heap grew by half in 400 accepts on new images."""
    view = worked.session.predictor.encode(np.zeros(SHAPE, np.uint8))
    kept = [view.features, view.shades, *view.stages.values()]
    assert [tensor.data_ptr() % mmap.PAGESIZE for tensor in kept] == [0] * 6


def test_undo_and_redo_far_back_bring_every_mask_to_the_pixel(worked):
    session, masks = worked.session, worked.masks[worked.session.objects.image_id]
    before = len(session.project.annotations())
    for expected in reversed(masks):
        assert session.undo()
        np.testing.assert_array_equal(session.open_object.mask, expected)
        assert session.undo()
        assert session.open_object.is_empty
    assert not session.undo()
    assert len(session.project.annotations()) == before - len(masks)
    for expected in masks:
        assert session.redo()
        np.testing.assert_array_equal(session.open_object.mask, expected)
        assert session.redo()
    assert not session.redo()
    kept = session.project.annotations(session.objects.image_id)
    for annotation, expected in zip(kept, masks, strict=True):
        np.testing.assert_array_equal(annotation.mask, expected)


def test_asking_on_from_far_back_begins_without_logits(worked):
    session = worked.session
    session.chain.heeds = session.chain.connects = False
    while session.undo():
        pass
    session.redo()
    longer = session.open_object.prompt.add_point(60, 60, 0)
    again = session.propose(longer)
    np.testing.assert_array_equal(again.logits, session.predictor.propose(longer).logits)
    assert session.open_object.answered[-1] == longer
    session.undo()


def walk(budget: int, monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """Do all there is to do on two images, undo and redo all of it; return what was shown."""
    monkeypatch.setattr(Shelf, "BYTES", budget)
    rng, objects = np.random.default_rng(1), Objects(SessionState())
    noise = [rng.random(SHAPE) < 0.5 for _ in range(9)]

    def answered(prompt: Prompt) -> None:
        request = objects.request(prompt)
        candidates = tuple((PlacedMask.of(mask), 0.5) for mask in noise[:3])
        logits = np.ones((3, 4, 4), np.float32)
        objects.receive(
            request, Proposal(candidates[0][0], 0.5, candidates, request.prompt, logits, "base")
        )

    reopened = OpenObject(start=PlacedMask.empty(SHAPE), reopened="id")
    steps: list[Callable[[], object]] = [
        lambda: answered(Prompt([(3, 4)], [1])),
        objects.cycle_candidate,
        *(lambda mask=mask: objects.paint(mask) for mask in noise[3:6]),
        lambda: answered(Prompt([(3, 4), (9, 9)], [1, 0])),  # with the paint as its mask
        lambda: answered(Prompt(box=(1, 1, 20, 20), mask=noise[6])),
        lambda: objects.advance(reopened, removed="id"),
        lambda: objects.paint(noise[7]),
        lambda: answered(Prompt(mask=noise[8])),
        lambda: objects.advance(OpenObject(), added="id"),
    ]
    shown: list[tuple[object, ...]] = []

    def look() -> None:
        current = objects.current
        said = None if current.prompt is None else current.prompt.to_json()
        inside = () if current.proposal is None else current.proposal.placed_candidates
        locked = None if current.correction is None else current.correction.locked
        masks = (current.placed, current.start, locked, *(mask for mask, _ in inside))
        shown.append((said, *(None if m is None else m.draw().tobytes() for m in masks)))

    for step, name in product(steps, ("a.png", "b.png")):
        objects.open(name, SHAPE)
        look()
        step()
        look()
    for name in ("a.png", "b.png"):
        objects.open(name, SHAPE)
        while objects.last_step is not None:
            objects.take_back()
            look()
        while objects.next_step is not None:
            objects.repeat()
            look()
    return shown


def test_what_was_packed_is_shown_as_if_it_had_not_been(monkeypatch):
    assert walk(0, monkeypatch) == walk(2**30, monkeypatch)


def test_small_answers_do_not_go_on_filling_the_budget(monkeypatch):
    """At 128 px they did for three thousand accepts: memory grew by a quarter."""
    monkeypatch.setattr(Shelf, "MOST", 8)
    objects, mask, logits = Objects(SessionState()), PlacedMask.of(np.ones(SHAPE, bool)), []
    for number in range(60):
        objects.open(f"{number // 10 % 3}.png", SHAPE)
        request = objects.request(Prompt([(3, 4)], [1]))
        array = np.ones((1, 4, 4), np.float32)
        logits.append(weakref.ref(array))
        proposal = Proposal(mask, 0.5, ((mask, 0.5),), request.prompt, array, "base")
        objects.receive(request, proposal)
        objects.advance(OpenObject(), added=f"{number}")
    del array, proposal, request
    gc.collect()
    assert [number for number, ref in enumerate(logits) if ref() is not None] == [*range(52, 60)]


def test_steps_of_all_images_have_one_budget_and_the_oldest_go(monkeypatch):
    monkeypatch.setattr(Objects, "MOST_STEPS", 12)
    objects, names = Objects(SessionState()), ("a.png", "b.png", "c.png")
    for number in range(30):
        objects.open(names[number // 5 % 3], SHAPE)  # a b c a b c, five steps each time
        objects.advance(OpenObject(), added=f"{number}")
    left = []
    for name in names:
        objects.open(name, SHAPE)
        while objects.last_step is not None:
            left.append(int(objects.last_step.added))
            objects.take_back()
    assert sorted(left) == [*range(18, 30)]


def test_an_object_begun_again_after_it_was_packed_is_not_lost(monkeypatch):
    monkeypatch.setattr(Shelf, "BYTES", 0)
    mask, objects = np.random.default_rng(0).random(SHAPE) < 0.5, Objects(SessionState())
    begun = OpenObject(start=PlacedMask.of(mask))
    objects.open("a.png", SHAPE)
    objects.put(begun)
    objects.advance(OpenObject())
    objects.take_back()
    objects.advance(begun)
    objects.advance(OpenObject())
    objects.take_back()
    np.testing.assert_array_equal(objects.current.mask, mask)
