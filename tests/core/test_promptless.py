"""The promptless head: shapes, what it learns, what it leaves alone, what it says of itself."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from disc_project import SHAPE, draw, small_starter, train
from segment_anything.modeling import ImageEncoderViT, PromptEncoder, Sam
from typer.testing import CliRunner

from napari_sam_tune.cli import app
from napari_sam_tune.core.errors import CheckpointError, OutOfMemory, TrainingError
from napari_sam_tune.core.images.files import content_hash
from napari_sam_tune.core.models.network import Network
from napari_sam_tune.core.models.weights_file import read_weights, write_weights
from napari_sam_tune.core.project.project import Project
from napari_sam_tune.core.promptless import lesson as promptless_lesson
from napari_sam_tune.core.promptless.fit import measure
from napari_sam_tune.core.promptless.head import build_head, frame_of
from napari_sam_tune.core.promptless.labelled import parts_of
from napari_sam_tune.core.promptless.lesson import promptless_loss
from napari_sam_tune.core.promptless.store import keep_head, newest_head, read_head
from napari_sam_tune.core.training.job import DivergedError
from napari_sam_tune.core.training.run_folder import RunFolder

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Taught

    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.promptless.fit import TrainedHead


@pytest.fixture(scope="module")
def predictor(taught: Taught) -> Predictor:
    return taught.predictor


@pytest.fixture(scope="module")
def project(taught: Taught, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project.open(shutil.copytree(taught.project, tmp_path_factory.mktemp("discs") / "p"))


@pytest.fixture(scope="module")
def trained(taught: Taught) -> TrainedHead:
    return taught.head


def _vit_of_one_block() -> Sam:
    """ViT-B's widths and stride, one block deep, on 64 px."""
    encoder = ImageEncoderViT(
        img_size=64, patch_size=16, embed_dim=768, depth=1, num_heads=12, out_chans=256
    )
    prompts = PromptEncoder(256, (4, 4), (64, 64), 16)
    return Sam(encoder, prompts, torch.nn.Identity(), [0.0] * 3, [1.0] * 3).eval()


def test_on_a_vit_four_blocks_lead_to_full_size_and_under_a_million_parameters_learn() -> None:
    sam = _vit_of_one_block()
    pixels = torch.rand(1, 3, 48, 64) * 255
    features = Network(sam).before_neck(pixels)
    assert features.shape == (1, 768, 4, 4)
    embedding = sam.image_encoder(sam.preprocess(pixels))
    torch.testing.assert_close(sam.image_encoder.neck(features), embedding)

    head = build_head(Network(sam), 3)
    assert head(embedding).shape == (1, 4, 64, 64)
    widths = [m.weight.shape[:2] for m in head.blocks if isinstance(m, torch.nn.ConvTranspose2d)]
    assert widths == [(256, 128), (128, 64), (64, 32), (32, 16)]
    learning = [*build_head(Network(sam), 1).parameters(), *sam.image_encoder.neck.parameters()]
    assert round(sum(p.numel() for p in learning) / 1e6, 2) == 0.96


@pytest.mark.parametrize("shape", [(40, 300), (300, 40), (128, 128)])
def test_logits_come_back_at_the_images_size_as_segment_anythings_masks_do(
    predictor: Predictor, shape: tuple[int, int]
) -> None:
    frame = frame_of(predictor, shape)
    logits = torch.randn(1, 2, 128, 128)
    theirs = predictor.sam.postprocess_masks(logits, frame.input, frame.shape)
    torch.testing.assert_close(frame.upscale(logits), theirs)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("painted", ["nothing", "something"])
@pytest.mark.parametrize("bias", [-20.0, 20.0])
def test_the_loss_has_a_finite_gradient_on_all_missed_all_hit_and_empty(
    channels: int, painted: str, bias: float
) -> None:
    logits = torch.full((2, channels, 8, 8), bias)
    logits[:, 1:] *= -1
    logits.requires_grad_()
    labels = torch.zeros(2, 8, 8, dtype=torch.long)
    if painted == "something":
        labels[:, 2:5, 2:5] = channels // 2 + 1 if channels > 1 else 1
    losses = promptless_loss(logits, labels)
    losses.sum().backward()
    assert losses.shape == (2,)
    assert torch.isfinite(losses).all()
    assert torch.isfinite(logits.grad).all()
    if losses.sum() > 0.01:
        assert logits.grad.abs().sum() > 0


def test_a_head_learns_two_classes_and_is_the_same_from_its_file(
    project: Project, predictor: Predictor, trained: TrainedHead
) -> None:
    file = keep_head(project, trained.tensors, trained.info)
    tensors, info = read_weights(file)
    assert {name.split(".")[0] for name in tensors} == {"promptless_head", "image_encoder"}
    assert all(".neck." in name for name in tensors if name.startswith("image_encoder"))
    assert file.stat().st_size < 1_000_000
    assert info["classes"] == ["bump", "pit"]
    assert newest_head(project) == file

    held_out = [r for r in project.images() if r.split == "held_out"]
    assert held_out
    model = read_head(predictor, file)
    scores = measure(model, project, parts_of(project, held_out, predictor.input_side))
    assert scores.mean > 0.7, scores
    assert scores.mean == pytest.approx(trained.held_out)

    unseen, _ = draw(99)
    found = model.predict(unseen)
    assert found.shape == (2, *SHAPE)
    assert found.dtype == np.float32
    assert found.sum(axis=0).max() <= 1.0001
    again = read_head(small_starter(), file).predict(unseen)
    np.testing.assert_array_equal(again, found)
    empty, _ = draw(100, defects=False)
    assert not (model.predict(empty) > 0.5).any()


