"""Synthetic photographs: what every one of them promises."""

from __future__ import annotations

import csv
import subprocess
from itertools import islice

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from typer.testing import CliRunner

from napari_sam_tune.cli import app
from napari_sam_tune.core.errors import TrainingError
from napari_sam_tune.core.models.checkpoints import starter_path
from napari_sam_tune.starter.batches import BatchSpec, batches, make_batch
from napari_sam_tune.starter.defects import KINDS
from napari_sam_tune.starter.images import make_image
from napari_sam_tune.starter.nuisances import NUISANCES
from napari_sam_tune.starter.plates import KINDS as KINDS_ON_PLATES
from napari_sam_tune.starter.plates import SIDE
from napari_sam_tune.starter.surfaces import FAMILIES as SURFACES


@pytest.mark.parametrize("size", [96, (64, 160), (33, 70)])
@pytest.mark.parametrize("ease", [0.0, 1.0])
def test_every_image_has_whole_visible_defects(size, ease):
    shape = (size, size) if isinstance(size, int) else size
    for seed in range(25):
        picture, defects = make_image(np.random.default_rng(seed), size, ease)
        assert picture.dtype == np.uint8
        assert picture.shape[:2] == shape
        assert picture.std() > 0
        assert defects
        for defect in defects:
            assert defect.kind in KINDS
            assert defect.mask.dtype == np.bool_
            assert defect.mask.shape == shape
            assert defect.mask.any()
            assert all(part.any() and part.shape == shape for part in defect.parts)


def test_an_image_is_a_function_of_its_seed():
    first, again, other = (make_image(np.random.default_rng(seed), 96) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first[0], again[0])
    assert all(np.array_equal(a.mask, b.mask) for a, b in zip(first[1], again[1], strict=True))
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_defect_can_be_drawn(kind):
    _, draw = KINDS[kind]
    drawn = [draw(np.random.default_rng(seed), (80, 120)).coverage for seed in range(20)]
    assert all(c.shape == (80, 120) and c.min() >= 0 and c.max() <= 1 for c in drawn)
    assert sum(bool((c >= 0.5).any()) for c in drawn) >= 10  # some fall outside the picture


@pytest.mark.parametrize("family", sorted(SURFACES))
def test_surfaces_are_standardised(family):
    field = SURFACES[family](np.random.default_rng(0), (64, 90))
    assert field.shape == (64, 90)
    assert abs(field.mean()) < 1e-3
    assert field.std() == pytest.approx(1, abs=1e-2)


@pytest.mark.parametrize(("chance", "nuisance"), NUISANCES)
def test_nuisances_change_the_picture_and_stay_finite(chance, nuisance):
    picture = np.full((60, 80), 0.5, dtype=np.float32)
    changed = nuisance(np.random.default_rng(1), picture)
    assert changed.shape == picture.shape
    assert np.isfinite(changed).all()
    assert not np.array_equal(changed, picture)


def test_batches_do_not_depend_on_who_makes_them():
    spec = BatchSpec(images=1, objects=2, sizes=(64, 96), seed=3)
    with batches(spec, first=4, processes=2) as source:
        made = [next(source) for _ in range(4)]
    for index, batch in enumerate(made, start=4):
        expected = make_batch(spec, index)
        np.testing.assert_array_equal(batch.images, expected.images)
        np.testing.assert_array_equal(batch.targets, expected.targets)
        assert batch.targets.any(axis=(2, 3)).all()


def test_a_killed_process_is_a_sentence(monkeypatch):
    """Killed in the middle of a batch, of which the pipe has the beginning."""
    made = []
    begin = subprocess.Popen

    def popen(*how, **more):
        made.append(begin(*how, **more))
        return made[-1]

    monkeypatch.setattr(subprocess, "Popen", popen)
    with batches(BatchSpec(images=4, sizes=(256,)), first=0) as source:
        next(source)
        (process,) = made
        process.kill()
        process.wait()
        with pytest.raises(TrainingError, match=r"ended before its time \(status .*run the same"):
            list(islice(source, 3))  # one was read ahead


def test_the_shipped_samples_are_one_line_and_what_the_command_makes(tmp_path):
    done = CliRunner().invoke(app, ["starter", "samples", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    shipped = starter_path().parent / "samples"
    names = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.*"))
    assert names == sorted(path.relative_to(shipped) for path in shipped.rglob("*.*"))
    assert sum((shipped / name).stat().st_size for name in names) < 1e6
    kinds, groups = {}, {}
    with (shipped / "manifest.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            kinds[row["stem"]] = row["class"]
            groups.setdefault(row["group"], []).append(row["stem"])
    assert (tmp_path / "manifest.csv").read_text() == (shipped / "manifest.csv").read_text()
    assert set(kinds.values()) == set(KINDS_ON_PLATES)
    assert sorted(len(stems) for stems in groups.values())[-2:] == [1, 2]  # one was taken twice
    for stem, kind in kinds.items():
        picture, labels = (
            np.asarray(Image.open(shipped / part / f"{stem}.png")) for part in ("images", "masks")
        )
        for part, pixels in (("images", picture), ("masks", labels)):
            made = np.asarray(Image.open(tmp_path / part / f"{stem}.png"))
            np.testing.assert_allclose(made, pixels, atol=1 if part == "images" else 0)
        assert picture.shape == labels.shape == (SIDE, SIDE)
        assert KINDS_ON_PLATES[kind].count[0] <= labels.max() <= KINDS_ON_PLATES[kind].count[1]
        for number in range(1, labels.max() + 1):
            assert ndimage.label(labels == number, np.ones((3, 3)))[1] == 1
