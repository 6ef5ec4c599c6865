"""Recalling masks: the same object on another photograph of the same part, and only that one."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from napari_sam_tune import Predictor, Project, Prompt, Session
from napari_sam_tune.core.images.files import content_hash
from napari_sam_tune.core.models.starter import set_image_size
from napari_sam_tune.core.project.annotations import NewAnnotation
from napari_sam_tune.core.project.effort import RECALLED
from napari_sam_tune.core.recall import recall
from napari_sam_tune.core.recall.grey import HeldGrey
from napari_sam_tune.core.recall.recall import Recall
from napari_sam_tune.core.recall.registration import Signature, shift_between
from napari_sam_tune.core.recall.surroundings import Surroundings
from napari_sam_tune.core.scoring import iou

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHAPE = (150, 200)
ROOM = 20
CENTRE = (90, 60)
"""(x, y) of the object on a photograph that is not shifted."""


def surface(seed: int, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """A rough surface, larger by `ROOM` on all sides, (H, W) float about 130."""
    rng = np.random.default_rng(seed)
    rough = ndimage.gaussian_filter(rng.normal(size=(shape[0] + 2 * ROOM, shape[1] + 2 * ROOM)), 2)
    return 130 + 20 * rough / rough.std()


def blade(shift: tuple[int, int] = (0, 0), shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """An ellipse with a bite: nothing a model would guess from a click."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    y, x = rows - CENTRE[1] - shift[0], columns - CENTRE[0] - shift[1]
    return ((x / 26) ** 2 + (y / 12) ** 2 < 1) & ((x - 14) ** 2 + (y - 8) ** 2 > 64)


def photograph(
    part: int, shift: tuple[int, int] = (0, 0), gain: float = 1.0, noise: int = 0
) -> np.ndarray:
    """A photograph of a part, moved (rows, columns) and exposed otherwise; the object is faint."""
    whole = surface(part)
    down, right = shift
    seen = whole[ROOM - down : ROOM - down + SHAPE[0], ROOM - right : ROOM - right + SHAPE[1]]
    seen = (seen - 12 * blade(shift)) * gain + np.random.default_rng(noise).normal(0, 3, SHAPE)
    return seen.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    predictor = Predictor.from_checkpoint("starter", device="cpu")
    set_image_size(predictor.sam, 256)
    return predictor


@pytest.fixture
def session(tmp_path: Path, predictor: Predictor) -> Iterator[Session]:
    """One mask was accepted on the first photograph of part 1."""
    predictor.weights.load_base()
    with Session(Project.open(tmp_path / "p"), predictor, zoom=False) as session:
        session.open_image(photograph(1), "first.png")
        session.propose(click(*CENTRE))
        session.accept(mask=blade())
        yield session


def click(x: float, y: float, label: int = 1) -> Prompt:
    return Prompt(points=[(x, y)], labels=[label])


def test_a_mask_comes_back_on_the_next_photograph_of_its_part(session: Session) -> None:
    shift = (7, -9)
    session.open_image(photograph(1, shift, gain=0.7, noise=5), "second.png")
    proposal = session.propose(click(CENTRE[0] - 20, CENTRE[1] + 5))
    (first,) = session.project.annotations()
    assert proposal.recalled == (first.id,)
    assert iou(proposal.mask, blade(shift)) > 0.85
    assert len(proposal.candidates) == 4

    second = session.accept()
    assert second.recalled == (first.id,)
    assert [(row.version, row.masks) for row in session.effort()] == [("base", 1), (RECALLED, 1)]
    # both masks speak on the third photograph, and after the project was closed and opened again
    with Session(Project.open(session.project.path), session.predictor, zoom=False) as again:
        again.open_image(photograph(1, (-4, 3), gain=1.2, noise=6), "third.png")
        box = (CENTRE[0] - 26, CENTRE[1] - 18, CENTRE[0] + 30, CENTRE[1] + 9)
        boxed = again.propose(Prompt(box=box))
        assert set(boxed.recalled) == {first.id, second.id}
        assert iou(boxed.mask, blade((-4, 3))) > 0.85