def test_what_is_in_use_changes_neither_head_nor_features(
    project: Project, predictor: Predictor, trained: TrainedHead
) -> None:
    model = read_head(predictor, keep_head(project, trained.tensors, trained.info))
    image, _ = draw(99)
    before = model.predict(image)
    own = predictor.sam.state_dict()
    tuned = {n: t * 1.1 for n, t in own.items() if n.startswith("image_encoder.stage")}
    tuned["image_encoder.neck.0.weight"] = own["image_encoder.neck.0.weight"] * 0.5
    predictor.weights.load(tuned, "0123456789ab")
    try:
        np.testing.assert_array_equal(model.predict(image), before)
        reloaded = read_head(predictor, newest_head(project))
        np.testing.assert_array_equal(reloaded.predict(image), before)
    finally:
        predictor.weights.load_base()


def test_the_same_seed_gives_the_same_head_and_the_model_stays_as_it_was(
    project: Project, predictor: Predictor
) -> None:
    before = {name: t.clone() for name, t in predictor.sam.state_dict().items()}
    first, second = (train(project, predictor, steps=6, seed=3) for _ in range(2))
    assert first.losses == second.losses
    assert all(torch.equal(t, second.tensors[name]) for name, t in first.tensors.items())
    other = train(project, predictor, steps=6, seed=4)
    assert other.losses != first.losses
    after = predictor.sam.state_dict()
    assert all(torch.equal(t, after[name]) for name, t in before.items())


def test_one_image_is_learnt_to_the_floor(project: Project, predictor: Predictor) -> None:
    learnt = train(
        project,
        predictor,
        train_ids=["0.png"],
        judge_ids=[],
        batch_size=1,
        flips=False,
        single_class=True,
    )
    assert learnt.losses[0] > 0.9
    assert learnt.losses[-1] < 0.06


def test_a_training_that_diverges_says_where_and_its_run_keeps_the_latest_look(
    tmp_path: Path, project: Project, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter(range(100))

    def damaged(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return promptless_loss(logits, labels) * (float("nan") if next(calls) == 9 else 1)

    monkeypatch.setattr(promptless_lesson, "promptless_loss", damaged)
    folder = RunFolder(tmp_path)
    with pytest.raises(DivergedError, match="at step 5 of 20"):
        train(project, predictor, steps=20, look_every=2, run=folder)
    kept, info = read_weights(folder.weights)
    assert len(info["losses"]) in (2, 4)
    assert all(torch.isfinite(tensor).all() for tensor in kept.values())


def test_a_training_interrupted_and_resumed_is_the_one_that_was_not(
    tmp_path: Path, project: Project, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(project, predictor, steps=8, look_every=4, run=RunFolder(tmp_path / "whole"))
    calls = iter(range(100))

    def cut_off(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if next(calls) == 11:
            raise KeyboardInterrupt
        return promptless_loss(logits, labels)

    monkeypatch.setattr(promptless_lesson, "promptless_loss", cut_off)
    with pytest.raises(KeyboardInterrupt):
        train(project, predictor, steps=8, look_every=4, run=RunFolder(tmp_path / "cut"))
    monkeypatch.undo()
    folder = RunFolder(tmp_path / "cut")
    resumed = train(project, predictor, steps=8, look_every=4, run=folder, resume=True)
    assert resumed.losses == whole.losses
    assert all(torch.equal(tensor, resumed.tensors[name]) for name, tensor in whole.tensors.items())


def test_too_little_memory_is_said(
    project: Project, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 EB")

    monkeypatch.setattr(promptless_lesson, "promptless_loss", full)
    with pytest.raises(OutOfMemory, match="even one image"):
        train(project, predictor)


def test_what_cannot_be_trained_or_read_is_said(
    tmp_path: Path, project: Project, predictor: Predictor, trained: TrainedHead
) -> None:
    empty = Project.open(tmp_path / "empty")
    pixels, _ = draw(0)
    empty.add_image("a.png", shape=SHAPE, content_hash=content_hash(pixels), array=pixels)
    with pytest.raises(TrainingError, match="label a few images first"):
        train(empty, predictor)
    with pytest.raises(TrainingError, match=r"both to train and to judge.*0\.png"):
        train(project, predictor, train_ids=["0.png", "1.png"], judge_ids=["0.png"])
    assert newest_head(empty) is None

    foreign = tmp_path / "foreign.safetensors"
    info = trained.info | {"base": {"name": "vit_b", "sha256": "0" * 64}}
    write_weights(foreign, trained.tensors, info)
    with pytest.raises(CheckpointError, match="was trained on the model vit_b"):
        read_head(predictor, foreign)
    half = {n: t for n, t in trained.tensors.items() if "mask.bias" not in n}
    write_weights(foreign, half, trained.info)
    with pytest.raises(CheckpointError, match=r"promptless_head\.mask\.bias is missing"):
        read_head(predictor, foreign)


def test_a_head_goes_out_with_a_card_and_is_no_sam(
    tmp_path: Path, project: Project, predictor: Predictor, trained: TrainedHead
) -> None:
    project.set_base(predictor.ref)
    keep_head(project, trained.tensors, trained.info)
    out = tmp_path / "head.safetensors"
    command = ["export", "weights", str(project.path), "--out", str(out), "--format"]
    assert CliRunner().invoke(app, [*command, "promptless"]).exit_code == 0
    np.testing.assert_array_equal(
        read_head(predictor, out).predict(draw(99)[0]),
        read_head(predictor, newest_head(project)).predict(draw(99)[0]),
    )
    assert f"held-out images: {trained.held_out:.3f}" in (tmp_path / f"{out.name}.md").read_text()

    refused = CliRunner().invoke(app, [*command, "sam", "--overwrite", "--weights", str(out)])
    assert isinstance(refused.exception, CheckpointError)
    assert "promptless head" in str(refused.exception)
