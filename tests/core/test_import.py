"""`napari-sam-tune import` through the command line: what a project holds afterwards."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_mask
from typer.testing import CliRunner

from napari_sam_tune import Project
from napari_sam_tune.cli import app
from napari_sam_tune.core.errors import ProjectError, SamTuneError
from napari_sam_tune.core.images.files import content_hash, read_image
from napari_sam_tune.core.models.base import BaseRef
from napari_sam_tune.core.models.checkpoints import file_sha256, starter_path
from napari_sam_tune.core.project.project import NewAnnotation
from napari_sam_tune.core.project.split import split_groups
from napari_sam_tune.core.rounds.plan import plan_round
from napari_sam_tune.demo import sample_pairs

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (40, 52)
KINDS = ("pore", "crack")


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def truth(number: int) -> np.ndarray:
    """Two objects of 36 and 120 pixels, apart from each other; every fifth image has none."""
    mask = np.zeros(SHAPE, bool)
    if number % 5 != 4:
        mask[3:9, 4 + number % 3 : 10 + number % 3] = True
        mask[20:30, 30:42] = True
    return mask


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty images in ten parts of two, of two classes; every fifth is without a defect."""
    lines = ["stem,kind,part"]
    for number in range(20):
        pixels = np.random.default_rng(number).integers(0, 255, (*SHAPE, 3), np.uint8)
        save(tmp_path / "images" / f"{number}.png", pixels)
        save(tmp_path / "masks" / f"{number}.png", truth(number).astype(np.uint8) * 255)
        lines.append(f"{number},{KINDS[number // 2 % 2]},part {number // 2}")
    (tmp_path / "manifest.csv").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


def run(project: Path, *options: object) -> str:
    arguments = ["import", str(project), *(str(option) for option in options)]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def import_folder(folder: Path, *options: object, name: str = "p") -> Project:
    manifest = ("--manifest", folder / "manifest.csv", "--class-column", "kind")
    where = ("--images", folder / "images", "--masks", folder / "masks", *manifest)
    run(folder / name, *where, "--group-column", "part", *options)
    return Project.open(folder / name, create=False)


def contents(project: Project) -> list[Any]:
    """Everything an import writes, with the ids of the records."""
    return [
        [(a.id, a.image_id, a.label, a.split, a.bbox) for a in project.annotations()],
        project.images(),
        project.done_images(),
        project.classes(),
    ]


