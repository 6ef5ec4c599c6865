"""Suggestions: what is found, in which order it is asked about, and what a yes or no leaves."""

from __future__ import annotations

import itertools
import shutil
import sys
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pytest
from disc_project import SHAPE, disc, draw

from napari_sam_tune.core.errors import MaskError, SamTuneError
from napari_sam_tune.core.project.project import Project
from napari_sam_tune.core.promptless.store import keep_head
from napari_sam_tune.core.prompts import Prompt
from napari_sam_tune.core.scoring import iou
from napari_sam_tune.core.session.session import Session
from napari_sam_tune.core.suggestions.queue import SuggestionQueue
from napari_sam_tune.core.suggestions.sources import suggest_everything
from napari_sam_tune.core.suggestions.suggestion import Suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Taught

    from napari_sam_tune.core.answers.predictor import Predictor

AUTOMATIC_MASKS = "napari_sam_tune.core.suggestions.automatic_masks"
IMAGE, OBJECTS = draw(50)
_SEEDS = itertools.count(200)  # every test has an image of its own in the project they share


@pytest.fixture(scope="module")
def predictor(taught: Taught) -> Predictor:
    return taught.predictor


@pytest.fixture(scope="module")
def with_head(taught: Taught, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose head knows pits and bumps."""
    path = shutil.copytree(taught.project, tmp_path_factory.mktemp("with_head") / "p")
    keep_head(Project.open(path), taught.head.tensors, taught.head.info)
    return path


@pytest.fixture
def session(with_head: Path, predictor: Predictor, tmp_path: Path) -> Iterator[Session]:
    image, _ = draw(next(_SEEDS))
    with Session(Project.open(with_head), predictor, zoom=False) as session:
        session.open_image(image, tmp_path.name)
        yield session


def suggestion(x: int, y: int, uncertainty: float, radius: int = 8) -> Suggestion:
    mask = disc(x, y, radius)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    bbox = int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
    cut = mask[bbox[0] : bbox[2], bbox[1] : bbox[3]]
    return Suggestion(cut, bbox, SHAPE, None, 0.9, uncertainty, "everything", "base")


def test_the_queue_asks_about_the_least_sure_first_and_forgets_no_rejection() -> None:
    sure, unsure, between = (
        suggestion(20, 20, 0.1),
        suggestion(60, 20, 0.9),
        suggestion(99, 60, 0.5),
    )
    queue = SuggestionQueue()
    queue.refresh([sure, unsure, between])
    assert queue.waiting == [unsure, between, sure]
    queue.reject(unsure)
    assert queue.current is between
    nearly_the_same = suggestion(61, 21, 0.8)
    part = suggestion(60, 20, 0.8, radius=4)
    double = suggestion(99, 61, 0.8)
    queue.refresh([nearly_the_same, part, sure, double, between])
    assert len([one for one in queue.waiting if one.is_like(double)]) == 1
    queue.refresh([nearly_the_same, part, sure])
    assert queue.waiting == [part, sure]
    queue.surest_first = True
    assert queue.current is sure
    around, inside = suggestion(20, 20, 0.3, radius=16), suggestion(20, 20, 0.3, radius=3)
    queue.refresh([part, sure, around, inside])
    assert len(queue) == 4
    queue.accept(sure)
    assert (queue.decided, queue.waiting) == (2, [part])
    queue.restore(unsure)
    queue.restore(sure)
    assert queue.waiting == [sure, around, inside, part, unsure]  # those that went with it, too
    assert queue.decided == 0


def test_everything_is_found_with_the_open_images_embedding(predictor: Predictor) -> None:
    predictor.set_image(IMAGE)
    found = suggest_everything(predictor)
    for mask, _ in OBJECTS:
        assert max(iou(one.full_mask, mask) for one in found) > 0.7
    assert all(0 <= one.uncertainty <= 1 and one.area >= 10 for one in found)
    assert all(one.area < 0.5 * IMAGE.size for one in found)
    assert predictor.has_image

    larger = np.kron(IMAGE, np.ones((9, 9), np.uint8))
    large = suggest_everything(predictor, larger, points_per_side=4)
    assert {one.shape for one in large} == {larger.shape}

    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        suggest_everything(predictor, checkpoint=stop)


def test_torch_and_torchvision_that_do_not_fit_are_named(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unfit(_: str) -> None:
        raise RuntimeError("operator torchvision::nms does not exist")

    package = ModuleType("segment_anything")
    package.__getattr__ = unfit  # type: ignore[method-assign]
    monkeypatch.setitem(sys.modules, "segment_anything", package)
    monkeypatch.delitem(sys.modules, AUTOMATIC_MASKS, raising=False)
    with pytest.raises(SamTuneError, match=r"torch \d.* and torchvision \d.*pip install"):
        suggest_everything(predictor, IMAGE)


def test_an_accepted_suggestion_costs_one_action_and_says_where_it_came_from(
    session: Session,
) -> None:
    session.state.label = "scratch"
    assert session.suggest("head") == 2
    shown = session.open_object.suggestion
    assert session.state.label == shown.label
    np.testing.assert_array_equal(session.open_object.mask, shown.full_mask)
    first = session.accept()
    assert first.label == shown.label
    assert first.source == "person"
    assert first.suggested_by == f"head:{shown.weights_version}"
    assert first.effort.actions == 1
    assert first.prompts == ()
    stored = Project.open(session.project.path).annotation(first.id)
    assert stored.suggested_by == first.suggested_by
    np.testing.assert_array_equal(stored.proposal_mask, shown.full_mask)

    second = session.open_object.suggestion
    assert {shown.label, second.label} == {"pit", "bump"}
    session.paint(session.open_object.mask | disc(64, 48, 5))
    corrected = session.accept()
    assert corrected.effort.actions == 2
    assert corrected.suggested_by == first.suggested_by
    np.testing.assert_array_equal(corrected.proposal_mask, second.full_mask)
    assert session.open_object.is_empty
    assert session.state.label == "scratch"
    assert session.suggest("head") == 0  # what is accepted is not proposed again
    with pytest.raises(MaskError):
        session.accept()


def test_a_rejected_suggestion_stays_away_and_undo_brings_it_back(session: Session) -> None:
    session.suggest("head")
    rejected = session.open_object.suggestion
    session.reject()
    other = session.open_object.suggestion
    assert other is not rejected
    assert session.suggest("head") == 1
    again = session.open_object.suggestion
    assert again.is_like(other)
    accepted = session.accept()
    assert accepted.effort.actions == 2  # the no before it was work as well
    assert session.open_object.is_empty

    session.undo()
    assert session.open_object.suggestion is again
    session.undo()
    assert session.open_object.suggestion is rejected
    assert session.project.annotations(session.state.image_id) == []
    assert (session.state.label, session.review.queue(session.state.image_id).decided) == (
        rejected.label,
        0,
    )
    session.redo()
    session.redo()
    assert session.open_object.is_empty
    assert session.review.queue(session.state.image_id).decided == 2
    assert len(session.project.annotations(session.state.image_id)) == 1


def test_who_takes_up_another_object_says_nothing_of_the_suggestion_shown(
    session: Session,
) -> None:
    accepted = session.adopt(disc(20, 20, 6), "pit")
    session.suggest("head")
    shown = session.open_object.suggestion
    session.reopen(accepted.id)
    session.undo()
    assert session.open_object.suggestion is shown
    session.redo()
    assert session.open_object.reopened == accepted.id
    assert session.review.rejected() == {}


def test_a_suggestion_can_be_corrected_by_a_click_and_never_pushes_work_aside(
    session: Session,
) -> None:
    session.suggest("head")
    shown = session.open_object.suggestion
    y0, x0, y1, x1 = shown.bbox
    session.propose(Prompt(points=[((x0 + x1) / 2, (y0 + y1) / 2)], labels=[1]))
    assert session.open_object.suggestion is shown
    session.suggest("head")
    assert session.open_object.proposal is not None  # still the object in progress
    kept = session.accept()
    assert kept.effort.clicks == 2
    assert len(kept.prompts) == 1
    assert session.open_object.suggestion is not None
    session.stop_suggesting()
    assert session.open_object.is_empty


def test_suggestions_follow_a_class_that_is_renamed(
    with_head: Path, predictor: Predictor, tmp_path: Path
) -> None:
    own = Project.open(shutil.copytree(with_head, tmp_path / "p"))  # others know the old class
    with Session(own, predictor, zoom=False) as session:
        session.open_image(draw(next(_SEEDS))[0], "image")
        session.suggest("head")
        old = session.open_object.suggestion.label
        session.rename_class(old, "renamed")  # one is shown, and others wait
        assert session.state.label == "renamed"
        assert session.accept().label == "renamed"
        session.stop_suggesting()
        session.undo()
        session.undo()
        session.rename_class(old, "renamed again")
        session.suggest("head")
        labels = {one.label for one in session.review.queue(session.state.image_id).waiting}
        assert old not in labels
        assert "renamed again" in labels


def test_an_image_without_defect_gets_no_suggestion(session: Session) -> None:
    session.suggest("head")
    session.mark_done(empty=True)
    assert session.open_object.is_empty
    assert session.suggest("head") == session.suggest("everything") == 0


def test_without_a_head_it_is_said_how_to_get_one(tmp_path: Path, predictor: Predictor) -> None:
    with Session(Project.open(tmp_path / "p"), predictor) as session:
        session.open_image(IMAGE, "a.png")
        with pytest.raises(SamTuneError, match="press “Train it”"):
            session.suggest("head")
        assert session.suggest("everything") > 0
        accepted = session.accept()
        assert (accepted.suggested_by, accepted.label) == ("everything", "defect")


def test_everything_is_proposed_by_the_weights_that_came_into_use(
    session: Session, predictor: Predictor
) -> None:
    own = predictor.sam.mask_decoder.iou_token.weight
    version = session.project.save_weights({"mask_decoder.iou_token.weight": own * 1.01}, {})
    session.project.promote(version, report={})
    try:
        session.learner.follow_project()
        session.suggest("everything")
        assert session.open_object.suggestion.weights_version == version
    finally:
        session.rollback("base")
        session.answerer.apply_swap()
