"""Encoding a folder ahead: whole, resumed, with files that are no images, embeddings exact."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from napari_sam_tune import Predictor, Project
from napari_sam_tune.cli import app
from napari_sam_tune.core.batch.embed import embed_folder
from napari_sam_tune.core.images.files import content_hash, read_image
from napari_sam_tune.core.models.checkpoints import load_model, starter_path
from napari_sam_tune.core.storage.embeddings import EmbeddingCache


@pytest.fixture(scope="module")
def predictor(at_128_px):
    torch.set_num_threads(1)
    return Predictor.from_checkpoint("starter", device="cpu")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "Bilder Öfen"
    folder.mkdir()
    for number in range(1, 5):
        pixels = np.random.default_rng(number).integers(0, 255, (40, 60), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"画像 {number}.png")
    (folder / "notes.png").write_text("not an image")
    return folder


def test_it_goes_on_where_it_stopped(folder, tmp_path, predictor):
    project = Project.open(tmp_path / "p")
    predictor.set_image(np.zeros((8, 9), np.uint8))
    stopped = embed_folder(project, predictor, folder)
    first = [next(stopped), next(stopped)]
    stopped.close()
    assert [step.encoded for step in first].count(True) >= 1

    steps = list(embed_folder(project, predictor, folder))
    assert [(step.done, step.total) for step in steps] == [(n, 5) for n in range(1, 6)]
    skipped = [step for step in steps if step.error]
    assert [step.path.name for step in skipped] == ["notes.png"]
    assert "cannot be read as an image" in skipped[0].error
    encoded = sum(step.encoded for step in [*first, *steps])
    assert encoded == 4
    assert not any(step.encoded for step in embed_folder(project, predictor, folder))
    assert predictor.image_shape == (8, 9)

    cache = EmbeddingCache(project.path / "embeddings.zarr")
    image = read_image(folder / "画像 3.png")
    kept = cache.get(predictor.weights.encoder_key, content_hash(image))
    np.testing.assert_array_equal(kept.features, predictor.encode(image).embedding.features)
    assert kept.original_size == (40, 60)


def test_the_command_keeps_the_model_of_the_project(folder, tmp_path, at_128_px):
    """Without --model it took the starter, and the project was one of the starter from then on."""
    other = tmp_path / "other.safetensors"
    save_file(load_file(starter_path()), other, {"title": "another file than the starter's"})
    project = Project.open(tmp_path / "p")
    project.set_base(load_model(other).ref)
    before = project.base
    assert before.sha256 != load_model("starter").ref.sha256
    done = CliRunner().invoke(app, ["embed", str(folder), "--project", str(project.path)])
    assert done.exit_code == 0, done.output
    assert Project.open(project.path).base == before
