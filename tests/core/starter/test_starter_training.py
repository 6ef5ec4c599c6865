"""Training: it learns, and an interruption changes nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import zarr
from PIL import Image

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.starter import rounds, training
from napari_sam_tune.starter.batches import BatchSpec, make_batch
from napari_sam_tune.starter.evaluate import evaluate
from napari_sam_tune.starter.weights import load_starter_state

SPEC = BatchSpec(images=1, objects=2, sizes=(64,), seed=0)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    torch.set_num_threads(1)
    figures = dict.fromkeys(training.JUDGED, 0.5)
    monkeypatch.setattr(training, "validate", lambda sam, size, real: dict(figures))


def _trained(folder, steps):
    training.train(folder, steps=steps, seed=3, sizes=(64,), images=1, objects=1, processes=0)
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def test_loss_falls_on_one_batch():
    run = training.new_run(0, torch.device("cpu"))
    batch = make_batch(SPEC, 0)
    losses = []
    for _ in range(24):
        record = training.advance(run, batch, 0, bf16=True)
        losses.append(record.loss + record.auxiliary)
    assert np.isfinite(losses).all()
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_candidates_learn_wholes_and_parts():
    truth = torch.zeros(2, 16, 16, dtype=torch.bool)
    truth[:, 4:10, 4:10] = True
    logits = torch.zeros(2, 4, 16, 16, requires_grad=True)
    logits.data[:, 3, 0, 0] = 0.1  # the last of the three is never the best
    parts, lone = torch.tensor([False, True]), torch.tensor([True, True])
    rounds.round_loss(logits, torch.zeros(2, 4), truth, parts, lone).backward()
    learnt = logits.grad.abs().sum((2, 3)) > 0
    assert learnt[0].tolist() == [True, True, False, False]
    assert learnt[1, 2]


def test_an_interrupted_run_equals_an_uninterrupted_one(tmp_path):
    whole = _trained(tmp_path / "whole", 4)
    _trained(tmp_path / "halves", 2)
    halves = _trained(tmp_path / "halves", 4)
    assert halves["step"] == whole["step"] == 4
    for part in ("sam", "average", "head"):
        for name, tensor in whole[part].items():
            torch.testing.assert_close(halves[part][name], tensor, atol=0, rtol=0)


def test_a_run_leaves_usable_weights_and_a_log(tmp_path):
    _trained(tmp_path, 2)
    assert load_starter_state(tmp_path / "best.safetensors")
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["step"] == 2


def test_evaluate_reports_the_figures_of_the_card(tmp_path):
    _trained(tmp_path / "run", 1)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    rng = np.random.default_rng(0)
    mask = np.zeros((60, 90), dtype=np.uint8)
    mask[10:30, 10:40] = 255
    mask[40:55, 60:80] = 255
    picture = (100 + mask * 0.3 + rng.normal(0, 5, mask.shape)).astype(np.uint8)
    made = zarr.create_array(
        tmp_path / "images" / "one.zarr", shape=picture.shape, chunks=(16, 16), dtype=np.uint8
    )
    made[...] = picture
    Image.fromarray(mask).save(tmp_path / "masks" / "one.png")
    figures = evaluate(
        tmp_path / "images",
        tmp_path / "masks",
        weights=tmp_path / "run" / "best.safetensors",
        clicks=3,
        image_size=64,
        compare=True,
    )
    assert figures["objects"] == 2
    for method in ("random walker", "flood fill", "GrabCut"):  # two plain bright rectangles
        assert figures[f"clicks_to_70_{method}"] == 1
    assert set(figures["iou_at"]) == {1, 2, 3}
    assert 0 <= figures["box_iou"] <= 1


def test_a_folder_of_photographs_that_is_none_is_said_before_anything_is_made(tmp_path):
    for where in ("real", "surfaces"):
        with pytest.raises(SamTuneError, match="nowhere"):
            training.train(tmp_path / "run", steps=1, **{where: [tmp_path / "nowhere"]})
    assert not (tmp_path / "run").exists()


def test_a_new_run_goes_on_from_a_weights_file(tmp_path):
    _trained(tmp_path / "first", 2)
    start = tmp_path / "first" / "best.safetensors"
    run = training.new_run(9, torch.device("cpu"))
    training.begin_from(run, start)
    assert run.step == run.begun == 2
    for name, tensor in load_starter_state(start).items():
        torch.testing.assert_close(run.sam.state_dict()[name], tensor)
    assert training.learning_rate(run.step, run.begun) < training.LEARNING_RATE / 10