def test_what_surrounds_masks_has_one_budget_and_is_read_again_beyond_it(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recall, "_SURROUNDINGS_BYTES", 1)
    (first,) = session.project.annotations()
    for part in (2, 3, 4):
        session.open_image(photograph(part), f"part {part}.png")
        session.adopt(blade(), "blade")
    session.open_image(photograph(1, (3, 3), noise=5), "second.png")
    assert session.propose(click(*CENTRE)).recalled == (first.id,)
    gc.collect()
    kept = [thing for thing in gc.get_objects() if type(thing) is Surroundings]
    assert len(kept) == 1


def test_everything_of_a_part_is_proposed_at_once(session: Session) -> None:
    shift = (-6, 8)
    session.open_image(photograph(1, shift, noise=5), "second.png")
    assert session.suggest("recalled") == 1
    (first,) = session.project.annotations()
    annotation = session.accept()
    assert iou(annotation.mask, blade(shift)) > 0.85
    assert (annotation.label, annotation.suggested_by) == (first.label, "recalled")
    assert annotation.effort.actions == 1
    assert session.effort()[-1].version == RECALLED
    session.open_image(photograph(2), "another part.png")
    assert session.suggest("recalled") == 0


def test_corrections_go_on_from_it_or_from_another_guess(session: Session) -> None:
    session.open_image(photograph(1, (3, 3), noise=5), "second.png")
    recalled = session.propose(click(*CENTRE))
    corrected = session.propose(recalled.prompt.add_point(CENTRE[0] - 15, CENTRE[1] + 3, 0))
    assert corrected.is_recalled
    assert not corrected.mask[CENTRE[1] + 3, CENTRE[0] - 15]
    assert corrected.mask[CENTRE[1] + 3, CENTRE[0] + 10]
    session.undo()
    session.cycle_candidate()
    other = session.open_object.proposal
    assert other is not None
    assert not other.is_recalled
    plain = session.propose(recalled.prompt.add_point(CENTRE[0] + 15, CENTRE[1], 1))
    assert not plain.is_recalled
    assert session.accept().recalled == ()


def test_nothing_is_recalled_elsewhere(session: Session) -> None:
    session.open_image(photograph(2), "another part.png")
    assert session.propose(click(*CENTRE)).recalled == ()
    # nor beside the object, nor once it was deleted, nor where it is switched off
    session.open_image(photograph(1, noise=5), "second.png")
    assert session.propose(click(CENTRE[0] + 60, CENTRE[1])).recalled == ()
    session.chain.recalls = False
    session.open_image(photograph(1, noise=6), "third.png")
    assert session.propose(click(*CENTRE)).recalled == ()
    session.chain.recalls = True  # from the next image on: this one was not looked at
    assert session.propose(click(*CENTRE)).recalled == ()
    session.open_image(photograph(1), "first.png")
    assert session.propose(click(*CENTRE)).recalled == ()  # its own mask is there already
    session.delete(session.project.annotations()[0].id)
    session.open_image(photograph(1, noise=5), "second.png")
    assert session.propose(click(*CENTRE)).recalled == ()


def test_a_regular_part_without_the_object_is_not_mistaken(tmp_path: Path) -> None:
    """Two parts of one kind look alike all over; only one of them has the defect."""
    whole = surface(3)[ROOM:-ROOM, ROOM:-ROOM]
    rng = np.random.default_rng(0)
    project = Project.open(tmp_path / "p")
    recall = Recall(project)
    flaw = rng.normal(0, 40, SHAPE) * ndimage.binary_dilation(blade(), iterations=3)
    for name, extra in (("bad.png", flaw), ("good.png", rng.normal(0, 40, SHAPE) * (flaw != 0))):
        image = (whole + extra).clip(0, 255).astype(np.uint8)
        record = project.add_image(name, shape=SHAPE, content_hash=content_hash(image), array=image)
        recall.look(image, record)
        assert recall.ask(click(*CENTRE)) is None
        if name == "bad.png":
            project.add(NewAnnotation(name, blade(), "scratch"))


