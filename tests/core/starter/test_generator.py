"""Synthetic photographs: what every one of them promises."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from napari_sam_tune.core.starter.batches import BatchSpec, batches, make_batch
from napari_sam_tune.core.starter.defects import KINDS
from napari_sam_tune.core.starter.images import make_image
from napari_sam_tune.core.starter.nuisances import NUISANCES
from napari_sam_tune.core.starter.samples import (
    FAMILIES,
    SAMPLE_SEED,
    make_sample,
    write_samples,
)
from napari_sam_tune.core.starter.surfaces import FAMILIES as SURFACES
from napari_sam_tune.core.starter.weights import starter_path


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


def test_samples_are_reproducible_and_hard_enough(tmp_path):
    images = write_samples(tmp_path / "a", seed=1)
    assert len(images) == 4 * len(FAMILIES)  # one of three parts was photographed twice
    assert sum(path.stat().st_size for path in (tmp_path / "a").rglob("*.png")) < 4e6
    picture, labels = make_sample(np.random.default_rng([1, 0, 0]), FAMILIES[0], 0)
    again, _ = make_sample(np.random.default_rng([1, 0, 0]), FAMILIES[0], 0)
    np.testing.assert_array_equal(picture, again)
    assert labels.max() >= 4
    assert (tmp_path / "a" / "manifest.csv").read_text().startswith("stem,class,group")


def test_the_shipped_samples_are_what_the_code_makes():
    shipped = starter_path().parent / "samples"
    for number, family in enumerate(FAMILIES):
        picture, labels = make_sample(np.random.default_rng([SAMPLE_SEED, number, 0]), family, 0)
        with Image.open(shipped / "images" / f"{family.name}_1.png") as image:
            np.testing.assert_allclose(np.asarray(image), picture, atol=1)
        with Image.open(shipped / "masks" / f"{family.name}_1.png") as image:
            np.testing.assert_array_equal(np.asarray(image), labels)
