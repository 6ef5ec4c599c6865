"""Masks go out and come back: pixel by pixel where a format allows it, with what is lost said."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from rasterio.transform import from_origin
from scipy import ndimage
from typer.testing import CliRunner

from napari_sam_tune.cli import app
from napari_sam_tune.core.errors import ExportCancelled, SamTuneError, StorageError
from napari_sam_tune.core.exchange.outgoing import images_out, selection
from napari_sam_tune.core.exchange.remarks import NOT_KEPT
from napari_sam_tune.core.images.files import content_hash, read_image
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.project.review import Attribute
from napari_sam_tune.formats.exporting import export
from napari_sam_tune.formats.registry import FORMATS, format_named

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

SHAPE = (24, 31)
NAMES = ("裂纹 1.png", "b.png", "none.png")
CLASSES = ("裂纹", "pore & co")


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def masks_of(seed: int, count: int) -> list[np.ndarray]:
    """Masks with holes and parts, which overlap; every fourth has one pixel."""
    rng = np.random.default_rng(seed)
    masks = []
    for number in range(count):
        smooth = ndimage.gaussian_filter(rng.normal(size=SHAPE), rng.uniform(0.3, 4))
        mask = smooth > np.quantile(smooth, rng.uniform(0.3, 0.99))
        if number % 4 == 3:
            mask[...] = False
        mask[rng.integers(24), rng.integers(31)] = True
        masks.append(mask)
    return masks


def make_project(folder: Path, seed: int = 0, count: int = 6) -> Project:
    """Three images, the last without a defect, and a fourth nobody looked at."""
    project = Project.open(folder / "p")
    for number, name in enumerate((*NAMES, "later.png")):
        pixels = np.random.default_rng(number).integers(0, 255, (*SHAPE, 3), np.uint8)
        path = folder / "images" / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
        project.add_image(name, shape=SHAPE, content_hash=content_hash(pixels), path=path)
    for number, mask in enumerate(masks_of(seed, count)):
        label = CLASSES[number % 2]
        score = None if number % 2 else 0.25 + number / 100
        new = NewAnnotation(NAMES[number % 2], mask, label, predicted_iou=score)
        project.add(new)
    project.mark_done("none.png", empty=True)
    return project


def written(project: Project, form: str, out: Path, **options: Any) -> Counter[str]:
    classes = selection(project).classes
    return export(format_named(form), images_out(project), classes, out, **options).losses


def test_coco_is_what_pycocotools_wants(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    said = run("export", "masks", tmp_path / "p", "--out", tmp_path / "c.json")
    assert "3 images with 6 objects" in said
    assert "Left out: 1 × image that was not labelled yet" in said
    coco = COCO(tmp_path / "c.json")
    assert [image["file_name"] for image in coco.dataset["images"]] == list(NAMES)
    by_record = {row["record"]: row for row in coco.dataset["annotations"]}
    for annotation in project.annotations():
        row = by_record[annotation.id]
        np.testing.assert_array_equal(coco.annToMask(row), annotation.mask)
        assert coco.cats[row["category_id"]]["name"] == annotation.label
        assert row.get("score") == annotation.predicted_iou
        assert row["area"] == annotation.area
        assert row["attributes"]["created"] == annotation.created
    found = coco.loadRes([{"score": 1, **row} for row in coco.dataset["annotations"]])
    evaluation = COCOeval(coco, found, "segm")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == 1


def test_nothing_is_overwritten_unasked_and_a_cancelled_export_leaves_nothing(
    tmp_path: Path,
) -> None:
    project = make_project(tmp_path)
    for form, name in (("coco", "a.json"), ("labels", "masks")):
        out = tmp_path / name
        written(project, form, out)
        with pytest.raises(StorageError, match=r"exists already.*--overwrite"):
            written(project, form, out)
        before = sorted(tmp_path.rglob("*"))
        asked = iter((False, True))
        with pytest.raises(ExportCancelled):
            written(project, form, out, overwrite=True, cancelled=lambda a=asked: next(a))
        with pytest.raises(ExportCancelled):
            written(project, form, tmp_path / "new", cancelled=lambda: True)
        assert sorted(tmp_path.rglob("*")) == before
        written(project, form, out, overwrite=True)
        assert sorted(tmp_path.rglob("*")) == before
    with pytest.raises(StorageError, match="was not made by an export"):
        written(project, "labels", tmp_path / "images", overwrite=True)
    with pytest.raises(StorageError, match="labels is a folder"):
        written(project, "labels", tmp_path / "a.json", overwrite=True)
    with pytest.raises(SamTuneError, match="folder, but go out as coco"):
        written(project, "folder", tmp_path / "x")


def test_an_object_corrected_or_copied_in_another_program(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    written(project, "labelme", tmp_path / "out")
    file = tmp_path / "out" / "b.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    first, second, *_ = document["shapes"]
    document["shapes"].append({**first, "label": "copy"})
    second["label"] = "corrected"
    file.write_text(json.dumps(document), encoding="utf-8")
    before = {a.id: a.label for a in project.annotations()}
    said = run("import", tmp_path / "p", *where("labelme", tmp_path))
    assert "5 × object there already" in said
    assert "1 × object that was changed in the source" in said
    after = {a.id: a.label for a in project.annotations()}
    assert before.items() < after.items()
    assert [label for key, label in after.items() if key not in before] == ["copy"]
    run("import", tmp_path / "p", *where("labelme", tmp_path))
    assert {a.id: a.label for a in project.annotations()} == after


# ---- out and in again ----


def settled(masks: list[np.ndarray]) -> list[np.ndarray]:
    """What is left of masks where later ones lie over earlier ones."""
    return [
        mask & ~np.any([np.zeros(SHAPE, bool), *masks[n + 1 :]], axis=0)
        for n, mask in enumerate(masks)
    ]


def filled(mask: np.ndarray) -> np.ndarray:
    return np.asarray(ndimage.binary_fill_holes(mask))


EXACT = ("coco", "cvat", "cvat-xml", "roboflow", "geojson", "qupath", "labelme", "binary")
FLAT = ("cellpose", "labels", "labels-tiff", "voc", "ome-zarr", "ome-zarr-0.4")
WITHOUT_HOLES = ("coco-polygons",)


def where(form: str, folder: Path) -> list[object]:
    """The options an import needs for what an export wrote."""
    options: list[object] = ["--format", form, "--from", folder / "out"]
    if form not in ("yolo", "voc", "labelme", "cvat-xml", "roboflow", "cellpose"):
        options += ["--images", folder / "images"]
    return options


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def imported(form: str, folder: Path) -> Project:
    run("import", folder / "q", *where(form, folder), "--val", 0, "--test", 0)
    return Project.open(folder / "q")


@settings(max_examples=3, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("form", [*EXACT, *FLAT, *WITHOUT_HOLES, "yolo"])
def test_what_went_out_comes_back(
    tmp_path_factory: pytest.TempPathFactory, form: str, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("out")
    project = make_project(folder, seed)
    losses = written(project, form, folder / "out")
    again = imported(form, folder)
    assert {r.id for r in again.images()} == set(NAMES)
    assert again.is_empty("none.png")
    for record in project.images()[:3]:
        image = again.image(record.id)
        assert (image.split, image.group) == (record.split, record.group)
    for name in NAMES:
        before, after = project.annotations(name), again.annotations(name)
        truths = [a.mask for a in before]
        if form in FLAT:
            truths = settled(truths)
            assert losses["object wholly hidden by later ones"] >= sum(
                not mask.any() for mask in truths
            )
        elif form in WITHOUT_HOLES:
            truths = [filled(mask) for mask in truths]
        seen = [(a, mask) for a, mask in zip(before, truths, strict=True) if mask.any()]
        for (old, mask), new in zip(seen, after, strict=True):
            assert (new.label, new.origin) == (old.label, f"napari-sam-tune/{old.id}")
            if form != "cvat" or old.predicted_iou is not None:
                assert new.predicted_iou == old.predicted_iou
            if form == "yolo":
                check_yolo(new.mask, mask)
            else:
                np.testing.assert_array_equal(new.mask, mask)
    if form in EXACT[:1]:
        assert not losses
    if form in ("yolo", *WITHOUT_HOLES):
        holes = sum(bool((filled(a.mask) != a.mask).any()) for a in project.annotations())
        assert losses["object whose holes are filled"] == holes


@pytest.mark.parametrize("form", ["coco", "yolo", "labels", "voc"])
def test_what_was_held_out_of_a_single_group_stays_so(tmp_path: Path, form: str) -> None:
    """A project of one group sets places in images apart, and so does the one it goes into."""
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    numbers = np.zeros((200, 200), np.uint16)
    for number in range(100):
        y, x = divmod(number, 10)
        numbers[20 * y + 2 : 20 * y + 9, 20 * x + 2 : 20 * x + 9] = number + 1
    for name, many in (("many", numbers), ("one", numbers * (numbers == 4))):
        Image.fromarray(many.astype(np.uint8)).save(tmp_path / "images" / f"{name}.png")
        Image.fromarray(many).save(tmp_path / "masks" / f"{name}.png")
    (tmp_path / "manifest.csv").write_text("stem,part\nmany,p\none,p\n")
    group = ("--manifest", tmp_path / "manifest.csv", "--group-column", "part")
    masks = ("--images", tmp_path / "images", "--masks", tmp_path / "masks")
    run("import", tmp_path / "p", *masks, *group)
    written(Project.open(tmp_path / "p"), form, tmp_path / "out")
    run("import", tmp_path / "q", *where(form, tmp_path))
    before, after = (
        {(a.image_id, a.bbox): a.split for a in Project.open(tmp_path / name).annotations()}
        for name in "pq"
    )
    assert set(before.values()) == {"train", "held_out", "test"}
    assert before["one.png", (2, 62, 9, 69)] == "train"  # all that is on it trains, by its place
    written(Project.open(tmp_path / "p"), "table", tmp_path / "t.csv")
    assert sorted(row["split"] for row in rows_of(tmp_path / "t.csv")) == sorted(before.values())
    assert after == before


def check_yolo(found: np.ndarray, truth: np.ndarray) -> None:
    """Everything is there; what is more are holes and lines from part to part."""
    parts = ndimage.label(truth, np.ones((3, 3)))[1]
    assert not (truth & ~found).any()
    assert (found & ~filled(truth)).sum() <= (parts - 1) * max(SHAPE)
    if parts == 1:
        np.testing.assert_array_equal(found, filled(truth))


OTHERS = [name for name, known in FORMATS.items() if known.writer and known.reader]


@pytest.mark.parametrize("form", OTHERS)
def test_a_projects_own_export_adds_nothing_to_it_and_twice_is_once(
    tmp_path: Path, form: str
) -> None:
    project = make_project(tmp_path, 3)
    project.delete(project.annotations()[0].id)
    written(project, form, tmp_path / "out")
    before = [(a.id, a.origin) for a in project.annotations()]
    said = run("import", tmp_path / "p", *where(form, tmp_path))
    if not form.startswith("semantic"):  # which has no objects, so parts that touch are another one
        assert [(a.id, a.origin) for a in project.annotations()] == before, said
    project = imported(form, tmp_path)
    before = [(a.id, a.origin) for a in project.annotations()]
    assert before
    again = imported(form, tmp_path)
    assert [(a.id, a.origin) for a in again.annotations()] == before
    # through another project and back, an object is still the one it was
    written(again, "coco", tmp_path / "back.json")
    count = len(Project.open(tmp_path / "p").annotations())
    back = ("--format", "coco", "--from", tmp_path / "back.json", "--images", tmp_path / "images")
    run("import", tmp_path / "p", *back)
    assert len(Project.open(tmp_path / "p").annotations()) == count


def test_a_table_measures_in_the_unit_asked_for(tmp_path: Path) -> None:
    project = make_project(tmp_path, 1)
    mask = np.zeros(SHAPE, bool)
    mask[4:8, 3:13] = True
    added = project.add(NewAnnotation("b.png", mask, "pore & co"))
    size = ("--pixel-size", 0.5, "--unit", "micrometer")
    said = run(
        "export", "masks", tmp_path / "p", "--format", "table", "--out", tmp_path / "t.csv", *size
    )
    assert "Not kept: 7 × mask: a table holds measures alone" in said
    rows = {row["record"]: row for row in rows_of(tmp_path / "t.csv")}
    assert rows[""]["image"] == "none.png"
    row = rows[added.id]
    assert (row["image"], row["class"], row["unit"]) == ("b.png", "pore & co", "micrometer")
    assert [row[name] for name in ("y0", "x0", "y1", "x1", "area_pixels")] == [
        "4",
        "3",
        "8",
        "13",
        "40",
    ]
    assert float(row["area"]) == 10
    assert float(row["feret_diameter_max"]) == pytest.approx(0.5 * np.hypot(4, 10), abs=0.3)
    inside = project.read_image("b.png")[mask].mean(axis=-1)
    assert float(row["intensity_mean"]) == pytest.approx(inside.mean(), rel=1e-5)
    assert float(row["intensity_max"]) == pytest.approx(inside.max(), rel=1e-5)
    (tmp_path / "images" / "b.png").unlink()
    losses = written(project, "table", tmp_path / "t.csv", overwrite=True)
    assert losses["image whose pixels were not found: no brightness"] == 1
    row = {row["record"]: row for row in rows_of(tmp_path / "t.csv")}[added.id]
    assert (row["intensity_mean"], row["unit"], row["area"]) == ("", "pixel", "40")


def test_geojson_is_in_the_system_of_its_raster(tmp_path: Path) -> None:
    transform = from_origin(500_000, 5_200_000, 0.5, 0.5)
    options = {"dtype": "uint8", "crs": "EPSG:32632", "transform": transform}
    with rasterio.open(tmp_path / "field.tif", "w", "GTiff", 31, 24, 1, **options) as raster:
        raster.write(np.full((1, *SHAPE), 9, np.uint8))
    project = Project.open(tmp_path / "p")
    pixels = read_image(tmp_path / "field.tif")
    path = tmp_path / "field.tif"
    project.add_image("field.tif", shape=SHAPE, content_hash=content_hash(pixels), path=path)
    (mask,) = masks_of(5, 1)
    project.add(NewAnnotation("field.tif", mask, "pore"))
    assert not written(project, "geojson", tmp_path / "out")
    document = json.loads((tmp_path / "out" / "field.geojson").read_text())
    assert document["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::32632"
    (feature,) = document["features"]
    polygons = shapely.geometry.shape(feature["geometry"])
    assert polygons.is_valid
    assert polygons.area == pytest.approx(mask.sum() / 4)
    run(
        "import",
        tmp_path / "q",
        "--format",
        "geojson",
        "--from",
        tmp_path / "out",
        "--images",
        path.parent,
    )
    (again,) = Project.open(tmp_path / "q").annotations()
    np.testing.assert_array_equal(again.mask, mask)
    assert (again.label, again.origin) == ("pore", f"napari-sam-tune/{feature['id']}")


# ---- what was said of masks ----


@pytest.fixture
def reviewed(tmp_path: Path) -> Project:
    """Three images: one approved mask and others that are not; an approved one; an excluded one."""
    project = Project.open(tmp_path / "reviewed.project")
    project.set_attributes("pit", [Attribute("severity", "choice", ("low", "high"))])
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 60), np.uint8)
        file = tmp_path / "photographs" / f"{number}.png"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(file)
        project.register(pixels, f"{number}.png", path=file)
        for row in (2, 12, 22):
            mask = np.zeros(pixels.shape, bool)
            mask[row : row + 5, 5 : 9 + row] = True
            project.add(NewAnnotation(f"{number}.png", mask, "pit"))
    first, second, third = (a.id for a in project.annotations("0.png"))
    project.set_review(
        first, state="approved", note="=am Rand", tags=["Los 7"], values={"severity": "high"}
    )
    project.set_review(second, state="second_look")
    project.set_review(third, state="excluded")
    project.set_review(project.annotations("1.png")[0].id, state="second_look")
    project.set_image_review("1.png", state="approved")
    project.set_image_review("2.png", state="excluded")
    return project


def test_only_what_is_approved_goes_out_and_what_is_excluded_never(
    reviewed: Project, tmp_path: Path
) -> None:
    whole = selection(reviewed)
    assert dict(whole.left_out) == {"image that is excluded": 1, "mask that is excluded": 1}
    assert [len(image.objects) for image in images_out(reviewed)] == [2, 3]
    approved = selection(reviewed, only_approved=True)
    assert dict(approved.left_out) == {"image that is excluded": 1, "mask that is not approved": 3}
    assert [len(i.objects) for i in images_out(reviewed, only_approved=True)] == [1, 2]
    out = tmp_path / "approved.json"
    result = CliRunner().invoke(
        app,
        ["export", "masks", str(reviewed.path), "--out", str(out), "--only-approved"],
    )
    assert result.exit_code == 0, result.output
    rows = json.loads(out.read_text("utf-8"))["annotations"]
    assert len(rows) == 3
    said = rows[0]["attributes"]
    assert (said["state"], said["note"], said["tags"]) == ("approved", "=am Rand", ["Los 7"])
    assert said["severity"] == "high"
    for annotation in reviewed.annotations("1.png"):
        reviewed.set_review(annotation.id, state="excluded")
    assert "image whose masks are all excluded" in selection(reviewed).left_out
    # renamed since, the objects are known by the class they went out with
    reviewed.rename_class("pit", "Grube")
    images = ("--images", tmp_path / "photographs")
    said = run("import", reviewed.path, "--format", "coco", "--from", out, *images)
    assert "3 × object there already" in said
    assert {a.label for a in reviewed.annotations()} == {"Grube"}


@pytest.mark.parametrize("form", OTHERS)
def test_what_was_said_of_masks_comes_back(reviewed: Project, tmp_path: Path, form: str) -> None:
    hard = "\r\n\x0b\t]]>&amp;<b>'\"ä\u2028, "
    reviewed.set_attributes("pit", [*reviewed.attributes("pit"), Attribute("depth", "number")])
    reviewed.set_review(
        reviewed.annotations("0.png")[0].id, note=f"=am{hard}", tags=["Los 7", "1", hard],
        values={"depth": 0.1},
    )  # fmt: skip
    reviewed.set_image_review("0.png", state="second_look", note=f"=um{hard}", tags=["Los 8", hard])
    out = tmp_path / ("out" + format_named(form).suffix)
    report = export(format_named(form), images_out(reviewed), selection(reviewed).classes, out)
    images = ("--images", tmp_path / "photographs")
    run("import", tmp_path / "fresh", "--format", form, "--from", out, *images, "--smallest", 1)
    fresh = Project.open(tmp_path / "fresh")

    def said(project: Project) -> list[dict[str, object]]:
        every = project.reviewed()
        out = [review.fields() for a, review in every if a.image_id != "2.png"]
        return sorted((fields for fields in out if fields.get("state") != "excluded"), key=str)

    if form in {"cvat", "semantic", "semantic-tiff"}:  # which have no place for it
        assert report.losses[NOT_KEPT] == 3
        assert not any(said(fresh))
    else:
        assert NOT_KEPT not in report.losses
        assert said(fresh) == said(reviewed)
        assert sum("note" in fields for fields in said(fresh)) == 1
        assert [a.name for a in fresh.attributes("pit")] == ["severity", "depth"]
    of_image = {i: r.fields() for i, r in fresh.image_reviews().items()}
    assert of_image == {
        "0.png": reviewed.image_review("0.png").fields(),
        "1.png": {"state": "approved"},
    }
    fresh.set_image_review("0.png", state="done", note="hier")  # what is said here stands
    run("import", tmp_path / "fresh", "--format", form, "--from", out, *images, "--smallest", 1)
    assert fresh.image_review("0.png").fields() == {"note": "hier", "tags": ["Los 8", hard]}


def test_what_other_programs_do_to_a_file_of_ours_leaves_no_mask_out(
    reviewed: Project, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export(format_named("geojson"), images_out(reviewed), selection(reviewed).classes, out)
    for file in out.rglob("*.geojson"):
        document = json.loads(file.read_text("utf-8"))
        for number, feature in enumerate(document["features"]):
            said = feature["properties"]  # as QGIS writes it
            for name in ("state", "note", "tags", "attributes", "severity"):
                said.setdefault(name, None)
            for name in ("tags", "attributes"):
                said[name] = said[name] and json.dumps(said[name])
            said |= {"fid": number, "checked": None}
        file.write_text(json.dumps(document), "utf-8")
    images = ("--images", tmp_path / "photographs")
    run("import", tmp_path / "fresh", "--format", "geojson", "--from", out, *images)
    fresh = Project.open(tmp_path / "fresh")
    assert len(fresh.annotations()) == 5
    (back,) = (review for review in fresh.reviews().values() if review.note)
    assert back.fields() == reviewed.review(reviewed.annotations("0.png")[0].id).fields()
    assert [a.name for a in fresh.attributes("pit")] == ["severity"]