def test_of_a_weave_only_the_same_flaw_is_found_again(tmp_path: Path) -> None:
    """Every photograph of it looks like every other, but for a few threads' shift."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    rng = np.random.default_rng(0)
    project = Project.open(tmp_path / "p")
    recall = Recall(project)
    found = {}
    for name, shift, stain in (("first", 0, 40), ("clean", 3, 0), ("first again", 5, 40)):
        threads = np.maximum(np.sin((columns - shift) * 0.7), np.sin((rows - shift) * 0.7))
        image = 130 + 30 * threads - stain * blade((shift, shift)) + rng.normal(0, 3, SHAPE)
        image = image.clip(0, 255).astype(np.uint8)
        record = project.add_image(name, shape=SHAPE, content_hash=content_hash(image), array=image)
        recall.look(image, record)
        found[name] = recall.all()
        if name == "first":
            first = project.add(NewAnnotation(name, blade(), "stain"))
    assert found["clean"] == []
    assert [again.annotations for again in found["first again"]] == [(first.id,)]


def test_objects_that_look_alike_are_all_found_again(tmp_path: Path) -> None:
    """Where another object lies, the same look is no reason to doubt this one."""
    centres = [(40, 50), (40, 150), (110, 100)]
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    holes = [(rows - y) ** 2 + (columns - x) ** 2 < 100 for y, x in centres]
    plate = surface(3)[ROOM:-ROOM, ROOM:-ROOM] / 4 + 100 - 60 * np.any(holes, axis=0)
    rng = np.random.default_rng(0)
    project = Project.open(tmp_path / "p")
    recall = Recall(project)
    for name, gain in (("first", 1.0), ("second", 0.8)):
        image = (plate * gain + rng.normal(0, 5, SHAPE)).clip(0, 255).astype(np.uint8)
        record = project.add_image(name, shape=SHAPE, content_hash=content_hash(image), array=image)
        recall.look(image, record)
        if name == "first":
            for hole in holes:
                project.add(NewAnnotation(name, hole, "hole"))
    assert len(recall.all()) == len(holes)


def test_on_a_surface_that_is_alike_from_afar_alone_the_search_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many masks there are on photographs of a regular part, a click costs the same."""
    tried: list[Surroundings] = []
    real = Surroundings.found_on
    monkeypatch.setattr(
        Surroundings, "found_on", lambda s, *given: (tried.append(s), real(s, *given))[1]
    )
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    holes = [
        (rows - y) ** 2 + (columns - x) ** 2 < 40
        for y in range(12, SHAPE[0], 18)
        for x in range(12, SHAPE[1], 18)
    ]
    project = Project.open(tmp_path / "p")
    recall = Recall(project)
    for number in range(4):
        plate = np.random.default_rng(number).normal(150, 8, SHAPE) - 60 * np.any(holes, axis=0)
        image = plate.clip(0, 255).astype(np.uint8)
        record = project.register(image, f"{number}.png")
        recall.look(image, record)
        assert recall.knows_part == (number > 0)
        tried.clear()
        for hole in holes[:20]:
            y, x = ndimage.center_of_mass(hole)
            assert recall.ask(click(x, y)) is None
            project.add(NewAnnotation(record.id, hole, "hole"))
        assert len(tried) <= 8


def test_a_long_thin_crack_is_recalled_whole(tmp_path: Path) -> None:
    """It is compared, and drawn, at a scale where it is thinner than a pixel."""
    shape = (900, 1800)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    crack = (np.abs(rows - 450 - 40 * np.sin(columns / 90)) < 1.5) & (np.abs(columns - 900) < 700)
    project = Project.open(tmp_path / "p")
    recall = Recall(project)
    whole = surface(5, shape)[ROOM:-ROOM, ROOM:-ROOM]
    for name, gain in (("first.png", 1.0), ("second.png", 0.8)):
        image = ((whole - 60 * crack) * gain).clip(0, 255).astype(np.uint8)
        record = project.add_image(name, shape=shape, content_hash=content_hash(image), array=image)
        recall.look(image, record)
        if name == "first.png":
            project.add(NewAnnotation(name, crack, "crack"))
    found = recall.ask(click(900, float(np.flatnonzero(crack[:, 900])[1])))
    assert found is not None
    y0, x0, y1, x1 = found.window
    drawn = ndimage.zoom(found.field > 0, np.divide((y1 - y0, x1 - x0), found.field.shape), order=0)
    along = drawn[:, 220 - x0 : 1580 - x0].any(axis=0)
    assert along.mean() > 0.95
    assert found.inside(shape) is not None
    # of another photograph that shows only the end of it, nothing is said
    cut = image[:, 1200:]
    record = project.add_image(
        "end.png", shape=(900, 600), content_hash=content_hash(cut), array=cut
    )
    recall.look(cut, record)
    assert recall.ask(click(100, 450)) is None
    assert recall.all() == []


