"""What is learnt at every accept: exact sums, true words about itself, and better first clicks."""

from __future__ import annotations

import itertools
from collections import Counter
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_sam_tune import Predictor, Project, Prompt, Session
from napari_sam_tune.core.answers.caching import open_cache
from napari_sam_tune.core.answers.chain import REFINERS
from napari_sam_tune.core.answers.connected import KeepConnected, StayNear
from napari_sam_tune.core.answers.first_clicks import FirstClick, FirstClicks, choose_mixture
from napari_sam_tune.core.answers.instant_learning import InstantLearning
from napari_sam_tune.core.answers.links import Asked
from napari_sam_tune.core.errors import ImageError, SamTuneError
from napari_sam_tune.core.geometry.frame import Frame
from napari_sam_tune.core.images.files import content_hash
from napari_sam_tune.core.models.efficientnet import EfficientNetLite0
from napari_sam_tune.core.pixel_classifier.classifier import PixelClassifier
from napari_sam_tune.core.pixel_classifier.features import KEY, FeatureExtractor, PixelFeatures
from napari_sam_tune.core.pixel_classifier.finder import ClassMaps, Finder
from napari_sam_tune.core.pixel_classifier.learnt import Learnt
from napari_sam_tune.core.pixel_classifier.prior import Mixture, PixelPrior
from napari_sam_tune.core.pixel_classifier.statistics import (
    BACKGROUND,
    SIZE,
    UNKNOWN,
    MaskInCells,
    contribution_of,
    known_cells,
)
from napari_sam_tune.core.pixel_classifier.survey import Unread
from napari_sam_tune.core.project.annotations import NewAnnotation
from napari_sam_tune.core.scoring import iou, next_click
from napari_sam_tune.core.storage.records import RecordStore
from napari_sam_tune.core.suggestions.queue import SuggestionQueue
from napari_sam_tune.core.suggestions.suggestion import Suggestion
from napari_sam_tune.starter.materials import FAMILIES, make_sample


@pytest.fixture(scope="module")
def model():
    torch.set_num_threads(1)
    return Predictor.from_checkpoint("starter", device="cpu")


@pytest.fixture(scope="module")
def extractor():
    return FeatureExtractor(torch.device("cpu"))


def part(number):
    """A part with its objects' numbers, of the family on which the classifier has most to add."""
    return make_sample(np.random.default_rng([7, number]), FAMILIES[1], 0)


def accept(project, image_id, image, mask, label="pit", **more):
    """Accept a mask as an import would."""
    if image_id not in {record.id for record in project.images()}:
        project.add_image(
            image_id, shape=image.shape[:2], content_hash=content_hash(image), array=image
        )
    return project.add(NewAnnotation(image_id=image_id, mask=mask, label=label, **more))


# ---- sums ----


def labelled(extractor, number):
    rng = np.random.default_rng(number)
    rgb = rng.integers(0, 255, (60 + number, 90, 3), np.uint8)
    features = extractor.extract(rgb)
    labels = rng.integers(UNKNOWN, 3, features.cells).astype(np.int16)
    from napari_sam_tune.core.pixel_classifier.statistics import KnownCells

    return contribution_of(features, KnownCells(labels, ("crack", "pit")), str(number))


@pytest.fixture(scope="module")
def contributions(extractor):
    return [labelled(extractor, number) for number in range(6)]


@given(st.lists(st.integers(0, 5), max_size=25))
@settings(max_examples=30)
def test_taking_back_is_exact(contributions, steps):
    """Whatever went in and out, the solution is that of what is in, from scratch."""
    classifier, inside = PixelClassifier(), set()
    for number in range(6):  # images keep their folds
        classifier.fold_of(str(number))
    for number in steps:
        act = classifier.subtract if number in inside else classifier.add
        act(str(number), contributions[number])
        inside ^= {number}
    fresh = PixelClassifier()
    for number in range(6):
        fresh.fold_of(str(number))
    for number in sorted(inside):
        fresh.add(str(number), contributions[number])
    assert classifier.images == len(inside)
    assert classifier.classes == fresh.classes
    if inside:
        expected = fresh.solve(["pit"])
        np.testing.assert_allclose(
            classifier.solve(["pit"]), expected, atol=1e-6 * np.abs(expected).max()
        )


