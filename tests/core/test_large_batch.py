"""What works without a person works on large images too, by windows: none is ever held whole."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from typer.testing import CliRunner

from napari_sam_tune import Predictor, Project, Prompt, Session, TrainConfig
from napari_sam_tune.cli import app
from napari_sam_tune.core.answers.caching import open_cache
from napari_sam_tune.core.batch.embed import embed_images
from napari_sam_tune.core.evaluation.looking import Look
from napari_sam_tune.core.evaluation.measuring import measure
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.geometry.windows import shape_of, tiles
from napari_sam_tune.core.images import large_image
from napari_sam_tune.core.images.large_image import LargeImage
from napari_sam_tune.core.images.opening import open_image
from napari_sam_tune.core.images.planes import ImageInFile
from napari_sam_tune.core.pixel_classifier.features import KEY
from napari_sam_tune.core.project.annotations import NewAnnotation
from napari_sam_tune.core.promptless.fit import fit_head
from napari_sam_tune.core.promptless.labelled import labelled_images, parts_of
from napari_sam_tune.core.storage.embeddings import name_of_part

SHAPE = (640, 900)
SIDE = 128
TILE = 2 * SIDE
RADIUS = 18
PLACES = [(y, x) for y in (100, 384, 560) for x in (120, 512, 800)]
"""Middles of the discs; those at 512 lie on a seam."""

pytestmark = pytest.mark.usefixtures("at_128_px")


@pytest.fixture(scope="module", autouse=True)
def few_pixels_are_many():
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_image, "LARGE_PIXELS", 500_000)

        def whole(self):
            raise AssertionError("it was read whole")

        patch.setattr(LargeImage, "whole", whole)
        yield


def picture(shift=(0, 0)):
    """Bright discs on a surface that is nowhere the same, moved (rows, columns)."""
    rng = np.random.default_rng(0)
    image = rng.normal(120, 6, (SHAPE[0] + 40, SHAPE[1] + 40))
    image += (
        14 * np.sin(np.arange(SHAPE[1] + 40) / 90) * np.cos(np.arange(SHAPE[0] + 40) / 70)[:, None]
    )
    for y, x in PLACES:
        rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
        image[np.hypot(rows - y - 20, columns - x - 20) <= RADIUS] += 80
    down, right = 20 - shift[0], 20 - shift[1]
    return image[down : down + SHAPE[0], right : right + SHAPE[1]].clip(0, 255).astype(np.uint8)


def disc(place):
    line = np.arange(-RADIUS, RADIUS + 1)
    inside = np.hypot(line[:, None], line[None]) <= RADIUS
    y, x = place
    box = (y - RADIUS, x - RADIUS, y + RADIUS + 1, x + RADIUS + 1)
    return PlacedMask.in_window(inside, box, SHAPE)


def iou(one, other):
    return (one & other).area / (one | other).area


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("scan") / "scan.tif"
    tifffile.imwrite(path, picture(), tile=(256, 256), compression="zlib")
    assert isinstance(open_image(path), LargeImage)
    return path


def project_with(path, file, places):
    found = Project.open(path)
    found.register(open_image(file), "scan", path=file)
    for place in places:
        found.add(NewAnnotation("scan", disc(place), "disc"))
    return found


@pytest.fixture
def project(tmp_path, file):
    return project_with(tmp_path / "p", file, PLACES)


@pytest.fixture(scope="module")
def predictor():
    return Predictor.from_checkpoint("starter", device="cpu")


def test_objects_are_measured_in_a_window(project, predictor):
    some = project.annotations()[:3]
    for annotation, (measured,) in measure(project, predictor, some, (None,), max_clicks=3):
        look = Look.at(annotation, SIDE)
        assert shape_of(look.window) == (TILE, TILE)
        assert look.truth.sum() == annotation.area
        assert measured.box.iou > 0.6
        assert len(measured.score_at) == 3


def test_tiles_with_masks_are_labelled_and_others_of_what_is_done(tmp_path, file):
    few = project_with(tmp_path / "few", file, PLACES[:3])
    parts = parts_of(few, labelled_images(few), SIDE)
    assert 3 <= len(parts) < len(tiles(SHAPE, TILE))
    for part in parts:
        assert part.label_map(few, ("disc",)).any()
        assert part.pixels(few).shape == (TILE, TILE, 3)
    few.mark_done("scan")
    done = parts_of(few, labelled_images(few), SIDE)
    assert {part.window for part in done} == set(tiles(SHAPE, TILE))


def test_a_head_learns_from_tiles_and_is_judged_on_others(project, predictor):
    parts = parts_of(project, labelled_images(project), SIDE)
    assert {part.split for part in parts} >= {"train", "held_out"}
    config = TrainConfig(steps=3, batch_size=2, look_every=2)
    steps = fit_head(project, predictor, config)
    try:
        while True:
            next(steps)
    except StopIteration as end:
        head = end.value
    assert head.info["images"] == 1
    assert head.held_out is not None
    assert np.isfinite(head.losses).all()


def test_masks_of_a_large_file_are_written_in_tiles(tmp_path, file):
    y, x = PLACES[1]
    asked = [f"--point={x},{y}", f"--box={x - 20},{y + 264},{x + 20},{y + 304}"]
    done = CliRunner().invoke(app, ["predict", str(file), f"--out={tmp_path}", *asked])
    assert done.exit_code == 0, done.output
    with tifffile.TiffFile(tmp_path / "scan_mask.tif") as mask:
        assert mask.pages[0].is_tiled
        labels = mask.asarray()
    for number, place in enumerate(((384, 512), PLACES[1]), start=1):
        assert iou(PlacedMask.of(labels == number), disc(place)) > 0.6
    with Image.open(tmp_path / "scan_overlay.png") as overlay:
        assert overlay.size == SHAPE[::-1]
    again = CliRunner().invoke(app, ["predict", str(file), f"--out={tmp_path}", *asked])
    assert "exists already" in str(again.exception) + again.output


def test_objects_of_a_large_file_are_found_by_themselves(file, predictor):
    from napari_sam_tune.core.batch.predict import find_objects

    found = [one.placed for one in find_objects(predictor, open_image(file))]
    for place in PLACES:
        like = [mask for mask in found if (mask & disc(place)).area > 0.5 * disc(place).area]
        small = [mask for mask in like if mask.area < 3 * disc(place).area]
        assert len(small) <= 1  # across a seam too
    assert len(found) > len(PLACES) / 2


def test_the_tiles_of_a_large_file_are_encoded_ahead(tmp_path, file, predictor):
    cache = open_cache(Project.open(tmp_path / "p"))
    (step,) = embed_images(predictor, cache, [ImageInFile(file)])
    assert step.encoded
    image = open_image(file)
    for tile in tiles(SHAPE, TILE):
        assert cache.contains(KEY, name_of_part(image.content_hash, tile))
    (step,) = embed_images(predictor, cache, [ImageInFile(file)])
    assert not step.encoded


def test_large_images_are_surveyed_by_some_tiles(tmp_path, file, monkeypatch):
    other = tmp_path / "other.tif"
    tifffile.imwrite(other, picture((7, 0)), tile=(256, 256))
    predictor = Predictor.from_checkpoint("starter", device="cpu")
    monkeypatch.setattr("napari_sam_tune.core.pixel_classifier.survey.LARGE", 1)
    monkeypatch.setattr("napari_sam_tune.core.pixel_classifier.survey._TILE", 256)
    with Session(Project.open(tmp_path / "p"), predictor, recall=False, zoom=False) as session:
        session.open_image(open_image(file), "scan", path=file)
        for place in PLACES:
            session.adopt(disc(place), "disc")
        session.answerer.settle()
        session.project.register(open_image(other), "other.tif", path=other)
        steps = [step for step in session.survey() if step.image_id == "other.tif"]
        assert len(steps) > 5  # a click comes in between
        assert {step.finds for step in steps[:-1]} == {None}
        assert len(PLACES) / 2 <= session.review.expected_finds["other.tif"] <= 2 * len(PLACES)
        assert next(session.review.by_need()) == "other.tif"


def test_masks_come_back_on_another_scan_of_the_same_thing(tmp_path, file):
    other, shift = tmp_path / "other.tif", (9, -14)
    tifffile.imwrite(other, picture(shift), tile=(256, 256))
    predictor = Predictor.from_checkpoint("starter", device="cpu")
    with Session(Project.open(tmp_path / "p"), predictor, zoom=False) as session:
        session.open_image(open_image(file), "scan", path=file)
        for place in PLACES[::2]:
            session.adopt(disc(place), "disc")
        while session.answerer.look_ahead():
            pass
        session.open_image(open_image(other), "other", path=other)
        assert not session.review.knows_part  # nobody waits for it
        while session.answerer.look_ahead():
            pass
        assert session.review.knows_part
        y, x = PLACES[2][0] + shift[0], PLACES[2][1] + shift[1]
        session.propose(Prompt([(float(x), float(y))], [1]))
        assert iou(session.open_object.placed, disc((y, x))) > 0.8
        session.reject()
        found = session.review.find("recalled", "other")
        assert len(found) == len(PLACES[::2])
