"""The core on a GPU: it answers, learns and swaps as on the CPU, to the rounding of its arithmetic.

Left out where there is no GPU. `SAM_TUNE_DEVICE=cpu` runs the tests on the CPU, which says nothing
about a GPU, but that they themselves are right.
"""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest
import torch
from disc_project import draw, fill, train
from labelled_project import accept_masks, job_on
from segment_anything.build_sam import _build_sam

from napari_sam_tune import Predictor, Project, Prompt, Session, TrainConfig
from napari_sam_tune.core.answers.kriging import HeedClicks
from napari_sam_tune.core.models.base import BaseRef
from napari_sam_tune.core.models.checkpoints import LoadedModel
from napari_sam_tune.core.models.starter import set_image_size
from napari_sam_tune.core.pixel_classifier.features import FeatureExtractor
from napari_sam_tune.core.rounds.runners import InlineRunner, ProcessRunner
from napari_sam_tune.core.scoring import iou
from napari_sam_tune.core.suggestions.sources import suggest_everything
from napari_sam_tune.core.training.job import Candidate
from napari_sam_tune.starter import training, validation
from napari_sam_tune.starter.batches import BatchSpec, make_batch
from napari_sam_tune.starter.weights import load_starter_state

pytestmark = pytest.mark.cuda
CLICKS = [Prompt([(40, 30)], [1], box=(20, 18, 62, 50)), Prompt([(40, 30), (5, 5)], [1, 0])]


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def picture(height=90, width=120):
    """A dark rectangle on a bright ground with grain: (height, width, 3) uint8."""
    rng = np.random.default_rng(0)
    image = rng.integers(150, 190, (height, width, 3), dtype=np.uint8)
    image[height // 5 : height // 2, width // 6 : width // 2] = 60
    return image


def starter(device):
    return Predictor.from_checkpoint("starter", device=device)


def vit_b(device):
    """ViT-B's decoder and frame with random weights, and one of its twelve encoder blocks."""
    torch.manual_seed(0)
    sam = _build_sam(
        encoder_embed_dim=768,
        encoder_depth=1,
        encoder_num_heads=12,
        encoder_global_attn_indexes=[],
    )
    return Predictor(LoadedModel(sam.to(device), BaseRef("vit_b", "0" * 64), "vit_b"))


def far(found, expected):
    """The relative distance of two arrays."""
    found, expected = (np.asarray(array, np.float64) for array in (found, expected))
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize("model", [starter, vit_b])
def test_clicks_are_answered_as_on_the_cpu(model, device):
    ours, reference = model(device), model("cpu")
    assert ours.device.type == device
    assert {p.device.type for p in ours.sam.parameters()} == {device}
    image = picture()
    ours.set_image(image)
    reference.set_image(image)
    assert far(ours.view.embedding.features, reference.view.embedding.features) < 0.01
    for prompt in CLICKS:
        found, expected = (p.propose(prompt, refiners=[HeedClicks()]) for p in (ours, reference))
        assert far(found.logits, expected.logits) < 0.02
        assert np.mean(found.mask != expected.mask) < 0.01
        assert found.iou == pytest.approx(expected.iou, abs=0.02)
    first = ours.propose(Prompt([(40, 30)], [1]))
    assert len(first.candidates) == 3
    again = ours.propose(CLICKS[1], previous=first)
    assert len(again.candidates) == 1
    assert np.isfinite(again.logits).all()


def test_features_are_those_of_the_cpu(device):
    found, expected = (
        FeatureExtractor(torch.device(place)).extract(picture()) for place in (device, "cpu")
    )
    for ours, reference in zip(found.stages, expected.stages, strict=True):
        assert far(ours, reference) < 0.01


def labelled(predictor, folder):
    """Click, look closer, accept, and be reminded: the last answers of a session."""
    answers = []
    with Session(Project.open(folder), predictor) as session:
        for seed in range(4):
            image, objects = draw(seed)
            session.open_image(image, f"{seed}.png")
            for mask, label in objects:
                y, x = np.argwhere(mask).mean(0)
                proposal = session.propose(Prompt([(x, y)], [1]))
                answers.append(session.answerer.look_closer(proposal) or proposal)
                session.accept(mask=mask, label=label)
            session.answerer.learn()
    return answers


def test_a_session_with_all_that_bears_on_its_answers(device, tmp_path):
    found, expected = (
        labelled(starter(place), tmp_path / name) for place, name in ((device, "a"), ("cpu", "b"))
    )
    shared = [iou(a.mask, b.mask) for a, b in zip(found, expected, strict=True)]
    assert np.mean(shared) > 0.95


def test_everything_is_looked_for(device):
    predictor = starter(device)
    image, objects = draw(0)
    predictor.set_image(image)
    found = suggest_everything(predictor)
    for mask, _ in objects:
        assert max(iou(one.full_mask, mask) for one in found) > 0.7


def round_on(project, runner, device, **changes):
    """The candidate of a round on a device."""
    heard = []
    runner.start(dataclasses.replace(job_on(project, **changes), device=device), heard.append)
    assert runner.wait(240)
    runner.close()
    assert isinstance(heard[-1], Candidate), heard[-1]
    return heard[-1]


@pytest.mark.parametrize(
    "parts", [("mask_decoder",), (), ("lora",)], ids=["decoder", "all", "lora"]
)
def test_a_round_learns_as_on_the_cpu(parts, device, tmp_path):
    accept_masks(tmp_path / "0")
    rounds = []
    for number, place in enumerate(("cpu", device), start=1):
        # prompts depend on the masks' ids: the same masks, each time nothing encoded yet
        project = Project.open(shutil.copytree(tmp_path / "0", tmp_path / str(number)))
        # it learns in bf16, where another of a click's three candidates may be the one shown, and
        # a correction falls elsewhere as soon as one cell is drawn otherwise: a box has neither
        boxes = {"box_share": 1.0, "correction_share": 0.0, "real_prompt_share": 0.0}
        candidate = round_on(project, InlineRunner(), place, parts=parts, steps=3, **boxes)
        tensors, _ = project.load_weights(candidate.version)
        assert all(torch.isfinite(tensor).all() for tensor in tensors.values())
        rounds.append((candidate, tensors))
    (expected, reference), (found, ours) = rounds
    assert ours.keys() == reference.keys()
    assert found.losses[0] == pytest.approx(expected.losses[0], rel=0.15)
    before = [np.mean([score.current for score in c.scores]) for c in (found, expected)]
    assert before[0] == pytest.approx(before[1], abs=0.03)


def test_a_worker_trains_and_the_next_answer_is_the_candidates(device, tmp_path):
    project = accept_masks(tmp_path / "project")
    config = TrainConfig(
        steps=4, batch_size=2, prompts_per_mask=1e9, robot_clicks=2, parts=("mask_decoder",)
    )
    predictor = starter(device)
    with Session(project, predictor, ProcessRunner(), config=config) as session:
        session.open_image(project.read_image("a.png"), "a.png")
        prompt = Prompt([(16, 16), (2, 2)], [1, 0])
        before = session.answerer.ask(prompt)
        key = predictor.weights.encoder_key
        ended = session.fine_tune(wait=True)
        assert ended.candidate is not None, ended.report
        session.rollback(ended.candidate)
        session.answerer.apply_swap()
        after = session.answerer.ask(prompt)
        assert (before.weights_version, after.weights_version) == ("base", ended.candidate)
        assert predictor.weights.encoder_key == key
        assert far(after.logits, before.logits) > 0
        session.rollback("base")
        session.answerer.apply_swap()
        assert far(session.answerer.ask(prompt).logits, before.logits) < 1e-3


def test_weights_of_the_cpu_are_swapped_in(device):
    ours, reference = starter(device), starter("cpu")
    generator = torch.Generator().manual_seed(1)
    tensors = {
        name: tensor + 0.02 * tensor.std() * torch.randn(tensor.shape, generator=generator)
        for name, tensor in reference.sam.state_dict().items()
        if name.startswith("mask_decoder.") and tensor.numel() > 1
    }
    for predictor in (ours, reference):
        predictor.set_image(picture())
        predictor.weights.load(tensors, "tuned")
    found, expected = (p.propose(CLICKS[0]) for p in (ours, reference))
    assert found.weights_version == "tuned"
    assert far(found.logits, expected.logits) < 0.02


def test_a_promptless_head_learns(device, tmp_path):
    predictor = starter(device)
    set_image_size(predictor.sam, 128)
    trained = train(fill(tmp_path / "project", images=5), predictor, steps=20)
    assert np.isfinite(trained.losses).all()
    assert np.mean(trained.losses[-5:]) < np.mean(trained.losses[:5])


def test_the_starters_training_learns_goes_on_and_leaves_weights(device, tmp_path, monkeypatch):
    run = training.new_run(0, torch.device(device))
    batch = make_batch(BatchSpec(images=1, objects=2, sizes=(64,)), 0)
    losses = []
    for _ in range(40):
        record = training.advance(run, batch, 0)
        losses.append(record.loss + record.auxiliary)
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])

    monkeypatch.setattr(training, "VALIDATION_SIZE", 64)
    monkeypatch.setattr(validation, "BATCHES", 2)
    for steps in (2, 4):
        best = training.train(
            tmp_path, steps=steps, sizes=(64,), images=2, objects=1, device=device
        )
    saved = torch.load(tmp_path / "checkpoint.pt", map_location="cpu", weights_only=True)
    assert saved["step"] == 4
    assert all(torch.isfinite(tensor).all() for tensor in load_starter_state(best).values())
