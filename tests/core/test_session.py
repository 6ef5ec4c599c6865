"""The whole product without pixels, as a script would use it."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from dataclasses import replace
from pathlib import Path
from statistics import stdev
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image
from psygnal import EmitLoopError

from napari_sam_tune import Predictor, Project, Prompt, SamTuneError, Session, TrainConfig
from napari_sam_tune.core.answers.nearby import NEAR
from napari_sam_tune.core.config import GateConfig
from napari_sam_tune.core.errors import TrainingError
from napari_sam_tune.core.images import files
from napari_sam_tune.core.models.base import BaseRef
from napari_sam_tune.core.project.effort import effort_by_version
from napari_sam_tune.core.project.project import NewAnnotation
from napari_sam_tune.core.project.review import Attribute
from napari_sam_tune.core.rounds.plan import AutoRounds, plan_round, unlearnt_by, what_is_missing
from napari_sam_tune.core.scoring import iou

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sam_tune.core.training.job import Progress

QUICK = TrainConfig(steps=2, batch_size=2, corrections=1, judge_objects=4, robot_clicks=2)
# a step backwards through the encoder takes longer than all else of a round
DECODER = QUICK.model_copy(update={"parts": ("decoder",)})
CENTRES = [(30, 30), (90, 35), (35, 95), (95, 90), (60, 60), (30, 62), (62, 28), (90, 62), (60, 95)]


def blobs(seed: int = 0) -> np.ndarray:
    """A grey image (128, 128) uint8 with dark discs on a noisy ground at `CENTRES`."""
    rng = np.random.default_rng(seed)
    image = rng.normal(150, 8, (128, 128))
    rows, columns = np.mgrid[:128, :128]
    for x, y in CENTRES:
        image[(columns - x) ** 2 + (rows - y) ** 2 < 49] -= 70
    return image.clip(0, 255).astype(np.uint8)


def disc(x: int, y: int, radius: int = 7) -> np.ndarray:
    rows, columns = np.mgrid[:128, :128]
    return (columns - x) ** 2 + (rows - y) ** 2 < radius**2


@pytest.fixture(scope="module")
def predictor(at_128_px: None) -> Predictor:
    return Predictor.from_checkpoint("starter", device="cpu")


@pytest.fixture
def session(tmp_path: Path, predictor: Predictor) -> Iterator[Session]:
    predictor.weights.load_base()
    with Session(Project.open(tmp_path / "p"), predictor, config=QUICK) as session:
        session.open_image(blobs(), "blobs.png")
        yield session


@pytest.fixture
def plain_session(tmp_path: Path, predictor: Predictor) -> Iterator[Session]:
    """Without closer looks and with an encoder that stays: for all of rounds but what is learnt."""
    predictor.weights.load_base()
    with Session(Project.open(tmp_path / "p"), predictor, config=DECODER, zoom=False) as session:
        session.open_image(blobs(), "blobs.png")
        yield session


def click(x: float, y: float, label: int = 1) -> Prompt:
    return Prompt(points=[(x, y)], labels=[label])


def label_all(session: Session) -> None:
    for x, y in CENTRES:
        session.propose(click(x, y))
        session.accept(mask=disc(x, y))


def test_click_correct_accept(session: Session) -> None:
    first = session.propose(click(30, 30))
    assert len(first.candidates) == 3
    second = session.propose(first.prompt.add_point(60, 60, 0))
    assert len(second.candidates) == 1

    annotation = session.accept(label="pit")

    (stored,) = Project.open(session.project.path).annotations()
    assert stored.id == annotation.id
    assert (stored.label, stored.image_id, stored.weights_version) == ("pit", "blobs.png", "base")
    np.testing.assert_array_equal(stored.mask, second.mask)
    assert [p.points for p in stored.prompts] == [((30, 30),), ((30, 30), (60, 60))]
    assert (stored.effort.clicks, stored.effort.boxes, stored.effort.strokes) == (2, 0, 0)
    assert session.open_object.is_empty


def test_previous_logits_go_along_by_themselves(session: Session) -> None:
    session.chain.heeds = session.chain.connects = False
    first = session.propose(click(30, 30))
    longer = first.prompt.add_point(34, 30, 1)
    second = session.propose(longer)
    fed = session.predictor.propose(longer, previous=first)
    unfed = session.predictor.propose(longer)
    np.testing.assert_array_equal(second.logits, fed.logits)
    assert not np.array_equal(second.logits, unfed.logits)


def test_clicks_never_undo_paint(session: Session) -> None:
    session.propose(click(30, 30))
    proposed = session.open_object.mask
    erased = np.zeros_like(proposed)
    erased[20:40, 20:40] = proposed[20:40, 20:40]
    assert erased.any()
    painted = proposed & ~erased
    painted[100:110, 5:25] = True
    session.paint(painted)
    after = session.propose(session.open_object.prompt.add_point(90, 35, 1))
    assert after.mask[100:110, 5:25].all()
    assert not after.mask[erased].any()
    annotation = session.accept()
    assert annotation.effort.strokes == 1
    assert annotation.locked[erased].all()


def test_a_stroke_is_a_step_that_clicks_correct(session: Session) -> None:
    image = blobs()
    crack = np.zeros((128, 128), bool)
    crack[76:79, 10:120] = True
    image[crack] = 60
    session.open_image(image, "crack.png")
    path = [(11.0, 78.0), (60.0, 75.5), (118.0, 78.0)]
    drawn = session.draw(path)
    assert iou(drawn, crack) > 0.7
    assert (session.open_object.mask == drawn).all()
    assert not session.open_object.is_untouched  # what is found meanwhile does not take its place
    assert not session.open_object.awaiting
    with pytest.raises(SamTuneError, match=r"Session\.draw"):
        session.propose(session.open_object.prompt)  # no model is asked by a stroke alone
    with pytest.raises(SamTuneError, match="one by one"):
        session.propose(Prompt([(30, 30)], [1], strokes=[path, path]))
    assert session.propose(Prompt([(30, 30)], [1])).mask[30, 30]
    session.undo()
    loop = [(90 + 12 * x, 35 + 12 * y) for x, y in ((1, 0), (0, 1), (-1, 0), (0, -1), (1, 0))]
    both = session.draw(loop)  # adds the object inside
    assert both[drawn].all()
    assert iou(both & ~drawn, disc(90, 35)) > 0.5
    session.undo()
    assert (session.open_object.mask == drawn).all()
    cut = session.propose(Prompt([(40, 77)], [0])).mask
    assert not cut[77, 40]
    far = np.abs(np.arange(128) - 40) > NEAR
    assert (cut[:, far] == drawn[:, far]).all()  # it changes near the click alone
    session.undo()
    clicked = session.propose(session.open_object.prompt.add_point(30, 30, 1)).mask
    assert clicked[drawn].all()
    assert clicked[disc(30, 30, 4)].all()

    annotation = session.accept()
    (stored,) = Project.open(session.project.path).annotations("crack.png")
    assert (stored.mask == clicked).all()
    assert (stored.effort.clicks, stored.effort.strokes) == (3, 2)  # undone work counts
    first, second = stored.prompts
    assert (first.points, first.strokes) == ((), (tuple(path),))
    assert (second.points, second.strokes) == (((30, 30),), (tuple(path),))
    session.undo()
    assert session.open_object.strokes == (tuple(path),)
    session.reject()
    with pytest.raises(SamTuneError, match="drawn along"):
        session.draw([(5, 5)])
    assert session.open_object.is_empty
    assert annotation.id == stored.id


def test_undo_and_redo_reach_back_through_accepts(session: Session) -> None:
    first = session.propose(click(30, 30))
    session.propose(first.prompt.add_point(60, 60, 0))
    accepted = session.accept(mask=disc(30, 30))
    session.propose(click(90, 35))
    for _ in range(2):
        session.undo()
    assert session.project.annotations() == []
    assert session.open_object.prompt.points == ((30, 30), (60, 60))
    session.undo()
    np.testing.assert_array_equal(session.open_object.mask, first.mask)
    session.undo()
    assert session.open_object.is_empty
    assert session.undo() is False

    while session.redo():
        pass
    (restored,) = session.project.annotations()
    np.testing.assert_array_equal(restored.mask, accepted.mask)
    assert restored.prompts == accepted.prompts
    assert session.open_object.prompt == click(90, 35)


def test_reopening_supersedes_and_deleting_can_be_undone(session: Session) -> None:
    session.adopt(disc(30, 30), "pit")
    (old,) = session.project.annotations()
    session.reopen(old.id)
    session.paint(disc(30, 30, 9))
    new = session.accept()
    assert new.supersedes == old.id
    assert [a.id for a in session.project.annotations()] == [new.id]

    session.delete(new.id)
    assert session.project.annotations() == []
    session.undo()
    (back,) = session.project.annotations()
    np.testing.assert_array_equal(back.mask, disc(30, 30, 9))
    while session.undo():
        pass
    assert session.project.annotations() == []


def test_several_are_deleted_in_one_step_that_undo_takes_back_from_another_image(
    session: Session,
) -> None:
    session.adopt(disc(30, 30), "pit")
    session.adopt(disc(60, 60), "pit")
    session.open_image(blobs(1), "other.png")
    ids, told = [a.id for a in session.project.annotations()], []
    session.annotations_changed.connect(told.append)
    before = len(session.project._journal.entries())
    session.delete(ids)
    assert session.project.annotations() == []
    assert len(session.project._journal.entries()) == before + 1
    undone = session.undo()
    assert (undone.image_id, undone.text) == ("blobs.png", "Undone: 2 masks are back.")
    assert [a.id for a in session.project.annotations()] == ids
    session.redo()
    assert session.project.annotations() == []
    assert told == ["blobs.png"] * 3


def test_work_in_progress_waits_while_another_image_is_open(session: Session) -> None:
    proposal = session.propose(click(30, 30))
    session.open_image(blobs(1), "other.png")
    assert session.open_object.is_empty
    assert session.undo() is False
    session.open_image(blobs(), "blobs.png")
    np.testing.assert_array_equal(session.open_object.mask, proposal.mask)


def test_a_stale_answer_changes_nothing(session: Session) -> None:
    old = session.objects.request(click(30, 30))
    new = session.objects.request(click(90, 35))
    answer = session.predictor.propose(old.prompt)
    assert session.objects.receive(old, answer) is False
    assert session.open_object.proposal is None
    assert session.objects.receive(new, session.predictor.propose(new.prompt)) is True


def test_a_prompt_without_its_answer_is_known_and_can_be_asked_again(session: Session) -> None:
    first = session.propose(click(30, 30))
    session.objects.request(first.prompt.add_point(60, 60, 0))
    assert session.open_object.awaiting
    session.undo()
    assert not session.open_object.awaiting
    session.redo()
    again = session.objects.request_again()
    assert again.previous is not None  # the logits of the first answer go along

    painted = first.mask | disc(60, 95)
    session.paint(painted)
    assert session.objects.receive(again, session.predictor.propose(again.prompt, again.previous))
    assert not session.open_object.awaiting
    session.undo()  # the stroke, not the answer
    assert session.open_object.correction is None
    assert len(session.open_object.prompt.points) == 2
    assert session.open_object.awaiting


def test_nothing_to_accept_is_refused_and_loses_nothing(session: Session) -> None:
    with pytest.raises(SamTuneError, match="click on an object first"):
        session.accept()
    session.propose(click(30, 30))
    with pytest.raises(SamTuneError, match="empty"):
        session.accept(mask=np.zeros((128, 128), bool))
    with pytest.raises(SamTuneError, match="resize the mask"):
        session.accept(mask=np.ones((5, 5), bool))
    assert session.open_object.prompt == click(30, 30)


def test_effort_of_undone_work_counts(session: Session) -> None:
    session.propose(click(30, 30))
    session.undo()
    session.propose(click(31, 31))
    session.reject()
    session.propose(Prompt(box=(20, 20, 40, 40)))
    effort = session.accept().effort
    assert (effort.clicks, effort.boxes) == (2, 1)
    (row,) = session.effort()
    assert (row.version, row.masks, row.clicks) == ("base", 1, 2)


def test_a_round_is_judged_and_promotion_answers_the_next_click(session: Session) -> None:
    label_all(session)
    before = session.propose(click(30, 30))
    finished = session.fine_tune(wait=True)
    assert finished is not None
    assert finished.error is None
    assert str(finished.report)
    assert len(finished.report.losses) == QUICK.steps
    assert finished.version == session.weights_version
    assert finished.candidate in {v.version for v in session.project.versions()}

    session.rollback(finished.candidate)  # any version can be put in use, promoted or not
    after = session.propose(click(30, 30))
    assert after.weights_version == finished.candidate
    assert not np.array_equal(after.logits, before.logits)

    session.rollback("base")
    again = session.propose(click(30, 30))
    # the encoder changed twice: the image comes back from the fp16 cache
    np.testing.assert_allclose(again.logits, before.logits, atol=0.05)
    assert (again.mask != before.mask).sum() <= 2


def test_training_goes_on_from_a_refused_candidate_that_never_comes_into_use(
    plain_session: Session,
) -> None:
    session = plain_session
    label_all(session)
    strict = DECODER.model_copy(update={"gate": GateConfig(smallest_gain=0.9)})
    went_on_from, judges = [], []
    for _ in range(5):
        finished = session.fine_tune(config=strict)
        assert finished is not None
        assert not finished.promoted
        assert session.weights_version == "base"
        _, info = session.project.load_weights(finished.candidate)
        assert info["parent"] == "base"
        went_on_from.append(info["went_on_from"])
        judges.append(finished.report.verdict.objects)
    # not for ever: a line of training that leads nowhere is given up
    assert went_on_from[0] == went_on_from[4] == "base"
    assert "base" not in went_on_from[1:4]
    assert len(set(went_on_from[1:4])) == 3
    assert min(judges) >= QUICK.gate.fewest_objects


def test_without_a_closer_look_training_has_none_either(
    tmp_path: Path, predictor: Predictor
) -> None:
    predictor.weights.load_base()
    with Session(Project.open(tmp_path / "p"), predictor, config=DECODER, zoom=False) as session:
        session.open_image(blobs(), "blobs.png")
        label_all(session)
        finished = session.fine_tune(config=DECODER)
        assert finished is not None
        _, info = session.project.load_weights(finished.candidate)
        assert info["config"]["zoom_share"] == 0


def test_versions_in_use_survive_closing(plain_session: Session, predictor: Predictor) -> None:
    session = plain_session
    label_all(session)
    version = session.fine_tune().candidate
    session.rollback(version)
    session.state.label = "pit"
    session.close()
    with Session(Project.open(session.project.path), predictor) as reopened:
        assert reopened.weights_version == version
        assert reopened.state.label == "pit"
        assert reopened.project.place()["image_id"] == "blobs.png"


def test_a_swap_does_not_ask_for_the_file_of_the_open_image(
    session: Session, tmp_path: Path
) -> None:
    path = tmp_path / "moved.png"
    Image.fromarray(blobs(1)).save(path)
    session.open_image(blobs(1), "moved.png", path=path)
    path.unlink()
    weights = session.predictor.sam.image_encoder.state_dict(prefix="image_encoder.")
    name, tensor = next((n, t) for n, t in weights.items() if "neck" in n and t.ndim == 4)
    version = session.project.save_weights({name: 1.01 * tensor}, {"base": {}})
    session.rollback(version)
    assert session.propose(click(30, 30)).weights_version == version


def test_held_out_objects_never_train(session: Session) -> None:
    label_all(session)
    annotations = session.project.annotations()
    assert unlearnt_by(session.project) == {a.id for a in annotations}
    plan = plan_round(annotations, unlearnt_by(session.project))
    assert not set(plan.train_ids) & set(plan.judge_ids)
    assert {a.id for a in annotations if a.split == "held_out"} <= set(plan.judge_ids)
    assert set(plan.train_ids) | set(plan.judge_ids) == {a.id for a in annotations}


def test_a_class_without_held_out_objects_is_judged_by_its_newest(session: Session) -> None:
    label_all(session)
    common = [replace(a, split="held_out", label="pit") for a in session.project.annotations()]
    rare = [replace(a, id=f"{a.id}-rare", split="train", label="fray") for a in common]
    many = [replace(a, id=f"{a.id}-{i}") for i in range(4) for a in common]  # judges enough
    everything = [*many, *rare]
    plan = plan_round(everything, {a.id for a in everything})
    lent = [a.id for a in rare if a.id in plan.judge_ids]
    assert lent == [a.id for a in rare[-3:]]
    assert not set(lent) & set(plan.train_ids)
    assert not set(plan_round(everything, set()).judge_ids) & {a.id for a in rare}


def test_one_mask_less_is_missing_with_every_mask(session: Session) -> None:
    label_all(session)
    one = session.project.annotations()[0]
    for kept_aside in ((), (2,), (1, 6), (1, 2, 3)):
        splits = ["held_out" if n in kept_aside else "train" for n in range(9)]
        masks = [replace(one, id=str(n), split=split) for n, split in enumerate(splits)]
        told = [
            what_is_missing(plan_round(masks[:n], {mask.id for mask in masks}), 4)
            for n in range(1, 10)
        ]
        assert [0 if missing is None else missing.masks for missing in told] == [
            *(7, 6, 5, 4, 3, 2, 1, 0, 0)
        ]


def test_rounds_start_by_themselves(tmp_path: Path, predictor: Predictor) -> None:
    predictor.weights.load_base()
    rounds = []
    project = Project.open(tmp_path / "p")
    with Session(
        project, predictor, config=DECODER, auto=AutoRounds(every=5), zoom=False
    ) as session:
        session.round_finished.connect(rounds.append)
        session.open_image(blobs(), "blobs.png")
        label_all(session)
    assert len(rounds) == 1
    assert rounds[0].error is None


def test_too_few_masks_is_said_with_how_many_are_missing(session: Session) -> None:
    session.propose(click(30, 30))
    session.accept()
    finished = session.fine_tune()
    assert not finished.promoted
    assert "Accept 7 more masks" in str(finished.report)
    # what is said to be missing is enough, and not before
    for _ in range(said := session.learner.missing().masks):
        assert session.learner.missing() is not None
        session.propose(click(30, 30))
        session.accept()
    assert said == 7
    assert session.learner.missing() is None
    assert session.state.training is False


def test_a_restored_object_can_be_corrected_like_any_other(session: Session) -> None:
    session.adopt(disc(30, 30), "pit")
    (first,) = session.project.annotations()
    session.delete(first.id)
    session.undo()
    session.reopen(first.id)
    session.paint(disc(30, 30, 9))
    second = session.accept()
    assert [a.id for a in session.project.annotations()] == [second.id]
    session.undo()
    assert [a.id for a in session.project.annotations()] == [first.id]
    third = session.accept()
    assert [a.id for a in session.project.annotations()] == [third.id]


def test_undo_leaves_deleted_what_was_deleted_while_it_was_corrected(session: Session) -> None:
    old = session.adopt(disc(30, 30))
    session.reopen(old.id)
    session.delete(old.id)
    new = session.accept()
    session.undo()
    assert session.project.annotations() == []
    session.redo()
    assert [a.id for a in session.project.annotations()] == [new.id]


def test_asking_anew_keeps_a_reopened_mask_in_the_question(session: Session) -> None:
    session.adopt(disc(30, 30), "pit")
    session.reopen(session.project.annotations()[0].id)
    prompt = click(33, 30, label=0)
    session.propose(prompt)
    again = session.objects.request(prompt)  # as after a swap
    assert again.previous is None
    assert again.prompt.mask is not None
    assert again.prompt.mask.any()


def test_correcting_an_object_leaves_the_class_of_the_next_alone(session: Session) -> None:
    session.adopt(disc(30, 30), "pit")
    session.state.label = "crack"
    session.reopen(session.project.annotations()[0].id)
    assert session.state.label == "pit"
    assert session.accept().label == "pit"
    assert session.state.label == "crack"
    session.undo()
    assert session.state.label == "pit"
    session.choose_class("dent")
    session.accept()
    session.undo()
    assert session.state.label == "dent"  # as it was accepted
    session.reject()
    session.undo()
    assert session.accept().label == "pit"
    assert session.state.label == "crack"


def test_effort_is_neither_lost_nor_counted_twice_by_undo(session: Session) -> None:
    def check(_: str) -> None:
        assert session.effort() == effort_by_version(session.project)

    session.annotations_changed.connect(check)
    first = session.propose(click(30, 30))
    session.propose(first.prompt.add_point(34, 30, 1))
    session.accept()
    session.undo()
    session.propose(session.open_object.prompt.add_point(60, 60, 0))
    accepted = session.accept()
    assert accepted.effort.clicks == 3
    session.reopen(accepted.id)
    session.propose(click(34, 34))
    assert session.accept().effort.clicks == 4
    session.undo()
    session.redo()
    session.propose(click(90, 35))
    assert session.accept().effort.clicks == 1
    (row,) = session.effort()
    assert row.masks * row.clicks == 5
    assert row.actions_error == pytest.approx(stdev([4, 1]) / 2**0.5)
    session.open_image(blobs(1), "second.png")
    session.propose(click(30, 30))
    session.show("blobs.png")
    for _ in range(2):  # a click elsewhere is neither that record's nor forgotten with it
        session.undo()
        session.redo()
    session.show("second.png")
    session.adopt(disc(90, 35))
    session.undo()
    session.redo()
    assert session.accept().effort.clicks == 1


def test_a_prompt_that_fails_leaves_nothing_behind(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.propose(click(30, 30))
    longer = session.open_object.prompt.add_point(60, 60, 0)
    with monkeypatch.context() as broken:
        broken.setattr(session.predictor.sam.mask_decoder, "forward", refuse_memory)
        with pytest.raises(RuntimeError):
            session.propose(longer)
    assert session.open_object.prompt == click(30, 30)


def refuse_memory(*_: object, **__: object) -> None:
    raise RuntimeError("out of memory")


def test_the_model_may_be_changed_until_weights_build_on_it(
    tmp_path: Path, predictor: Predictor
) -> None:
    project = Project.open(tmp_path / "p")
    project.set_base(type(predictor.ref)(name="other", sha256="0" * 64))
    project.set_base(predictor.ref)
    project.save_weights({"a": torch.zeros(1)}, {})
    with pytest.raises(SamTuneError, match="start a new project"):
        project.set_base(type(predictor.ref)(name="other", sha256="0" * 64))
    assert Project.open(tmp_path / "p").base == predictor.ref


def refuse(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_keeps_the_mask_open_and_a_retry_works(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposal = session.propose(click(30, 30))
    with monkeypatch.context() as full:
        full.setattr(Path, "rename", refuse)
        with pytest.raises(SamTuneError, match="disk is full"):
            session.accept()
        assert session.project.annotations() == []
        np.testing.assert_array_equal(session.open_object.mask, proposal.mask)
    session.accept()
    assert len(session.project.annotations()) == 1


def test_an_embedding_that_cannot_be_kept_costs_nothing_but_time(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    session.failed.connect(said.append)
    image = blobs(2)
    session.project.register(image, "other.png")
    with monkeypatch.context() as full:
        full.setattr(Path, "rename", refuse)
        session.open_image(image, "other.png")
    assert "disk is full" in said[0]
    assert session.propose(click(30, 30)).mask.shape == image.shape


def test_another_model_chosen_elsewhere_is_noticed(plain_session: Session) -> None:
    said: list[str] = []
    plain_session.failed.connect(said.append)
    Project.open(plain_session.project.path).set_base(BaseRef("vit_x", "7" * 64))
    open_image = plain_session.state.image_id
    assert open_image is not None
    for _ in range(2):
        plain_session.show(open_image)
    assert len(said) == 1
    assert "“vit_x”" in said[0]
    with pytest.raises(TrainingError, match="“vit_x”"):
        plain_session.fine_tune()


def test_objects_corrected_twice_at_once_are_told_at_opening(
    plain_session: Session, predictor: Predictor
) -> None:
    project = plain_session.project
    mask = np.zeros(project.images()[0].shape, bool)
    mask[3:9, 3:9] = True
    image_id = project.images()[0].id
    first = project.add(NewAnnotation(image_id, mask, "pore"))
    for shift in (1, 2):
        moved = np.roll(mask, shift, 0)
        project.add(NewAnnotation(image_id, moved, "pore", supersedes=first.id))
    with Session(Project.open(project.path), predictor) as again:
        assert again.notice is not None
        assert "corrected twice" in again.notice


def test_a_version_promoted_elsewhere_meanwhile_stays_in_use(plain_session: Session) -> None:
    session = plain_session
    label_all(session)
    version = session.fine_tune().candidate
    session.rollback("base")
    label_all(session)
    elsewhere = Project.open(session.project.path)

    def promote_elsewhere(progress: Progress) -> None:
        if progress.step == 1 and elsewhere.current_version == "base":
            elsewhere.promote(version, report={})

    session.progress.connect(promote_elsewhere)
    finished = session.fine_tune()
    assert not finished.promoted
    assert finished.version == session.weights_version == version
    assert [p.version for p in session.project.promotions()][-1] == version


def test_a_round_ends_for_everybody_whatever_a_listener_breaks(plain_session: Session) -> None:
    """And it has ended for all of them before the next one may begin."""
    session, ended = plain_session, list[bool]()

    def break_down(training: bool) -> None:
        if not training:
            raise ValueError("a listener's bug")

    def note(_: object) -> None:
        ended.append(session.learner.wait(timeout=0))

    label_all(session)
    session.state.events.training.connect(break_down)
    session.round_finished.connect(note)
    for rounds in (1, 2):
        with contextlib.suppress(EmitLoopError):
            session.fine_tune()
        assert ended == [False] * rounds
        assert session.learner.wait(timeout=0)


def test_a_16_bit_image_is_converted_once(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted: list[tuple[int, ...]] = []
    stretched = files._stretched

    def count(colour: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
        converted.append(colour.shape)
        return stretched(colour, limits)

    monkeypatch.setattr(files, "_stretched", count)
    session.open_image(blobs().astype(np.uint16) * 200, "deep.tif")
    assert len(converted) == 1


def test_a_mistaken_done_is_taken_back_from_the_next_image(session: Session) -> None:
    accepted = session.adopt(disc(30, 30), "pit")
    session.mark_done()
    session.open_image(blobs(1), "other.png")
    assert session.state.can_undo
    marked = session.undo()
    assert marked
    assert (marked.image_id, marked.text) == ("blobs.png", "Undone: “blobs.png” is to do again.")
    assert not session.project.is_done("blobs.png")
    assert not session.state.can_undo
    assert session.redo()
    assert session.project.is_done("blobs.png")
    session.undo()
    session.open_image(blobs(), "blobs.png")
    assert session.undo()  # what was done before on that image
    assert session.project.annotations() == []
    session.redo()
    assert [a.id for a in session.project.annotations()] == [accepted.id]
    # what was done last goes first, be it of the image or of the project
    session.propose(click(90, 35))
    session.relabel(accepted.id, "crack")
    session.propose(session.open_object.prompt.add_point(92, 37, 1))
    session.undo()
    assert len(session.open_object.prompt.points) == 1
    assert session.project.annotation(accepted.id).label == "crack"
    session.undo()
    assert session.project.annotation(accepted.id).label == "pit"
    assert session.open_object.prompt == click(90, 35)
    version = json.loads((session.project.path / "project.json").read_text())["version"]
    assert version == 3  # since the class of a mask was changed


def test_a_mark_taken_back_is_understood_by_releases_before(session: Session) -> None:
    session.mark_done(empty=True)
    session.undo()
    assert not session.project.is_empty("blobs.png")
    session.redo()
    assert session.project.is_empty("blobs.png")
    version = json.loads((session.project.path / "project.json").read_text())["version"]
    assert version == 2


def test_classes_change_under_a_session_and_undo_brings_them_back(session: Session) -> None:
    project, told = session.project, []
    session.classes_changed.connect(lambda: told.append(list(project.classes())))
    for name, colour in (("scratch", "#111111"), ("crack", "#222222"), ("pore", "#333333")):
        project.set_class(name, colour)
    session.choose_class("scratch")
    scratch = session.adopt(disc(30, 30))
    session.rename_class("scratch", "Kratzer")
    assert session.state.label == "Kratzer"
    Project.open(project.path).rename_class("Kratzer", "Riefe")  # by another program
    assert session.adopt(disc(60, 95)).label == "Riefe"
    session.rename_class("Riefe", "crack")
    assert session.state.label == "crack"
    assert {a.label for a in project.annotations()} == {"crack"}
    taken_back = session.undo()
    assert taken_back
    assert taken_back.text == "Undone: “Riefe” is a class of its own again."
    assert session.state.label == "Riefe"
    assert list(project.classes()) == ["Riefe", "crack", "pore"]
    assert project.annotation(scratch.id).label == "Riefe"
    session.choose_class("pore")
    session.remove_class("pore")
    assert session.state.label == "Riefe"
    session.undo()
    assert list(project.classes()) == ["Riefe", "crack", "pore"]
    assert told[-1] == list(project.classes())
    session.set_review(scratch.id, state="excluded", note="unscharf")
    session.undo()
    assert project.review(scratch.id).state == "accepted"
    assert project.review(scratch.id).note == ""
    session.redo()
    assert project.review(scratch.id).state == "excluded"
    cause, depth, side = Attribute("cause"), Attribute("depth", "number"), Attribute("side")
    session.set_attributes("Riefe", [cause])
    session.set_attributes("Riefe", [cause])  # nothing new: no step
    session.set_attributes("Riefe", [depth, cause])
    session.set_review(scratch.id, values={"depth": 2})
    other = Project.open(project.path)
    other.rename_class("Riefe", "Rille")
    other.set_attributes("Rille", [depth, cause, side])
    session.undo()
    undone = session.undo()
    assert undone
    assert undone.text == "Undone: the attributes of “Riefe” are as before."
    assert project.attributes("Rille") == (cause, side)  # what others added since stays
    session.undo()
    assert project.attributes("Rille") == (side,)
    session.redo()
    session.redo()
    session.redo()
    assert set(project.attributes("Rille")) == {cause, depth, side}
    assert dict(project.review(scratch.id).values) == {"depth": 2.0}
    session.set_image_review("blobs.png", state="second_look")
    undone = session.undo()
    assert undone
    assert undone.text == "Undone: “blobs.png” is to do again."


def test_a_class_lent_to_an_object_follows_its_new_name(session: Session) -> None:
    old = session.adopt(disc(30, 30), "pit")
    session.reopen(old.id)
    Project.open(session.project.path).rename_class("pit", "pore")
    assert session.accept().label == "pore"


def test_a_mask_with_a_slip_is_the_first_to_look_at_again(session: Session) -> None:
    discs = [(30, 30), (90, 35), (60, 95)]
    ids = [session.adopt(disc(x, y), "pit").id for x, y in discs[:2]]
    slip = disc(60, 95)
    slip[85:105, 60:75] = False  # half of it is missing
    slip[60:64, 20:60] = True
    ids.append(session.adopt(slip, "pit").id)
    before = session.open_object
    looking = session.answerer.look_again
    steps = list(looking.steps())
    assert [(step.done, step.total) for step in steps] == [(1, 3), (2, 3), (3, 3)]
    assert session.answerer.open_id == "blobs.png"
    assert session.open_object is before
    doubtful = looking.most_doubtful()
    assert doubtful[0][0] == ids[2]
    assert doubtful[0][1] < 0.7 < doubtful[1][1]
    assert list(looking.steps()) == []
    session.project.set_review(ids[2], state="approved")  # somebody has looked
    session.project.set_review(ids[1], state="excluded")
    assert [name for name, _ in looking.most_doubtful()] == [ids[0]]
    with Session(Project.open(session.project.path), session.predictor) as again:
        assert [name for name, _ in again.answerer.look_again.most_doubtful()] == [ids[0]]
        assert list(again.answerer.look_again.steps()) == []