def test_a_photograph_that_is_gone_recalls_nothing(session: Session, tmp_path: Path) -> None:
    """Nor does it keep anybody from labelling the next one."""
    file = tmp_path / "part.png"
    Image.fromarray(photograph(4)).save(file)
    session.open_image(photograph(4), "part.png", path=file)
    session.accept(mask=blade())
    file.unlink()
    with Session(Project.open(session.project.path), session.predictor, zoom=False) as later:
        later.open_image(photograph(4, noise=5), "second.png")
        assert later.propose(click(*CENTRE)).recalled == ()


def test_a_damaged_mask_is_not_recalled(session: Session) -> None:
    (first,) = session.project.annotations()
    folder = session.project.path / "annotations.zarr" / first.id
    for chunk in (f for f in folder.rglob("*") if f.is_file() and f.name != "zarr.json"):
        chunk.unlink()
    session.open_image(photograph(1, noise=5), "second.png")
    assert session.propose(click(*CENTRE)).recalled == ()


@settings(max_examples=25)
@given(
    st.tuples(st.integers(-15, 15), st.integers(-15, 15)),
    st.floats(0.5, 1.5),
    st.sampled_from([1.0, 2.5]),
)
def test_a_shift_is_found_again(shift: tuple[int, int], gain: float, size: float) -> None:
    """Of large photographs, too, which are compared at a smaller scale."""
    pictures = [
        ndimage.zoom(photograph(1, moved, exposed, seed).astype(np.float32), size, order=1)
        for moved, exposed, seed in (((0, 0), 1.0, 1), (shift, gain, 2))
    ]
    score, found = shift_between(*(Signature.of(HeldGrey(picture)) for picture in pictures))
    assert score > 0.5
    np.testing.assert_allclose(found, np.multiply(shift, size), atol=1.5 * size)
    elsewhere = Signature.of(HeldGrey(photograph(2).astype(np.float32)))
    assert (
        shift_between(elsewhere, Signature.of(HeldGrey(photograph(1).astype(np.float32))))[0] < 0.3
    )


def test_what_is_recalled_brings_its_class(session: Session) -> None:
    (first,) = session.project.annotations()
    session.project.relabel(first.id, "nick")
    session.choose_class("scratch")
    session.open_image(photograph(2), "another part.png")
    session.propose(click(*CENTRE))
    session.accept()
    session.open_image(photograph(1, (7, -9), gain=0.7, noise=5), "second.png")
    session.propose(click(CENTRE[0] - 20, CENTRE[1] + 5))
    assert session.suggested_class == session.state.label == "nick"
    second = session.accept()
    assert second.label == "nick"
    assert session.state.label == "scratch"
    assert not (session.project.path / "guessed_classes.jsonl").exists()  # it was no guess
    # of several, the class most have; and never over a choice made for this object
    session.project.relabel(first.id, "pore")
    session.open_image(photograph(1, (-4, 3), gain=1.2, noise=6), "third.png")
    third = session.propose(click(CENTRE[0] - 10, CENTRE[1] + 3))
    assert set(third.recalled) == {first.id, second.id}
    session.accept(label="nick")
    session.open_image(photograph(1, (5, 2), noise=4), "fourth.png")
    session.suggest("recalled")
    assert session.accept().label == "nick"
    session.project.rename_class("nick", "Kerbe")
    session.choose_class("scratch")
    session.open_image(photograph(1, (2, 5), noise=3), "fifth.png")
    session.propose(click(CENTRE[0] - 10, CENTRE[1] + 3))
    assert session.state.label == "scratch"
    # what is excluded or deleted is recalled no more, and what comes back is again
    session.reject()
    session.open_image(photograph(1, (1, 4), noise=2), "sixth.png")
    for annotation in session.project.annotations():
        session.project.set_review(annotation.id, state="excluded")
    assert session.propose(click(CENTRE[0] - 10, CENTRE[1] + 3)).recalled == ()
    session.reject()
    session.project.set_review(first.id, state="accepted")
    assert session.propose(click(CENTRE[0] - 10, CENTRE[1] + 3)).recalled == (first.id,)
    session.reject()
    session.delete(first.id)
    assert session.propose(click(CENTRE[0] - 10, CENTRE[1] + 3)).recalled == ()
    assert session.suggest("recalled") == 0