def test_a_fold_left_out_is_not_in_the_solution(contributions):
    whole, without = PixelClassifier(), PixelClassifier()
    for number in range(4):
        whole.add(str(number), contributions[number])
    for number in (0, 1, 3):
        without.fold_of(str(number))
        without.add(str(number), contributions[number])
    left_out = whole.solve(without=whole.fold_of("2"))
    np.testing.assert_allclose(left_out, without.solve(), rtol=1e-6, atol=1e-9)


def test_scores_are_those_of_the_vectors(extractor):
    features = extractor.extract(np.random.default_rng(0).integers(0, 255, (77, 200, 3), np.uint8))
    weights = np.random.default_rng(1).normal(size=(SIZE, 2))
    np.testing.assert_allclose(
        features.scores(weights), features.vectors() @ weights, rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (300, 20)])
def test_images_of_any_shape_have_features(extractor, shape):
    features = extractor.extract(np.full((*shape, 3), 128, np.uint8))
    assert features.vectors().shape == (*features.cells, SIZE)
    back = type(features).unpacked(features.packed())
    np.testing.assert_array_equal(back.vectors(), features.vectors())


# ---- what is known ----


def test_one_pass_of_the_trunk_serves_the_model_and_the_classifier(
    tmp_path, model, extractor, monkeypatch
):
    """The network that encodes an image is the one whose features pixels are classified by."""
    image = np.random.default_rng(3).integers(0, 255, (70, 90, 3), np.uint8)
    passes = []
    forward = EfficientNetLite0.forward
    monkeypatch.setattr(
        EfficientNetLite0,
        "forward",
        lambda *args, **more: passes.append(1) or forward(*args, **more),
    )
    with Session(Project.open(tmp_path / "p"), model) as session:
        session.open_image(image, "opened.png")
        assert len(passes) == 1
        session.answerer.encode_ahead(np.roll(image, 9))
        assert len(passes) == 2
        kept = session.answerer.embeddings.get(KEY, content_hash(image))
    own = extractor.extract(image)
    for ours, theirs in zip(PixelFeatures.unpacked(kept).stages, own.stages, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_only_what_was_looked_at_is_background(tmp_path, extractor):
    project = Project.open(tmp_path / "p")
    image = np.full((256, 512), 90, np.uint8)
    mask = np.zeros(image.shape, bool)
    mask[100:140, 200:260] = True
    annotation = accept(
        project, "a.png", image, mask, prompts=(Prompt([(230, 120), (500, 10)], [1, 0]),)
    )
    features = extractor.extract(np.repeat(image[..., None], 3, axis=2))
    masks = [("pit", MaskInCells.of(annotation, features))]
    no = np.ones((10, 80), bool), (200, 400, 210, 480)
    open_ended = known_cells(features, masks, is_done=False, rejected=[no]).labels
    done = known_cells(features, masks, is_done=True).labels
    assert open_ended.shape == (64, 128)
    assert open_ended[30, 57] == done[30, 57] == 1
    assert open_ended[22, 57] == BACKGROUND  # beside the mask
    assert open_ended[60, 5] == UNKNOWN  # far from it: nobody has looked
    assert done[60, 5] == BACKGROUND
    assert open_ended[2, 125] == BACKGROUND  # a negative click
    assert open_ended[51, 110] == BACKGROUND  # proposed, and rejected


def test_an_object_smaller_than_a_cell_is_known(tmp_path, extractor):
    project = Project.open(tmp_path / "p")
    image = np.full((512, 512), 90, np.uint8)
    dot = np.zeros(image.shape, bool)
    dot[301, 402] = True
    annotation = accept(project, "a.png", image, dot)
    features = extractor.extract(np.repeat(image[..., None], 3, axis=2))
    masks = [("pit", MaskInCells.of(annotation, features))]
    labels = known_cells(features, masks, is_done=True).labels
    assert labels[75, 100] == 1
    assert (labels == 1).sum() == 1


# ---- what answers must keep to ----


def asked(*points, labels=None, **more):
    clicks = torch.tensor([[*points]], dtype=torch.float32)
    return Asked(64, clicks, torch.tensor([labels or [1] * len(points)]), **more)


def test_only_what_is_pointed_at_is_shown():
    logits = torch.full((1, 2, 64, 64), -5.0)
    logits[..., 10:20, 10:20] = 3
    logits[..., 40:44, 40:44] = 2
    kept = KeepConnected().refine(logits, asked((15, 15), (42, 42), labels=[1, 0]))
    assert (kept[0, :, 10:20, 10:20] == 3).all()
    assert (kept[0, :, 40:44, 40:44] < 0).all()
    both = KeepConnected().refine(logits, asked((15, 15), (42, 42)))
    torch.testing.assert_close(both, logits)
    box = torch.tensor([[38.0, 38.0, 50.0, 50.0]])
    boxed = KeepConnected().refine(logits, asked((0, 0), labels=[0], box=box))
    assert (boxed[0, 0] > 0).sum() == 16
    painted = torch.where(logits[:, :1] == 2, 5.0, -5.0)
    kept = KeepConnected().refine(logits, asked((15, 15), painted=painted))
    torch.testing.assert_close(kept, logits)


def test_a_click_inside_the_mask_lets_nothing_in_that_is_far():
    before = torch.full((1, 1, 64, 64), -5.0)
    before[..., 10:20, 10:20] = 3
    grown = before.clone()
    grown[..., 10:60, 12:22] = 4
    near = StayNear().refine(grown, asked((15, 15), corrected=before))
    assert (near[0, 0, 10:18, 12:18] > 0).all()
    assert (near[0, 0, 30:] <= 0).all()
    for other in (asked((15, 40), corrected=before), asked((15, 15))):
        torch.testing.assert_close(StayNear().refine(grown, other), grown)


# ---- how it bears on answers ----

APART = np.hypot(*(np.mgrid[:256, :256] - 128))
FLAT = PixelPrior(np.zeros((128, 128), np.float32), (0, 0, 256, 256))


def first_click(own, radius=40):
    """A click on the middle of a disc, and what the model says."""
    frame = Frame((0, 0, 256, 256), 512, 256)
    truth = radius > APART
    click = Asked(512, torch.tensor([[[256.0, 256.0]]]), torch.tensor([[1]]))
    return FirstClick(
        "a", (0, 0, 256, 256), np.float16(own), frame, click, truth, "base", False, 2.0
    )


def test_masks_accepted_closer_are_drawn_closer():
    choice = choose_mixture([(first_click((60 - APART) / 5), FLAT)] * 3, Mixture(1, 0.5), REFINERS)
    assert choice.mixture == Mixture(0, -4)
    assert choice.without < 0.5
    assert choice.with_it > 0.95


def test_what_the_model_does_well_is_left_to_it():
    rng = np.random.default_rng(0)
    noise = PixelPrior(np.float32(rng.normal(0, 3, (128, 128))), (0, 0, 256, 256))
    choice = choose_mixture([(first_click(40 - APART), noise)] * 3, Mixture(2, -1), REFINERS)
    assert choice.mixture == Mixture()
    assert choice.with_it == choice.without > 0.95


def test_what_the_classifier_knows_outweighs_a_model_that_knows_nothing():
    sees = PixelPrior(np.float32(np.where(APART[::2, ::2] < 40, 6, -6)), (0, 0, 256, 256))
    choice = choose_mixture(
        [(first_click(np.full((256, 256), -1.0)), sees)] * 3, Mixture(), REFINERS
    )
    assert choice.mixture.weight > 0
    assert choice.with_it > 0.9


class Clicked(Exception):
    """Somebody clicked."""


def every(count):
    """Return a checkpoint that lets `count` pieces of work pass, then a click comes in between."""
    passed = itertools.count(1)

    def checkpoint():
        if next(passed) % (count + 1) == 0:
            raise Clicked

    return checkpoint


def test_a_choice_that_is_interrupted_goes_on_where_it_was():
    clicks = [(first_click((60 + 3 * number - APART) / 5), FLAT) for number in range(3)]
    scored, checkpoint, turns = {}, every(2), 0
    while True:
        try:
            choice = choose_mixture(clicks, Mixture(1, 0.5), REFINERS, checkpoint, scored)
        except Clicked:
            turns += 1
        else:
            break
    assert turns > 3
    assert choice == choose_mixture(clicks, Mixture(1, 0.5), REFINERS)


# ---- through a session ----


def label_part(session, number, *, hidden=0):
    """Click each pit of a part once, accept the truth; mean IoU of the first clicks."""
    image, labels = part(number)
    session.open_image(image, f"{number}.png")
    found = []
    for value in range(1, int(labels.max()) + 1 - hidden):
        truth = labels == value
        x, y, _ = next_click(None, truth)
        found.append(iou(session.propose(Prompt([(x, y)], [1])).mask, truth))
        session.accept(mask=truth)
    session.mark_done()
    return float(np.mean(found))


@pytest.fixture(scope="module")
def labelled_session(tmp_path_factory, model):
    project = Project.open(tmp_path_factory.mktemp("p") / "p")
    with Session(project, model, zoom=False, recall=False) as session:
        for number in range(5):
            label_part(session, number)
        session.answerer.learn()
        session.answerer.settle()
        yield session


def test_it_says_truly_what_it_is_worth(labelled_session):
    learnt = labelled_session.state.learnt
    assert learnt.images == 5
    assert learnt.masks == len(labelled_session.project.annotations())
    assert learnt.with_it >= learnt.without
    is_used = learnt.weight > 0 or learnt.lift != 0
    assert is_used == (learnt.with_it > learnt.without)
    assert 0 <= learnt.precision <= 1
    points = labelled_session.answerer.learnt_history.points
    assert points[-1] == learnt
    assert [point.images for point in points] == [3, 4, 5]
    reopened = Session(Project.open(labelled_session.project.path), labelled_session.predictor)
    assert reopened.answerer.learnt_history.points == points
    reopened.close()


def test_a_project_opened_again_goes_on_as_it_was(labelled_session, model):
    before, project = labelled_session.state.learnt, labelled_session.project
    with Session(Project.open(project.path), model, zoom=False, recall=False) as again:
        image, labels = part(21)
        again.open_image(image, "21.png")
        again.answerer.learn()
        x, y, _ = next_click(None, labels == 1)
        prior = again.answerer.instant.prior(Prompt([(x, y)], [1]))
        assert prior.mixture == Mixture(before.weight, before.lift)
        while again.answerer.settle():
            pass
        assert again.state.learnt.judged == before.judged
    assert again.answerer.learnt_history.points[-1].masks == before.masks


def test_first_clicks_on_new_parts_gain_what_it_says(labelled_session):
    session = labelled_session
    scores = {}
    for learns in (False, True):
        session.chain.learns = learns
        found = []
        for number in (20, 21, 22):
            image, labels = part(number)
            session.open_image(image, f"{number}.png")
            for value in range(1, int(labels.max()) + 1):
                x, y, _ = next_click(None, labels == value)
                found.append(iou(session.answerer.ask(Prompt([(x, y)], [1])).mask, labels == value))
        scores[learns] = np.mean(found)
    session.chain.learns = True
    assert session.state.learnt.weight > 0
    assert scores[True] > scores[False]


def test_clicks_that_come_in_between_keep_no_judgement_from_its_end(labelled_session):
    """It speaks of the masks that were learnt when it was begun, and says how many are now."""
    session, points = labelled_session, lambda: session.answerer.learnt_history.points
    image, labels = part(50)
    session.open_image(image, "50.png")
    before = len(session.project.annotations())
    for value in (1, 2):
        session.adopt(labels == value)
        session.answerer.learn()
        with pytest.raises(Clicked):
            session.answerer.settle(every(2))
    assert session.state.learnt.masks == before + 2
    assert points()[-1].masks == before
    checkpoint, turns, has_more = every(4), 0, True
    while points()[-1].masks == before:
        turns += 1
        with suppress(Clicked):
            has_more = session.answerer.settle(checkpoint)
    assert turns > 1
    assert points()[-1].masks == before + 1
    assert has_more
    while session.answerer.settle():
        pass
    assert points()[-1].masks == before + 2
    for _ in range(2):
        session.undo()
    session.answerer.learn()


def test_undo_takes_back_what_was_learnt(labelled_session):
    session = labelled_session
    image, labels = part(30)
    session.open_image(image, "30.png")
    before = session.answerer.instant._classifier.solve()
    x, y, _ = next_click(None, labels == 1)
    session.propose(Prompt([(x, y)], [1]))
    session.accept(mask=labels == 1)
    session.answerer.learn()
    after = session.answerer.instant._classifier.solve()
    assert np.abs(after - before).max() > 1e-6
    session.undo()
    session.answerer.learn()
    np.testing.assert_allclose(
        session.answerer.instant._classifier.solve(), before, atol=1e-6 * np.abs(before).max()
    )
    session.reject()


def test_a_damaged_feature_cache_is_made_anew(labelled_session):
    session = labelled_session
    image, labels = part(20)
    session.open_image(image, "20.png")
    x, y, _ = next_click(None, labels == 1)
    expected = session.answerer.ask(Prompt([(x, y)], [1]))
    content = session.project.image("20.png").content_hash
    folder = session.project.path / "embeddings.zarr" / KEY / content
    for file in folder.rglob("*"):
        if file.is_file() and file.name != "zarr.json":
            file.write_bytes(b"damaged")
    session.open_image(image, "20.png")
    again = session.answerer.ask(Prompt([(x, y)], [1]))
    np.testing.assert_array_equal(again.mask, expected.mask)


@pytest.mark.parametrize("image", [np.full((40, 60), 7, np.uint8), np.zeros((1, 1), np.uint8)])
def test_images_with_nothing_to_learn_from_do_no_harm(tmp_path, model, image):
    with Session(Project.open(tmp_path / "p"), model) as session:
        for number in range(4):
            session.open_image(image, f"{number}.png")
            session.mark_done(empty=True)
        session.open_image(image, "last.png")
        assert session.state.learnt.weight == 0
        mask = np.zeros(image.shape, bool)
        mask[0, 0] = True  # a class with one pixel
        session.propose(Prompt([(0, 0)], [1]))
        session.accept(mask=mask, label="dot")
        session.answerer.learn()
        session.answerer.settle()
        assert session.propose(Prompt([(0, 0)], [1])).mask.shape == image.shape


def test_without_it_nothing_is_learnt(tmp_path, model):
    with Session(Project.open(tmp_path / "p"), model, instant=False, zoom=False) as session:
        label_part(session, 0)
        session.answerer.settle()
        assert session.state.learnt is None
        assert not (session.project.path / "embeddings.zarr" / KEY).exists()


# ---- finding all like it ----


def test_all_like_what_was_accepted_is_found_and_nothing_twice(labelled_session):
    session = labelled_session
    image, labels = part(40)
    session.open_image(image, "40.png")
    truths = [labels == value for value in range(1, int(labels.max()) + 1)]
    session.adopt(truths[0])
    waiting = session.suggest("similar")
    suggestions = session.review.queue("40.png").waiting
    assert waiting == len(suggestions) > 0
    good = [s for s in suggestions if max(iou(s.full_mask, t) for t in truths) > 0.5]
    # of 198 on twenty parts like it 53 are, where one px in forty is of an object
    assert len(good) >= len(suggestions) / 4
    assert all(s.label == "defect" and s.source == "similar" for s in suggestions)
    assert all(iou(s.full_mask, truths[0]) < 0.3 for s in suggestions)
    rejected = session.open_object.suggestion
    height, width = session.answerer.instant.class_maps().cell_size
    y, x = (values[0] for values in np.nonzero(rejected.full_mask))
    cell = int(y / height), int(x / width)
    before = session.answerer.instant.class_maps().logits[cell]
    session.reject()
    session.suggest("similar")
    assert session.answerer.instant.class_maps().logits[cell] < before  # it is learnt at once
    again = session.review.queue("40.png").waiting
    assert not any(s.is_like(rejected) for s in again)
    shown = session.open_object.suggestion
    annotation = session.accept()
    assert annotation.suggested_by == "similar"
    np.testing.assert_array_equal(annotation.mask, shown.full_mask)
    session.stop_suggesting()


def _window_without(labels, side=96):
    """A window that has no object in it or near it."""
    near = ndimage.maximum_filter(labels > 0, side * 3 // 2, mode="constant", cval=1)
    y, x = np.argwhere(~near)[0]
    return slice(y - side // 2, y + side // 2), slice(x - side // 2, x + side // 2)


def test_a_survey_tells_what_is_where_and_whose_turn_it_is(labelled_session):
    session = labelled_session
    cloth, labels = part(60)
    whole = cloth[_window_without(labels)]  # mirrored to the same size: cloth without a flaw
    empty = np.pad(whole, (0, 512 - 96), "symmetric")
    again, _ = part(2)  # labelled already
    reads: list[str] = []

    def unread(name, pixels):
        def read():
            reads.append(name)
            if pixels is None:
                raise ImageError("It is damaged.")
            return pixels

        return Unread(name, read)

    pictures = {"60.png": cloth, "empty.png": empty, "again.png": again, "damaged.png": None}
    images = [*(unread(*item) for item in pictures.items()), Unread("2.png", lambda: again)]
    steps = [step for step in session.survey(images) if step.image_id in pictures]
    assert [step.image_id for step in steps] == list(pictures)
    assert steps[-1].done == steps[-1].total
    assert [step.error is None for step in steps] == [True, True, True, False]
    finds = session.review.expected_finds
    assert set(finds) == set(pictures) - {"damaged.png"}  # 2.png is done
    assert finds["60.png"] > finds["empty.png"]
    assert abs(finds["60.png"] - int(labels.max())) <= int(labels.max()) / 2
    order = list(session.review.by_need())
    assert sorted(order) == sorted(finds)
    assert order[-1] == "again.png"

    steps = list(session.survey([unread(*item) for item in pictures.items()], label="defect"))
    assert len(steps) == len(pictures)  # those labelled were looked at before
    assert reads.count("60.png") == 1  # its hash is known, its features are kept
    assert session.review.expected_finds == finds


def test_a_class_alone_is_found(labelled_session):
    session = labelled_session
    image, _ = part(43)
    session.open_image(image, "43.png")
    with pytest.raises(SamTuneError, match="No mask of “scratch”"):
        session.suggest("similar", label="scratch")
    with pytest.raises(SamTuneError, match="leave the class out"):
        session.suggest("everything", label="defect")
    assert session.suggest("similar", label="defect") == session.suggest("similar")
    session.stop_suggesting()


def test_a_class_is_found_where_it_is_likelier_than_others():
    logits = np.full((20, 20), -5, np.float32)
    logits[3:6, 3:6], logits[12:16, 12:16] = 4, 6
    scores = np.zeros((20, 20, 2), np.float32)
    scores[:10, :, 0] = scores[10:, :, 1] = 1
    maps = ClassMaps(logits, ("dent", "pit"), scores, (0, 0, 20, 20))
    finders = {label: Finder(maps, (20, 20), label) for label in (None, "dent", "pit")}
    assert {label: finder.expected() for label, finder in finders.items()} == {
        None: 2,
        "dent": 1,
        "pit": 1,
    }
    for label, near in ((None, 13.5), ("dent", 4), ("pit", 13.5)):
        assert finders[label].next_place() == pytest.approx((near, near), abs=1)


def test_noes_ask_for_surer_finds_and_yeses_for_less():
    def find(score):
        mask = np.ones((2, 2), bool)
        at = round(1e4 * score)  # nowhere twice
        return Suggestion(
            mask, (at, 0, at + 2, 2), (20000, 9), None, score, 1 - score, "similar", ""
        )

    queue = SuggestionQueue(surest_first=True)
    queue.refresh([find(score) for score in (0.89, 0.90, 0.91, 0.94, 0.995, 0.999)])
    assert len(queue) == 6
    queue.reject(queue.current)
    assert len(queue) == 1  # .94 is not sure enough now
    assert queue.held_back == 4
    queue.accept(queue.current)
    assert len(queue) == 4
    wrong = queue.current
    queue.reject(wrong)
    assert len(queue) == 0
    queue.restore(wrong)  # undo: as if that had never been said
    assert len(queue) == 4


def test_nothing_is_found_before_enough_is_known(tmp_path, model):
    with Session(Project.open(tmp_path / "p"), model, zoom=False) as session:
        label_part(session, 0)
        with pytest.raises(SamTuneError, match="accept masks on 3 images first"):
            session.suggest("similar")


def test_one_more_mask_does_not_read_those_before_again(tmp_path, model, monkeypatch):
    read = Counter()
    real = RecordStore.read
    monkeypatch.setattr(RecordStore, "read", lambda s, i: (read.update([i]), real(s, i))[1])
    with Session(Project.open(tmp_path / "p"), model, zoom=False) as session:
        for number in range(3):
            image, _ = part(number)
            session.open_image(image, f"{number}.png")
            for x in range(10, 250, 40):
                mask = np.zeros(image.shape[:2], bool)
                mask[40:52, x : x + 10] = True
                session.propose(Prompt([(x + 5, 46)], [1]))
                session.accept(mask, "pit")
        session.undo()
        session.propose(Prompt([(20, 20)], [1]))
        masks = session.project.annotations()
        assert max(read[mask.id] for mask in masks) <= 4
        instant = session.answerer.instant
        anew = InstantLearning(
            session.project, open_cache(session.project), torch.device("cpu"), model.input_side
        )
        while not anew.is_up_to_date:
            anew.follow()
        assert anew.learnt.masks == instant.learnt.masks == 17
        one, other = instant.snapshot(), anew.snapshot()
        np.testing.assert_allclose(one.weights, other.weights, rtol=1e-4, atol=1e-7)


def test_a_click_asks_for_no_masks_but_those_of_its_image(tmp_path, model, monkeypatch):
    """What a proposal, and whoever looks how much was learnt, costs does not grow with masks."""
    asked, read = Counter(), Counter()
    apart, attributes = Project.told_apart_on, RecordStore.attributes

    def told_apart_on(project, image_ids):
        found = apart(project, image_ids)
        asked.update(found.keys())
        return found

    with Session(Project.open(tmp_path / "p"), model, zoom=False, recall=False) as session:
        rng = np.random.default_rng(0)
        for number in range(6):
            image = rng.integers(0, 256, (96, 128), np.uint8)
            session.open_image(image, f"{number}.png")
            for x in range(4, 120, 12):
                mask = np.zeros(image.shape, bool)
                mask[40:52, x : x + 8] = True
                said = Prompt([(x + 3, 46)], [1])
                session.project.add(NewAnnotation(f"{number}.png", mask, "pit", prompts=(said,)))
        while not session.answerer.instant.is_up_to_date:
            session.answerer.instant.follow()
        for x in (10, 60):
            with monkeypatch.context() as patch:
                patch.setattr(Project, "told_apart_on", told_apart_on)
                patch.setattr(Project, "told_apart", lambda *_: pytest.fail("all are gone through"))
                patch.setattr(Project, "annotations", lambda *_: pytest.fail("all gone through"))
                session.propose(Prompt([(x, 20)], [1]))
            mask = np.zeros(image.shape, bool)
            mask[15:25, x : x + 10] = True
            session.accept(mask, "pit")
        assert asked.keys() <= {"5.png"}
        assert asked.total() <= 4
    again = Project.open(tmp_path / "p")
    anew = InstantLearning(again, open_cache(again), torch.device("cpu"), model.input_side)
    while not anew.is_up_to_date:
        anew.follow()
    assert anew.learnt.masks == 62
    monkeypatch.setattr(
        RecordStore, "attributes", lambda s, i: (read.update([i]), attributes(s, i))[1]
    )
    fresh = Project.open(tmp_path / "p")
    clicks = FirstClicks(fresh, model.input_side)
    living = [mask.id for mask in fresh.annotations()]
    read.clear()
    found = clicks.unanswered(living, "base")
    assert [mask.id for mask in found] == sorted(living, reverse=True)[:40]
    assert clicks.there_are(living, 10) == 10
    assert read.total() <= 40


def test_a_damaged_mask_keeps_no_other_from_counting(tmp_path, model):
    project = Project.open(tmp_path / "p")
    for number in range(4):
        image, labels = part(number)
        accept(project, f"{number}.png", image, labels == 1)
    damaged = project.annotations()[0]
    for file in (project.path / "annotations.zarr" / damaged.id).rglob("*"):
        if file.is_file() and file.name != "zarr.json":
            file.write_bytes(b"damaged")
    with Session(Project.open(project.path), model, zoom=False) as session:
        image, _ = part(9)
        session.open_image(image, "9.png")
        assert session.state.learnt.images == 3
        assert session.suggest("similar") >= 0


def test_a_box_drawn_after_a_click_may_enlarge_the_mask(labelled_session):
    session = labelled_session
    image, labels = part(41)
    session.open_image(image, "41.png")
    session.chain.learns = False
    x, y, _ = next_click(None, labels == 1)
    clicked = session.propose(Prompt([(x, y)], [1]))
    boxed = session.propose(Prompt([(x, y)], [1], box=(0, 0, 511, 511)))
    session.chain.connects = False
    session.undo()
    free = session.propose(Prompt([(x, y)], [1], box=(0, 0, 511, 511)))
    session.chain.connects = session.chain.learns = True
    assert clicked.mask.any()
    np.testing.assert_array_equal(boxed.mask, free.mask)  # the box touches all there is
    session.reject()


def test_all_parts_of_a_mask_taken_up_again_stay(labelled_session):
    session = labelled_session
    image, _ = part(42)
    session.open_image(image, "42.png")
    two = np.zeros(image.shape, bool)
    two[40:90, 40:90] = two[400:450, 400:450] = True
    session.reopen(session.adopt(two).id)
    session.propose(Prompt([(60, 60)], [1]))
    corrected = session.propose(Prompt([(60, 60), (95, 60)], [1, 1]))
    assert corrected.from_mask
    outlined = session.chain.connects
    assert outlined
    session.chain.connects = False
    session.undo()
    free = session.propose(Prompt([(60, 60), (95, 60)], [1, 1]))
    session.chain.connects = True
    far = (slice(380, 470), slice(380, 470))
    np.testing.assert_array_equal(corrected.mask[far], free.mask[far])
    session.reject()


def test_what_was_found_out_stands_as_long_as_its_masks_do(tmp_path):
    project, ids = Project.open(tmp_path / "p"), []
    image = np.random.default_rng(0).integers(0, 256, (128, 128), np.uint8)
    for row in range(0, 128, 16):
        mask = np.zeros(image.shape, bool)
        mask[row : row + 9, 30:60] = True
        clicked = (Prompt([(40, row + 4)], [1]),)
        ids.append(accept(project, "0.png", image, mask, prompts=clicked).id)
    found = Learnt(masks=8, images=4, judged=8, without=0.4, with_it=0.6, weight=1.0)
    learning = InstantLearning(
        project, open_cache(project), torch.device("cpu"), 256, resumed=found
    )
    for living, weight in ((8, 1.0), (1, 0.0)):
        project.delete(ids[living:])
        learning.follow()
        learning.settle(())
        assert (learning.learnt.masks, learning.learnt.weight) == (living, weight)


def test_a_renamed_class_is_called_so_in_the_sums_and_nothing_is_learnt_anew(tmp_path, monkeypatch):
    project, ids = Project.open(tmp_path / "p"), []
    for number in range(4):
        image = np.random.default_rng(number).integers(0, 256, (128, 128), np.uint8)
        for row, label in ((20, "scratch"), (80, "pore")):
            mask = np.zeros(image.shape, bool)
            mask[row : row + 14, 30:60] = True
            ids.append(accept(project, f"{number}.png", image, mask, label).id)
    project.mark_done("3.png")

    def fresh():
        learning = InstantLearning(project, open_cache(project), torch.device("cpu"), 256)
        learning.follow()
        return learning

    def sums(learning):
        found = {}
        for fold in learning._classifier._folds:
            for name, vector in fold.positives.items():
                found[name] = found.get(name, 0) + vector
        return {name: vector for name, vector in found.items() if abs(vector[-1]) > 1e-9}

    def same(one, other):
        assert set(sums(one)) == set(sums(other))
        for name, vector in sums(one).items():
            np.testing.assert_allclose(vector, sums(other)[name], atol=1e-9)

    living = fresh()
    replaced = []
    real = living._replace
    monkeypatch.setattr(
        living, "_replace", lambda i, *more: (replaced.append(i.name), real(i, *more))
    )
    key = project.rename_class("scratch", "Kratzer")
    assert not living.is_up_to_date
    living.follow()
    assert replaced == []
    assert set(sums(living)) == {"Kratzer", "pore"}
    same(living, fresh())
    merged = project.rename_class("Kratzer", "pore")
    living.follow()
    assert replaced == []
    same(living, fresh())
    project.rename_back(merged)
    project.rename_back(key)
    project.relabel(ids[0], "pore")
    living.follow()
    same(living, fresh())
    assert set(sums(living)) == {"scratch", "pore"}
    # what is excluded says nothing, not even that there is background under it
    replaced.clear()
    before = sums(living)
    project.set_review(ids[-1], state="excluded")
    project.set_image_review("0.png", state="second_look")
    living.follow()
    assert sorted(replaced) == ["0.png", "3.png"]
    same(living, fresh())
    assert living._classifier.images == 3
    project.set_review(ids[-1], state="approved")
    project.set_image_review("0.png", state="to_do")
    living.follow()
    for name, vector in sums(living).items():
        np.testing.assert_allclose(vector, before[name], atol=1e-9)
