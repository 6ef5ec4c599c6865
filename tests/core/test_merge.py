"""`napari-sam-tune merge`: two projects become one, nothing is lost, nothing is there twice."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from napari_sam_tune.cli import app
from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.exchange.incoming import OWN_ORIGIN
from napari_sam_tune.core.exchange.merge_report import Rule
from napari_sam_tune.core.exchange.merging import Merge
from napari_sam_tune.core.images.files import content_hash, read_image
from napari_sam_tune.core.models.base import BaseRef
from napari_sam_tune.core.project.effort import effort_by_version
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.project.review import Attribute
from napari_sam_tune.core.prompts import Effort, Prompt
from napari_sam_tune.core.storage.chained_log import ChainedLog
from napari_sam_tune.core.storage.records import RecordStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_sam_tune.core.exchange.merge_report import MergeReport
    from napari_sam_tune.core.project.annotations import Annotation

SHAPE = (40, 60)
BASE = BaseRef("starter", "a" * 64)


def blob(row: int, column: int, size: int = 6) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[row : row + size, column : column + size] = True
    return mask


def photograph(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, SHAPE, np.uint8)).save(path)
    return path


def register(project: Project, path: Path, **options: object) -> str:
    pixels = read_image(path)
    project.add_image(
        path.name, shape=SHAPE, content_hash=content_hash(pixels), path=path, **options
    )
    return path.name


def accept(project: Project, image: str, mask: np.ndarray, label: str = "pore", **more: object):
    return project.add(NewAnnotation(image, mask, label, **more))


def merged(project: Project, other: Project) -> MergeReport:
    merge = Merge(Project.open(project.path), Project.open(other.path))
    assert len(list(merge.run())) == len(merge.pairs)
    return merge.report


def rules(report: MergeReport) -> list[Rule]:
    return [clash.rule for clash in report.clashes]


def files(project: Project) -> dict[str, bytes]:
    found = (path for path in project.path.rglob("*") if path.is_file())
    return {str(path.relative_to(project.path)): path.read_bytes() for path in found}


def living(project: Project) -> dict[str, tuple[str, str, bytes]]:
    """Everything that counts, as another process sees it."""
    opened = Project.open(project.path, create=False)
    return {a.id: (a.image_id, a.label, a.mask.tobytes()) for a in opened.annotations()}


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Project, Project]:
    """A project of one image with four masks, and a copy of it on another machine."""
    laptop = Project.open(tmp_path / "laptop")
    laptop.set_base(BASE)
    laptop.set_class("pore", "#e5554f")
    register(laptop, photograph(tmp_path / "images" / "a.png", 1))
    for row, column in ((2, 2), (2, 30), (22, 2), (22, 30)):
        accept(laptop, "a.png", blob(row, column))
    shutil.copytree(laptop.path, tmp_path / "workstation")
    return laptop, Project.open(tmp_path / "workstation")


def test_everything_comes_in_once(pair: tuple[Project, Project], tmp_path: Path) -> None:
    laptop, workstation = pair
    b = register(workstation, photograph(tmp_path / "images" / "b.png", 2), split="test")
    pixels = np.random.default_rng(3).integers(0, 255, SHAPE, np.uint8)
    workstation.add_image(
        "array", shape=SHAPE, content_hash=content_hash(pixels), array=pixels, group="part 7"
    )
    register(workstation, photograph(tmp_path / "images" / "empty.png", 4))
    workstation.mark_done("empty.png", empty=True)
    workstation.mark_done("a.png")
    workstation.set_class("crack", "#e5554f")  # the colour the pores have
    version = workstation.save_weights({"x": torch.ones(2)}, {"parts": ["mask_decoder"]})
    workstation.promote(version, report={})
    (workstation.path / "heads").mkdir()
    (workstation.path / "heads" / "0123456789ab.safetensors").write_bytes(b"head")
    prompt = Prompt(points=[(12.5, 8.25)], labels=[1], box=(9, 4, 20, 15))
    mask = blob(5, 10)
    kept = accept(
        workstation,
        b,
        mask,
        "crack",
        prompts=(prompt,),
        weights_version=version,
        proposal_mask=blob(4, 9, 8),
        locked=blob(5, 10, 2),
        predicted_iou=0.75,
        effort=Effort(clicks=1, boxes=1, strokes=2, painted_pixels=4, seconds=3.5),
    )
    removed = workstation.annotations("a.png")[0]
    workstation.delete([removed.id, workstation.annotations("a.png")[1].id])
    before = files(workstation)

    report = merged(laptop, workstation)
    assert (report.images, report.known_images, report.masks) == (3, 1, 1)
    assert (report.classes, report.weights, report.deletions, report.marks) == (1, 1, 2, 2)
    assert report.clashes == []
    assert (laptop.path / "heads" / "0123456789ab.safetensors").read_bytes() == b"head"
    assert files(workstation) == before
    assert living(laptop) == living(workstation)
    joined = Project.open(laptop.path, create=False)
    assert {r.id: (r.split, r.group) for r in joined.images()} == {
        r.id: (r.split, r.group) for r in workstation.images()
    }
    assert np.array_equal(joined.read_image("array"), pixels)
    assert np.array_equal(joined.read_image(b), workstation.read_image(b))
    assert joined.is_empty("empty.png")
    assert joined.is_done("a.png")
    assert joined.classes()["crack"] not in ("#e5554f", None)
    assert joined.current_version == "base"
    assert torch.equal(joined.load_weights(version)[0]["x"], torch.ones(2))
    assert effort_by_version(joined) == effort_by_version(workstation)
    taken = joined.annotation(kept.id)
    assert taken.prompts == (prompt,)
    assert (taken.created, taken.predicted_iou, taken.split) == (kept.created, 0.75, "test")
    for name in ("mask", "proposal_mask", "locked"):
        assert np.array_equal(getattr(taken, name), getattr(kept, name))

    after = files(laptop)
    again = merged(laptop, workstation)
    assert files(laptop) == after
    assert not again.added
    merged(workstation, laptop)
    assert living(laptop) == living(workstation)


def correct(project: Project, old: Annotation, column: int) -> Annotation:
    """Move the mask; nobody could mistake it for another."""
    row = old.bbox[0]
    return accept(project, old.image_id, blob(row, column), supersedes=old.id)


def test_the_later_correction_of_a_mask_stands(pair: tuple[Project, Project]) -> None:
    laptop, workstation = pair
    first, second, third, fourth = laptop.annotations()
    alone = correct(laptop, first, 3)
    early = correct(laptop, second, 31)
    middle = correct(workstation, second, 32)
    late = correct(workstation, middle, 33)  # the second correction over there
    earlier = correct(workstation, third, 3)
    later = correct(laptop, third, 4)
    correct(workstation, fourth, 32)
    laptop.delete(fourth.id)
    laptop.restore(fourth.id)  # which must not keep it beside the correction that is to come

    report = merged(laptop, workstation)
    assert rules(report) == [Rule.CORRECTED_TWICE] * 2
    ids = living(laptop).keys()
    assert {alone.id, late.id, later.id} < ids
    assert len(ids) == 4
    joined = Project.open(laptop.path)
    assert joined.restore(earlier.id) == earlier  # what lost is kept
    joined.delete(earlier.id)
    assert joined.annotation(early.id).area == 36
    merged(workstation, laptop)
    assert living(laptop) == living(workstation)
    assert not merged(laptop, workstation).added


def test_a_correction_stands_against_a_deletion_on_either_side(
    pair: tuple[Project, Project],
) -> None:
    laptop, workstation = pair
    first, second, third, fourth = laptop.annotations()
    kept = [correct(laptop, first, 3), correct(workstation, second, 31)]
    workstation.delete(first.id)
    laptop.delete(second.id)
    undone = correct(workstation, third, 5)
    workstation.delete(undone.id)
    workstation.restore(third.id)
    report = merged(laptop, workstation)
    assert sorted(rules(report)) == [Rule.DELETED, Rule.DELETED]
    assert living(laptop).keys() == {kept[0].id, kept[1].id, third.id, fourth.id}
    assert not merged(laptop, workstation).added
    merged(workstation, laptop)
    assert living(laptop) == living(workstation)


def test_an_object_labelled_on_both_sides_is_one_object(pair: tuple[Project, Project]) -> None:
    laptop, workstation = pair
    accept(laptop, "a.png", blob(10, 46, 10))
    inside = accept(laptop, "a.png", blob(10, 46, 9), "stain")  # of another class: another object
    other = accept(workstation, "a.png", blob(10, 47, 10))
    far = accept(workstation, "a.png", blob(30, 46))
    report = merged(laptop, workstation)
    assert rules(report) == [Rule.SAME_OBJECT]
    ids = living(laptop).keys()
    assert {inside.id, other.id, far.id} < ids
    assert len(ids) == 4 + 3


def test_the_same_import_on_both_sides_is_one(pair: tuple[Project, Project]) -> None:
    laptop, workstation = pair
    options = {"source": "import", "label": "stain"}
    for project in pair:
        for number in range(3):
            accept(project, "a.png", blob(10, 12 * number), origin=f"coco/x/{number}", **options)
    ours = [a for a in laptop.annotations() if a.source == "import"]
    theirs = [a for a in workstation.annotations() if a.source == "import"]
    laptop.delete(ours[0].id)
    corrected = accept(workstation, "a.png", blob(11, 13), "stain", supersedes=theirs[1].id)
    workstation.delete(theirs[2].id)
    report = merged(laptop, workstation)
    assert report.clashes == []
    stains = {a.id for a in Project.open(laptop.path).annotations() if a.label == "stain"}
    assert stains == {corrected.id}
    assert not merged(laptop, workstation).added
    merged(workstation, laptop)
    stains = {a.id for a in Project.open(workstation.path).annotations() if a.label == "stain"}
    assert stains == {corrected.id}


def test_one_place_in_a_file_may_have_been_two_objects(pair: tuple[Project, Project]) -> None:
    laptop, workstation = pair
    options = {"source": "import", "label": "stain", "origin": "coco/x/0"}
    here = accept(laptop, "a.png", blob(10, 46), **options)
    there = accept(workstation, "a.png", blob(30, 46), **options)  # the file had changed by then
    report = merged(laptop, workstation)
    assert report.clashes == []
    assert {here.id, there.id} < living(laptop).keys()


def test_what_was_exported_and_imported_there_is_known(pair: tuple[Project, Project]) -> None:
    laptop, workstation = pair
    here = accept(laptop, "a.png", blob(10, 46))
    gone = accept(laptop, "a.png", blob(30, 46))
    laptop.delete(gone.id)
    for record in (here, gone):
        origin = OWN_ORIGIN + record.id
        accept(workstation, "a.png", record.mask, source="import", origin=origin)
    before = living(laptop)
    report = merged(laptop, workstation)
    assert not report.added
    assert report.clashes == []
    assert living(laptop) == before
    # The other way round the person's own masks replace the copies.
    merged(workstation, laptop)
    assert here.id in living(workstation)
    assert len(living(workstation)) == len(before) + 1


def test_images_are_known_by_their_pixels(tmp_path: Path) -> None:
    laptop, workstation = (Project.open(tmp_path / name) for name in ("laptop", "workstation"))
    one = photograph(tmp_path / "one" / "1.png", 1)
    renamed = tmp_path / "two" / "renamed.png"
    register(laptop, one, group="part 1", split="train")
    photograph(renamed, 1)
    register(workstation, renamed, group="lot", split="held_out")
    mate = register(workstation, photograph(tmp_path / "two" / "mate.png", 5), group="lot")
    namesake = photograph(tmp_path / "two" / "1.png", 2)
    register(workstation, namesake, split="held_out")
    gone = photograph(tmp_path / "two" / "gone.png", 6)
    register(workstation, gone)
    for image in ("renamed.png", "1.png", mate):
        accept(workstation, image, blob(4, 4))
    gone.rename(tmp_path / "one" / "found.png")

    result = CliRunner().invoke(
        app, ["merge", str(laptop.path), str(workstation.path), "--images", str(one.parent)]
    )
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert Rule.SPLIT in said
    assert Rule.NAME in said
    assert "not where" not in said  # --images found it
    joined = Project.open(laptop.path, create=False)
    by_id = {record.id: record for record in joined.images()}
    name = f"1 ({content_hash(read_image(namesake))[:8]}).png"
    assert set(by_id) == {"1.png", mate, name, "gone.png"}
    # A mate of an image that trains here must not judge here.
    assert (by_id[mate].group, by_id[mate].split) == ("part 1", "train")
    assert by_id[name].split == "held_out"
    assert {a.image_id: a.split for a in joined.annotations()} == {
        "1.png": "train",
        mate: "train",
        name: "held_out",
    }
    assert all(joined.read_image(image).shape == SHAPE for image in by_id)
    arguments = ["merge", str(laptop.path), str(workstation.path)]
    said = " ".join(CliRunner().invoke(app, arguments).output.split())
    assert "nothing, it was all there" in said


def test_places_that_trained_do_not_judge(pair: tuple[Project, Project], tmp_path: Path) -> None:
    laptop, workstation = pair
    splits = {a.bbox: a.split for a in laptop.annotations()}
    for project in pair:
        for column in range(0, 54, 8):
            accept(project, "a.png", blob(12, column, 5), f"{project.path.name} {column}")
    merged(laptop, workstation)
    for annotation in Project.open(laptop.path).annotations():
        splits.setdefault(annotation.bbox, annotation.split)
        assert splits[annotation.bbox] == annotation.split
    assert set(splits.values()) == {"train", "held_out"}


def test_what_cannot_be_joined_is_said(pair: tuple[Project, Project], tmp_path: Path) -> None:
    laptop, _ = pair
    other = Project.open(tmp_path / "other")
    other.set_base(BaseRef("vit_b", "b" * 64))
    other.set_class("pore", "#000000")
    register(other, tmp_path / "images" / "a.png")
    register(other, photograph(tmp_path / "images" / "empty.png", 8))
    register(laptop, tmp_path / "images" / "empty.png")
    laptop.mark_done("empty.png", empty=True)
    version = other.save_weights({"x": torch.ones(2)}, {})
    accept(other, "a.png", blob(30, 50))
    accept(other, "empty.png", blob(30, 50))
    report = merged(laptop, other)
    assert set(rules(report)) == {Rule.BASE, Rule.COLOUR, Rule.NO_DEFECT}
    joined = Project.open(laptop.path)
    assert joined.base == BASE
    assert version not in {info.version for info in joined.versions()}
    assert joined.classes() == {"pore": "#e5554f"}
    assert not joined.is_empty("empty.png")
    # The other model's effort is not counted as that of this project's base model.
    assert [row.version for row in effort_by_version(joined)] == ["base", "b" * 12]
    with pytest.raises(ProjectError, match="one project"):
        Merge(joined, laptop)
    with pytest.raises(ProjectError, match="no project"):
        Project.open(tmp_path / "nowhere", create=False)


class Killed(BaseException):
    """What no code catches."""


def _dying(write: Callable[..., object], left: list[int]) -> Callable[..., object]:
    def step(*arguments: object, **options: object) -> object:
        if not left[0]:
            raise Killed
        left[0] -= 1
        return write(*arguments, **options)

    return step


def test_a_kill_at_any_write_loses_no_object_and_doubles_none(
    pair: tuple[Project, Project], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, workstation = pair
    first, second, third, fourth = laptop.annotations()
    correct(laptop, first, 3)
    correct(workstation, correct(workstation, first, 4), 5)
    correct(workstation, second, 31)
    correct(workstation, third, 3)
    correct(laptop, third, 4)
    undone = correct(workstation, fourth, 31)
    workstation.delete(undone.id)
    workstation.restore(fourth.id)
    register(workstation, photograph(tmp_path / "images" / "b.png", 2))
    accept(workstation, "b.png", blob(5, 5))
    shutil.copytree(laptop.path, tmp_path / "whole")
    merged(whole := Project.open(tmp_path / "whole"), workstation)
    expected = living(whole)
    untouched = files(workstation)

    for writes in range(100):
        attempt = Project.open(shutil.copytree(laptop.path, tmp_path / f"attempt {writes}"))
        left = [writes]
        with monkeypatch.context() as patch:
            patch.setattr(ChainedLog, "append", _dying(ChainedLog.append, left))
            patch.setattr(RecordStore, "write", _dying(RecordStore.write, left))
            try:
                merged(attempt, workstation)
                break
            except Killed:
                pass
        rows = sorted(a.bbox[0] < 20 for a in Project.open(attempt.path).annotations("a.png"))
        assert rows == [False, False, True, True], writes  # each object has one mask
        merged(attempt, workstation)
        assert living(attempt) == expected, writes
        shutil.rmtree(attempt.path)
    assert 8 < writes < 100
    assert files(workstation) == untouched


def test_the_last_word_on_classes_and_states_stands(pair: tuple[Project, Project]) -> None:
    laptop, workstation = pair
    first, second, third, fourth = (a.id for a in laptop.annotations())
    laptop.relabel([first, third], "scratch")
    workstation.relabel(first, "crack")  # later
    workstation.set_attributes("pore", [Attribute("depth", "number")])
    workstation.set_review(second, state="approved", note="tief", values={"depth": 3}, by="Ada")
    workstation.set_image_review("a.png", state="second_look", by="Ada")
    workstation.set_review(third, state="approved", by="Ada")  # as the pore it was
    laptop.set_review(fourth, state="excluded", by="Bo")
    workstation.set_review(fourth, note="später", by="Ada")
    untouched = files(workstation)
    report = merged(laptop, workstation)
    joined = Project.open(laptop.path)
    labels = {a.id: a.label for a in joined.annotations()}
    assert (labels[first], labels[second], labels[third]) == ("crack", "pore", "scratch")
    assert joined.review(second) == workstation.review(second)
    assert joined.review(third).state == "accepted"
    assert joined.review(second).by == "Ada"
    assert joined.image_review("a.png") == workstation.image_review("a.png")
    assert joined.attributes("pore") == (Attribute("depth", "number"),)
    assert joined.review(fourth).note == "später"
    assert joined.review(fourth).state == "excluded"  # of which nobody else said anything
    assert report.reviews == 4
    after = files(laptop)
    assert merged(laptop, workstation).reviews == 0
    assert files(laptop) == after
    assert files(workstation) == untouched


def test_a_class_renamed_on_one_side_keeps_its_name(pair: tuple[Project, Project]) -> None:
    laptop, workstation = pair
    laptop.rename_class("pore", "Pore")
    new = accept(workstation, "a.png", blob(5, 50), "pore")
    merged(laptop, workstation)
    joined = Project.open(laptop.path)
    assert joined.annotation(new.id).label == "pore"  # accepted after, so of another class
    merged(workstation, laptop)
    assert {a.label for a in workstation.annotations()} == {"Pore", "pore"}