def test_a_folder_becomes_a_project_with_one_record_for_each_object(folder: Path) -> None:
    project = import_folder(folder)
    assert project.base == BaseRef("starter", file_sha256(starter_path()))
    assert [record.id for record in project.images()] == [f"{n}.png" for n in range(20)]
    assert set(project.classes()) == set(KINDS)
    for number, record in enumerate(project.images()):
        own = project.annotations(record.id)
        np.testing.assert_array_equal(
            np.any([np.zeros(SHAPE, bool), *(a.mask for a in own)], axis=0), truth(number)
        )
        assert len(own) == (0 if number % 5 == 4 else 2)
        assert {a.label for a in own} <= {KINDS[number // 2 % 2]}
        assert {a.source for a in own} <= {"import"}
        assert {a.split for a in own} <= {record.split}
        assert project.is_empty(record.id) == (not own)
        assert project.is_done(record.id)
        assert project.read_image(record.id).shape == (*SHAPE, 3)
    assert not any(record.shape != SHAPE for record in project.images())

    parts = {record.group: record.split for record in project.images()}
    assert len({(r.group, r.split) for r in project.images()}) == len(parts) == 10
    for kind in KINDS:
        of_kind = [split for part, split in parts.items() if KINDS[int(part[5:]) % 2] == kind]
        assert set(of_kind) == {"train", "held_out", "test"}, of_kind
    same = import_folder(folder, name="same seed")
    assert {r.group: r.split for r in same.images()} == parts
    other = import_folder(folder, "--seed", 1, name="other seed")
    assert {r.group: r.split for r in other.images()} != parts


def test_test_objects_neither_train_nor_judge_even_when_corrected(folder: Path) -> None:
    project = import_folder(folder, "--val", 0, "--test", 0.5)
    before = [a for a in project.annotations() if a.split == "test"]
    assert 10 <= len(before) <= 22
    for old in before[:2]:
        mask = old.mask
        mask[0, 0] = True
        corrected = NewAnnotation(old.image_id, mask, old.label, supersedes=old.id)
        assert project.add(corrected).split == "test"
        far = np.zeros(SHAPE, bool)
        far[35:, 2:9] = True
        assert project.add(NewAnnotation(old.image_id, far, "new")).split == "test"
    annotations = project.annotations()
    plan = plan_round(annotations, {a.id for a in annotations})
    in_round = {*plan.train_ids, *plan.judge_ids}
    assert in_round == {a.id for a in annotations if a.split == "train"}
    assert plan.train_ids
    assert plan.judge_ids  # the newest of the others, as there is nothing held out

    # later images are shared out between training and judging alone
    for number in range(100, 120):
        pixels = np.full(SHAPE, number, np.uint8)
        project.add_image(f"{number}", shape=SHAPE, content_hash=content_hash(pixels), array=pixels)
    assert {record.split for record in project.images()[20:]} == {"train", "held_out"}


def test_importing_twice_adds_nothing_but_what_was_deleted_here(folder: Path) -> None:
    project = import_folder(folder)
    whole = contents(project)
    first, second, *_ = project.annotations()
    moved = np.roll(second.mask, 1, axis=0)
    project.add(NewAnnotation(second.image_id, moved, "pore", supersedes=second.id))
    project.mark_done("4.png", False)
    before = contents(project)
    assert contents(import_folder(folder, "--seed", 3)) == before  # a correction stands
    project.delete(first.id)
    (folder / "deep").mkdir()
    (folder / "masks").rename(folder / "deep" / "masks")
    where = ("--images", folder / "images", "--masks", folder / "deep" / "masks")
    manifest = ("--manifest", folder / "manifest.csv", "--class-column", "kind")
    said = run(folder / "p", *where, *manifest)
    assert "31 × object there already" in said
    assert "1 × object deleted here that came back" in said
    assert contents(Project.open(folder / "p")) == before
    assert len(before[0]) == len(whole[0])


# ---- again, after the source was changed ----

CELLS = [(x, y) for y in (2, 14, 26) for x in (2, 16, 30)]


def shapes_of(objects: list[tuple[str, tuple[int, int, int, int]]]) -> list[dict[str, Any]]:
    """Rectangles x0, y0, x1, y1, both ends inside, as polygons of labelme."""
    return [
        {
            "label": label,
            "points": [[x0, y0], [x1, y0], [x1, y1], [x0, y1]],
            "group_id": None,
            "shape_type": "polygon",
            "flags": {},
        }
        for label, (x0, y0, x1, y1) in objects
    ]


def write_labelme(folder: Path, objects: list[tuple[str, tuple[int, int, int, int]]]) -> None:
    document = {"imagePath": "a.png", "imageData": None, "shapes": shapes_of(objects)}
    (folder / "a.json").write_text(json.dumps(document), encoding="utf-8")


def write_coco(folder: Path, objects: list[tuple[str, tuple[int, int, int, int]]]) -> None:
    """Ids count from 1 as most tools number them: whatever comes before moves them."""
    names = sorted({label for label, _ in objects})
    rows = [
        {
            "id": number,
            "image_id": 1,
            "category_id": names.index(label),
            "segmentation": [[x0, y0, x1 + 1, y0, x1 + 1, y1 + 1, x0, y1 + 1]],
        }
        for number, (label, (x0, y0, x1, y1)) in enumerate(objects, start=1)
    ]
    document = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "categories": [{"id": number, "name": name} for number, name in enumerate(names)],
        "annotations": rows,
    }
    (folder / "a.json").write_text(json.dumps(document), encoding="utf-8")


Drawn = list[tuple[str, tuple[int, int, int, int]]]


@st.composite
def edited(draw: st.DrawFn) -> dict[str, Any]:
    """A data set, what becomes of each object in the other tool, and of some in the project."""
    cells = draw(st.permutations(CELLS))
    count = draw(st.integers(2, 6))
    before = [("pore", (x, y, x + 9, y + 8)) for x, y in cells[:count]]
    fates = ("kept", "removed", "larger", "moved", "class", "deleted here", "deleted and redrawn")
    fate = [draw(st.sampled_from(fates)) for _ in before]
    new = [
        ("pore", (x, y, x + 5, y + 4)) for x, y in cells[count : count + draw(st.integers(0, 3))]
    ]
    after: Drawn = [
        (
            "crack" if what == "class" else label,
            {
                "larger": (x0 - 1, y0 - 1, x1 + 1, y1 + 1),
                "moved": (x0 + 2, y0 + 1, x1 + 2, y1 + 1),
                "deleted and redrawn": (x0 + 1, y0, x1 + 1, y1),
            }.get(what, (x0, y0, x1, y1)),
        )
        for what, (label, (x0, y0, x1, y1)) in zip(fate, before, strict=True)
        if what != "removed"
    ]
    order = draw(st.permutations(after + new))
    return {"before": before, "fate": fate, "new": new, "after": order}


@settings(max_examples=5, suppress_health_check=list(HealthCheck))
@given(case=edited())
@pytest.mark.parametrize("form", ["labelme", "coco"])
def test_a_data_set_edited_elsewhere_is_told_object_by_object(
    tmp_path_factory: pytest.TempPathFactory, form: str, case: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("set")
    write = {"labelme": write_labelme, "coco": write_coco}[form]
    source = folder / "set"
    save(source / "a.png", np.full(SHAPE, 90, np.uint8))
    options = ("--format", form, "--from", source if form == "labelme" else source / "a.json")

    def found() -> list[tuple[str, tuple[int, int, int, int]]]:
        known = Project.open(folder / "p").annotations()
        boxes = ((a.label, a.bbox) for a in known)
        return sorted((label, (x0, y0, x1 - 1, y1 - 1)) for label, (y0, x0, y1, x1) in boxes)

    write(source, case["before"])
    run(folder / "p", *options)
    assert found() == sorted(case["before"])
    project, fates = Project.open(folder / "p"), Counter(case["fate"])
    for old, what in zip(project.annotations(), case["fate"], strict=True):
        if what.startswith("deleted"):
            project.delete(old.id)
    kept = {
        old.id
        for old, what in zip(case_records(project), case["fate"], strict=True)
        if what in ("kept", "deleted here")
    }
    write(source, case["after"])
    said = run(folder / "p", *options)
    changed = fates["larger"] + fates["moved"] + fates["class"]
    for count, what in (
        (fates["kept"], "object there already"),
        (fates["deleted here"], "object deleted here that came back"),
        (changed, "object that was changed in the source"),
        (fates["removed"], "object imported before that the source has no more"),
    ):
        assert (f"{count} × {what}" in said) == bool(count), (what, said)
    stayed = [
        one
        for one, what in zip(case["before"], case["fate"], strict=True)
        if what != "deleted and redrawn"
    ]
    redrawn = [one for one in case["after"] if one not in case["new"]]
    redrawn = [one for one in redrawn if (one[1][0] - 1, one[1][1]) in CELLS]
    assert found() == sorted([*stayed, *case["new"], *redrawn])
    assert kept <= {a.id for a in Project.open(folder / "p").annotations()}

    said = run(folder / "p", *options, "--update")
    assert (f"{changed} × object changed in the source, taken" in said) == bool(changed)
    removed = [
        one for one, what in zip(case["before"], case["fate"], strict=True) if what == "removed"
    ]
    assert found() == sorted([*case["after"], *removed])
    before = contents(Project.open(folder / "p"))
    run(folder / "p", *options, "--update")
    assert contents(Project.open(folder / "p")) == before


def case_records(project: Project) -> list[Any]:
    """Return every record of the image, in the order they were imported."""
    return sorted(project.records("a.png").values(), key=lambda record: record.id)


def test_an_interrupted_import_goes_on_where_it_stopped(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = import_folder(folder, name="whole")
    add, added = Project.add, []

    def add_seven(self: Project, new: NewAnnotation, **said: object) -> object:
        if len(added) == 7:
            raise KeyboardInterrupt
        added.append(add(self, new, **said))
        return added[-1]

    monkeypatch.setattr(Project, "add", add_seven)
    with pytest.raises(AssertionError, match=r"1 == 0|130 == 0"):  # the exit code
        import_folder(folder)
    assert len(Project.open(folder / "p").annotations()) == 7
    monkeypatch.undo()
    project = import_folder(folder)

    def told(project: Project) -> set[Any]:
        return {(a.origin, a.image_id, a.label, a.split, a.bbox) for a in project.annotations()}

    assert told(project) == told(whole)
    assert project.done_images() == whole.done_images()
    assert {a.id for a in added} <= {a.id for a in project.annotations()}


def test_an_image_with_an_unknown_class_comes_in_when_it_is_named(folder: Path) -> None:
    for number in range(4):
        values = truth(number).astype(np.uint8) * (1 + number)
        values[20:30] *= 2 if number == 2 else 1
        save(folder / "classes" / f"{number}.png", values)
    listed = folder / "classes" / "classes.csv"
    arguments = ["--from", listed.parent, "--format", "semantic", "--images", folder / "images"]
    listed.write_text("value,class\n1,pore\n2,crack\n3,dirt\n4,dent\n", encoding="utf-8")
    assert "value 6" in run(folder / "p", *arguments)
    assert len(Project.open(folder / "p").images()) == 3
    listed.write_text(listed.read_text() + "6,scratch\n", encoding="utf-8")
    for name in ("p", "whole"):
        run(folder / name, *arguments)

    def told(project: Project) -> list[object]:
        records = sorted((a.image_id, a.label, a.bbox, a.origin) for a in project.annotations())
        return [records, sorted(project.done_images()), sorted(project.classes())]

    assert told(Project.open(folder / "p")) == told(Project.open(folder / "whole"))


def test_a_damaged_mask_leaves_its_image_out_whole(folder: Path) -> None:
    whole = (folder / "masks" / "7.png").read_bytes()
    (folder / "masks" / "7.png").write_bytes(whole[:60])  # its header is still good
    import_folder(folder)
    project = Project.open(folder / "p")
    names = [record.id for record in project.images()]
    assert "7.png" not in names
    assert len(names) > 10
    (folder / "masks" / "7.png").write_bytes(whole)
    assert len(import_folder(folder).annotations()) == 32


def test_what_was_left_out_is_said(folder: Path) -> None:
    extra = np.zeros((*SHAPE, 3), np.uint8)
    save(folder / "images" / "unlabelled.png", extra)
    where = ("--images", folder / "images", "--masks", folder / "masks")
    said = run(folder / "p", *where, "--smallest", 50, "--limit", 10, "--val", 0.2, "--test", 0)
    project = Project.open(folder / "p")
    assert len(project.images()) == 10
    assert {a.area for a in project.annotations()} == {120}
    objects = len(project.annotations())
    assert f"{objects} × object of fewer than 50 pixels" in said
    assert "1 × image without a mask" in said
    assert {r.split for r in project.images()} == {"train", "held_out"}
    # something is left to label in those images, so they are not done
    assert project.done_images() == {r.id for r in project.images() if project.is_empty(r.id)}
    run(folder / "q", *where, "--largest", 100)
    assert {a.area for a in Project.open(folder / "q").annotations()} == {36}


def test_overlapping_coco_objects_keep_their_masks_and_a_single_image_is_split_by_place(
    tmp_path: Path,
) -> None:
    shape = (200, 200)
    save(tmp_path / "tile.png", np.random.default_rng(0).integers(0, 255, shape, np.uint8))
    rows, masks = [], []
    for cell in range(100):
        mask = np.zeros(shape, np.uint8)
        row, column = divmod(cell, 10)
        mask[row * 20 : row * 20 + 25, column * 20 : column * 20 + 25] = 1
        counts = coco_mask.encode(np.asfortranarray(mask))["counts"].decode()
        segmentation = {"size": list(shape), "counts": counts}
        rows.append({"id": cell, "image_id": 0, "category_id": 1 + cell % 2, "score": cell / 100})
        rows[-1]["segmentation"] = segmentation
        masks.append(mask.astype(bool))
    document = {
        "images": [{"id": 0, "file_name": "tile.png"}],
        "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
        "annotations": rows,
    }
    (tmp_path / "tile.json").write_text(json.dumps(document), encoding="utf-8")
    run(tmp_path / "p", "--format", "coco", "--from", tmp_path / "tile.json")
    annotations = Project.open(tmp_path / "p").annotations()
    for annotation, mask in zip(annotations, masks, strict=True):
        np.testing.assert_array_equal(annotation.mask, mask)
    assert [a.predicted_iou for a in annotations] == [n / 100 for n in range(100)]
    splits = [a.split for a in annotations]
    assert 15 <= splits.count("held_out") <= 25
    assert 15 <= splits.count("test") <= 25

    tested = annotations[splits.index("test")]
    beside = Project.open(tmp_path / "p").add(NewAnnotation("tile.png", tested.mask, "new"))
    assert beside.split == "test"  # what is labelled later at a place that tests, tests as well
    Project.open(tmp_path / "p").delete(beside.id)

    arguments = ["export", "masks", str(tmp_path / "p"), "--out", str(tmp_path / "out.json")]
    assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
    run(tmp_path / "q", "--format", "coco", "--from", tmp_path / "out.json", "--val", 0)
    again = Project.open(tmp_path / "q").annotations()
    for annotation, before in zip(again, annotations, strict=True):
        np.testing.assert_array_equal(annotation.cropped_mask, before.cropped_mask)
        assert (annotation.bbox, annotation.label) == (before.bbox, before.label)
    assert {a.split for a in again} == {"train", "test"}


def test_bad_input_leaves_nothing_behind(folder: Path) -> None:
    where = ("--images", folder / "images", "--masks", folder / "masks")
    save(folder / "odd" / "17.png", np.zeros((41, 52), np.uint8))
    with pytest.raises(SamTuneError, match=r"The mask 17\.png is 41 × 52 pixels, its image 40"):
        run(folder / "p", "--images", folder / "images", "--masks", folder / "odd")
    with pytest.raises(SamTuneError, match=r"No image in .* has a mask of the same name"):
        run(folder / "p", "--images", folder / "images", "--masks", folder)
    with pytest.raises(SamTuneError, match=r"no weights file .*nowhere"):
        run(folder / "p", *where, "--model", folder / "nowhere.pth")
    with pytest.raises(SamTuneError, match=r"validation \(0.7\) and test \(0.6\)"):
        run(folder / "p", *where, "--val", 0.7, "--test", 0.6)
    table = "image,mask,group,split\nimages/1.png,,g,val\nimages/2.png,,g,test"
    (folder / "l.csv").write_text(table, encoding="utf-8")
    with pytest.raises(SamTuneError, match=r"group “g” is in two splits, for one at 2\.png"):
        run(folder / "p", "--format", "csv", "--from", folder / "l.csv")
    assert not (folder / "p").exists()

    project = import_folder(folder)
    before = contents(project)
    save(folder / "other" / "18.png", np.zeros((40, 52), np.uint8))
    save(folder / "other" / "99.png", np.zeros((40, 52), np.uint8))
    save(folder / "masks" / "99.png", np.zeros((40, 52), np.uint8))
    with pytest.raises(ProjectError, match=r"knows another image by the name “18\.png”"):
        run(folder / "p", "--images", folder / "other", "--masks", folder / "masks")
    project.save_weights({"w": torch.zeros(1)}, {})
    with pytest.raises(ProjectError, match=r"builds on the model .* not on"):
        run(folder / "p", *where, "--model", "vit_b")
    assert contents(Project.open(folder / "p")) == before


def test_an_official_model_is_recorded_without_its_file(folder: Path) -> None:
    project = import_folder(folder, "--model", "vit_b", "--limit", 1)
    assert project.base is not None
    assert project.base.name == "vit_b"
    assert project.base.sha256.startswith("ec2df627")
    assert import_folder(folder, "--limit", 2).base == project.base  # the project knows its own


def test_without_rasterio_geojson_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rasterio", None)
    monkeypatch.delitem(sys.modules, "napari_sam_tune.formats.geojson", raising=False)
    with pytest.raises(SamTuneError, match=r'rasterio.* pip install "napari-sam-tune\[geo\]"'):
        run(tmp_path / "p", "--format", "geojson", "--from", tmp_path / "a.geojson")


def test_the_sample_images_are_imported_by_group(tmp_path: Path) -> None:
    pairs = sample_pairs()
    folder = pairs[0].image.parents[1]
    columns = ("--class-column", "class", "--group-column", "group")
    where = ("--images", folder / "images", "--masks", folder / "masks", *columns)
    run(tmp_path / "p", *where, "--manifest", folder / "manifest.csv")
    project = Project.open(tmp_path / "p")
    assert {r.group for r in project.images()} == {pair.group for pair in pairs}
    assert set(project.classes()) == {pair.label for pair in pairs}
    for pair in pairs:
        painted = read_image(pair.mask) > 0
        union = np.any([a.mask for a in project.annotations(pair.image.name)], axis=0)
        assert (union & ~painted).sum() == 0
        assert union.sum() >= 0.98 * painted.sum()


@pytest.mark.parametrize(("val", "test"), [(0.15, 0.15), (0, 0.92), (1, 0), (0, 0), (0.3, 0)])
def test_every_class_is_shared_out_as_asked(val: float, test: float) -> None:
    contents = {str(n): {"rare" if n % 10 == 0 else "common": 1 + n % 3} for n in range(200)}
    splits = split_groups(contents, val=val, test=test, seed=5)
    assert set(splits) == set(contents)
    for kind in ("rare", "common"):
        images = {name: counts[kind] for name, counts in contents.items() if kind in counts}
        for split, share in (("held_out", val), ("test", test), ("train", 1 - val - test)):
            got = sum(count for name, count in images.items() if splits[name] == split)
            assert got == pytest.approx(share * sum(images.values()), abs=3 if share else 0)
