"""A project through its public door: what goes in comes out, in this process and the next."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from napari_sam_tune.core.answers.known_images import known_images
from napari_sam_tune.core.errors import ImageError, MaskError, ProjectError
from napari_sam_tune.core.images.files import content_hash, read_image
from napari_sam_tune.core.models.base import BaseRef
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.prompts import Effort, Prompt
from napari_sam_tune.core.storage.chained_log import ChainedLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

SHAPE = (40, 60)
PIXELS = np.random.default_rng(0).integers(0, 256, (*SHAPE, 3), np.uint8)


def register(project: Project, image_id: str = "a.png", **options: object) -> str:
    pixels = options.pop("pixels", PIXELS)
    assert isinstance(pixels, np.ndarray)
    project.add_image(
        image_id, shape=pixels.shape[:2], content_hash=content_hash(pixels), array=pixels, **options
    )
    return image_id


def blob(row: int = 5, column: int = 5, size: int = 4) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[row : row + size, column : column + size] = True
    return mask


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project.open(tmp_path / "Prüfung 裂纹.project")
    register(project)
    return project


def reopened(project: Project) -> Project:
    return Project.open(project.path, create=False)


# ---- masks ----


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    masks=st.lists(hnp.arrays(bool, SHAPE, elements=st.booleans()), min_size=3, max_size=3),
    extras=st.booleans(),
)
def test_any_mask_comes_back_exactly(
    project: Project, masks: list[np.ndarray], extras: bool
) -> None:
    mask, proposal, locked = masks
    layers = {"proposal_mask": proposal, "locked": locked} if extras else {}
    new = NewAnnotation("a.png", mask, "pore", **layers)
    if not mask.any():
        with pytest.raises(MaskError, match="empty"):
            project.add(new)
        return
    kept = project.add(new)
    assert np.array_equal(kept.mask, mask)
    y0, x0, y1, x1 = kept.bbox
    assert np.array_equal(kept.cropped_mask, mask[y0:y1, x0:x1])
    assert kept.cropped_mask.sum() == mask.sum() == kept.area
    for layer, back in ((new.proposal_mask, kept.proposal_mask), (new.locked, kept.locked)):
        assert (layer is None and back is None) or np.array_equal(layer, back)


def test_real_masks_and_their_history_survive_reopening(project: Project) -> None:
    parts = blob() | blob(30, 40)
    holed = blob(0, 0, 9)
    holed[3:5, 3:5] = False
    border = np.zeros(SHAPE, bool)
    border[:, -1] = border[-1] = True
    masks = [parts, holed, blob(39, 59, 1), border, blob(6, 6), np.ones(SHAPE, bool)]
    prompts = (Prompt([(5.5, 6)], [1]), Prompt([(5.5, 6), (1, 2)], [1, 0], box=(1, 2, 30, 20)))
    effort = Effort(clicks=2, boxes=1, strokes=3, painted_pixels=17, seconds=4.5)
    added = [
        project.add(
            NewAnnotation(
                "a.png",
                mask,
                "Riß",
                prompts=prompts,
                weights_version="0123456789ab",
                proposal_mask=blob(1, 1),
                predicted_iou=np.float32(0.875),
                locked=blob(2, 2),
                effort=effort,
                source="robot",
            )
        )
        for mask in masks
    ]
    stored = reopened(project).annotations("a.png")
    assert [a.id for a in stored] == [a.id for a in added] == sorted(a.id for a in added)
    assert len({content_hash(a.mask) for a in stored}) == len(masks)
    for annotation, mask in zip(stored, masks, strict=True):
        assert np.array_equal(annotation.mask, mask)
        assert np.array_equal(annotation.proposal_mask, blob(1, 1))
        assert np.array_equal(annotation.locked, blob(2, 2))
        assert annotation.prompts == prompts
        assert (annotation.label, annotation.source) == ("Riß", "robot")
        assert (annotation.predicted_iou, annotation.effort) == (0.875, effort)
        assert annotation.weights_version == "0123456789ab"
        assert abs(annotation.created - time.time()) < 60


def test_what_cannot_be_stored_is_refused(project: Project) -> None:
    with pytest.raises(MaskError, match="40 × 60"):
        project.add(NewAnnotation("a.png", np.ones((3, 4), bool), "pore"))
    with pytest.raises(ProjectError, match=r"no image “b\.png”"):
        project.add(NewAnnotation("b.png", blob(), "pore"))
    with pytest.raises(ProjectError, match="no annotation"):
        project.add(NewAnnotation("a.png", blob(), "pore", supersedes="20200101T000000000000-0"))
    assert project.annotations() == []


def test_edit_delete_and_restore(project: Project) -> None:
    first, other = (project.add(NewAnnotation("a.png", blob(c), "pore")) for c in (3, 20))
    edit = project.add(NewAnnotation("a.png", blob(4), "pore", supersedes=first.id))
    assert edit.split == first.split
    assert reopened(project).annotations() == [other, edit]

    project.delete(edit.id)
    assert reopened(project).annotations() == [other]  # not back to what was edited
    assert project.restore(first.id) == first
    assert reopened(project).annotations() == [first, other]
    assert np.array_equal(reopened(project).annotation(edit.id).mask, blob(4))  # nothing is lost


def test_what_lives_is_known_after_every_change_as_to_whoever_opens_the_project(
    project: Project, tmp_path: Path
) -> None:
    """It is kept in memory: that of two programs which change the project in turn, too.

    Whoever looks again only at the images that are said to have changed knows all that is.
    """
    other, rng = Project.open(project.path), np.random.default_rng(3)
    register(project, "b.png")
    every: list[str] = []
    followed: dict[Project, tuple[int, dict[str, object]]] = {p: (0, {}) for p in (project, other)}

    def known(of: Project, images: Iterable[str]) -> dict[str, object]:
        found = known_images(of, images, {})
        return {image_id: found.get(image_id) for image_id in images}

    for step in range(80):
        mine = (project, other)[step % 2]
        chosen = rng.choice(every) if every else None
        kinds = ("add", "edit", "delete", "restore", "rename", "restore_all", "relabel", "state")
        kinds += ("image state", "done")
        kind = rng.choice(kinds) if every else "add"
        if kind in ("add", "edit"):
            image = "ab"[rng.integers(2)] + ".png" if kind == "add" else None
            before = None if kind == "add" else mine.annotation(chosen)
            new = NewAnnotation(
                image or before.image_id, blob(), "pore", supersedes=before and before.id
            )
            every.append(mine.add(new).id)
        elif kind == "rename":
            mine.rename_class("pore", "hole")
            mine.rename_class("hole", "pore")
        elif kind == "relabel":
            mine.relabel(chosen, rng.choice(["pore", "crack"]))
        elif kind == "state":
            mine.set_review(chosen, state=rng.choice(["excluded", "approved"]))
        elif kind == "image state":
            state = rng.choice(["second_look", "to_do", "approved"])
            mine.set_image_review(mine.annotation(chosen).image_id, state=state)
        elif kind == "done":
            mine.mark_done("b.png", bool(rng.integers(2)))
        else:
            several = [chosen, rng.choice(every)] if rng.random() < 0.5 else chosen
            getattr(mine, kind)(chosen if kind == "restore" else several)
        fresh = reopened(project).annotations()
        all_known = known(reopened(project), ["a.png", "b.png"])
        for known_to in (project, other):
            assert [(a.id, a.label) for a in known_to.annotations()] == [
                (a.id, a.label) for a in fresh
            ]
            moment, kept = followed[known_to]
            moment, changed = known_to.changed_since(moment)
            kept |= known(known_to, changed)
            followed[known_to] = moment, kept
            assert {image_id: kept.get(image_id) for image_id in all_known} == all_known
            assert known_to.changed_since(moment) == (moment, set())


def test_own_masks_make_no_list_of_all_and_those_of_others_are_seen_at_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, listed = Project.open(project.path), []
    real = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: (listed.append(path), real(path))[1])
    theirs = [add.add(NewAnnotation("a.png", blob(), "pore")).id for add in (other, project)]
    assert [a.id for a in project.annotations()] == [a.id for a in other.annotations()] == theirs
    listed.clear()
    for _ in range(5):
        theirs.append(project.add(NewAnnotation("a.png", blob(), "pore")).id)
        assert [a.id for a in project.annotations()] == theirs
    counts_folders = project.path.stat().st_nlink > 1  # btrfs and overlays do not
    assert not listed or not counts_folders
    for both in (False, True, True, False, True):  # in one breath, before either looks
        theirs += [
            one.add(NewAnnotation("a.png", blob(), "pore")).id
            for one in ((project, other) if both else (other,))
        ]
        assert [a.id for a in project.annotations()] == [a.id for a in other.annotations()]
        assert {a.id for a in project.annotations()} == set(theirs)


def test_annotations_are_ordinary_zarr(project: Project) -> None:
    kept = project.add(NewAnnotation("a.png", blob(5, 7, 3), "pore"))
    group = zarr.open_group(project.path / "annotations.zarr", mode="r")
    assert [name for name, _ in group.arrays()] == [kept.id]
    assert group[kept.id].attrs["label"] == "pore"
    assert np.array_equal(group[kept.id][:], np.ones((3, 3)))


# ---- images, marks, classes, place ----


def test_marks_classes_and_place_survive(project: Project) -> None:
    assert not project.is_done("a.png")
    project.mark_done("a.png", empty=True)
    project.set_class("pore", "#ff0000")
    project.set_class("Riß", "#00ff00")
    project.set_class("pore", "#0000ff")
    project.remember(image_id="a.png", label="pore")
    project.remember(label="Riß")
    again = reopened(project)
    assert again.is_done("a.png")
    assert again.is_empty("a.png")
    assert list(again.classes().items()) == [("pore", "#0000ff"), ("Riß", "#00ff00")]
    assert again.place() == {"image_id": "a.png", "label": "Riß"}

    again.add(NewAnnotation("a.png", blob(), "pore"))
    assert not again.is_empty("a.png")
    with pytest.raises(ProjectError, match="has accepted masks"):
        again.mark_done("a.png", empty=True)
    project.mark_done("a.png", done=False)
    assert not again.is_done("a.png")


def test_image_ids_may_be_anything(project: Project) -> None:
    ids = ["x" * 300, "../../lot 7/Teil ä/裂纹.png", "C:\\parts\\1.png", "", "a\nb"]
    for number, image_id in enumerate(ids):
        register(project, image_id, pixels=PIXELS + np.uint8(number + 1))
    again = reopened(project)
    assert [record.id for record in again.images()] == ["a.png", *ids]
    for number, image_id in enumerate(ids):
        assert np.array_equal(again.read_image(image_id), PIXELS + np.uint8(number + 1))
        again.add(NewAnnotation(image_id, blob(), "pore"))
        assert len(again.annotations(image_id)) == 1


def test_registering_is_idempotent_and_the_first_writer_wins(project: Project) -> None:
    other = reopened(project)
    assert other.image("a.png") == project.image("a.png")
    register(other, "a.png", group="another group")
    assert other.image("a.png").group == "a.png"
    with pytest.raises(ProjectError, match="pixels differ"):
        register(other, "a.png", pixels=PIXELS + np.uint8(1))
    with pytest.raises(ProjectError, match="neither a file nor pixels"):
        other.add_image("b", shape=SHAPE, content_hash="0" * 32)

    project.set_base(BaseRef("starter", "a" * 64))
    other.set_base(BaseRef("renamed", "a" * 64))
    assert other.base == BaseRef("starter", "a" * 64)
    project.save_weights({"decoder": torch.zeros(1)}, {})
    with pytest.raises(ProjectError, match=r"starter.*vit_b"):
        other.set_base(BaseRef("vit_b", "b" * 64))


def photograph(file: Path, seed: int = 1) -> np.ndarray:
    file.parent.mkdir(exist_ok=True, parents=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*SHAPE, 3), np.uint8)
    Image.fromarray(pixels).save(file)
    return pixels


def register_file(project: Project, file: Path) -> None:
    project.add_image(
        file.name, shape=SHAPE, content_hash=content_hash(read_image(file)), path=file
    )


def test_project_moved_together_with_its_images(tmp_path: Path) -> None:
    here = tmp_path / "here"
    pixels = photograph(here / "images" / "bild 1.png")
    project = Project.open(here / "p")
    register_file(project, here / "images" / "bild 1.png")
    assert project.image("bild 1.png").path == "../images/bild 1.png"
    kept = project.add(NewAnnotation("bild 1.png", blob(), "pore"))
    here.rename(tmp_path / "there")
    moved = Project.open(tmp_path / "there" / "p", create=False)
    assert np.array_equal(moved.read_image("bild 1.png"), pixels)
    assert moved.annotations() == [kept]


def test_images_moved_away_are_found_by_content(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    names = ["a.png", "b.png", "twin of b.png", "changed.png"]
    for seed, name in enumerate(names):
        photograph(folder / name, seed=min(seed, 1) if seed < 3 else seed)
    project = Project.open(tmp_path / "p")
    for name in names:
        register_file(project, folder / name)
    shutil.copytree(folder, tmp_path / "new" / "deep")
    photograph(folder / "changed.png", seed=99)
    (folder / "a.png").unlink()
    (folder / "b.png").unlink()
    (folder / "twin of b.png").unlink()
    (tmp_path / "new" / "deep" / "a.png").rename(tmp_path / "new" / "renamed.png")
    (tmp_path / "new" / "text.png").write_text("no image")

    with pytest.raises(ProjectError, match=r"moved or renamed.*relink"):
        project.read_image("a.png")
    with pytest.raises(ProjectError, match="pixels differ"):
        project.read_image("changed.png")
    assert project.relink(tmp_path / "new") == names
    for name in names:
        assert content_hash(reopened(project).read_image(name)) == project.image(name).content_hash
    assert project.image("b.png").path == "../new/deep/b.png"
    assert project.image("twin of b.png").path == "../new/deep/twin of b.png"
    (tmp_path / "new" / "renamed.png").write_text("damaged since")
    with pytest.raises(ImageError, match=r"renamed\.png"):
        project.read_image("a.png")


# ---- split ----


def test_first_two_groups_train_then_a_fifth_of_each_stratum_is_held_out(tmp_path: Path) -> None:
    project = Project.open(tmp_path / "p")
    for number in range(60):
        stratum = ["crack", "pore"][number % 2]
        pixels = np.full(SHAPE, number, np.uint8)
        register(project, str(number), pixels=pixels, group=f"part {number // 4}", stratum=stratum)
        if number == 7:
            assert {record.split for record in project.images()} == {"train"}
    records = reopened(project).images()
    assert len({(record.group, record.split) for record in records}) == 15
    held_out = [record for record in records if record.split == "held_out"]
    assert len(held_out) == 12
    for record in (held_out[0], records[0]):
        kept = project.add(NewAnnotation(record.id, blob(), "pore"))
        assert kept.split == record.split


def test_one_group_holds_out_places_and_never_trains_them_later(tmp_path: Path) -> None:
    project = Project.open(tmp_path / "p")
    shape = (200, 200)
    register(project, pixels=np.zeros(shape, np.uint8))
    masks = []
    for cell in range(100):
        mask = np.zeros(shape, bool)
        row, column = divmod(cell, 10)
        mask[row * 20 + 5 : row * 20 + 15, column * 20 + 5 : column * 20 + 15] = True
        masks.append(mask)
    added = [project.add(NewAnnotation("a.png", mask, "pore")) for mask in masks]
    held = {number for number, a in enumerate(added) if a.split == "held_out"}
    assert len(held) == 20

    register(project, "b.png", pixels=np.ones(shape, np.uint8))
    again = reopened(project)
    number = min(held)
    again.delete(added[number].id)
    assert again.add(NewAnnotation("a.png", masks[number], "pore")).split == "held_out"
    assert again.add(NewAnnotation("b.png", masks[number], "pore")).split == "train"


def test_what_was_read_of_the_log_stays_as_it_was_while_others_append(project: Project) -> None:
    """A thread that goes through the images of a project must not trip over one that adds some."""
    register(project, "a.png")
    before = project._journal.read()
    known = iter(before.images)
    assert next(known) == "a.png"
    register(project, "b.png", pixels=np.zeros((9, 9), np.uint8))
    assert list(known) == []
    assert "b.png" not in before.images
    assert "b.png" in project._journal.read().images


def test_a_thread_that_looks_once_a_turn_sees_what_was_there_when_it_began(
    project: Project,
) -> None:
    ends: list[Callable[[], None]] = []
    project.look_once_a_turn(ends.append)
    colleague = Project.open(project.path)
    image = project.images()[0]
    mask = np.zeros(image.shape, bool)
    mask[2:5, 3:6] = True

    assert project.annotations() == []
    theirs = colleague.add(NewAnnotation(image.id, mask, "dent"))
    colleague.set_class("dent", "#123456")
    assert project.annotations() == []
    assert "dent" not in project.classes()
    # what is said here is seen at once, with all that was said before it
    project.set_class("pit", "#654321")
    assert {"dent", "pit"} <= project.classes().keys()
    ours = project.add(NewAnnotation(image.id, mask, "pit"))
    assert [a.id for a in project.annotations()] == [ours.id]
    with ThreadPoolExecutor(1) as other:
        seen = other.submit(project.annotations).result()
    assert [a.id for a in seen] == [theirs.id, ours.id]

    assert len(ends) == 1
    colleague.delete(theirs.id)
    ends.pop()()
    assert [a.id for a in project.annotations()] == [ours.id]
    assert len(ends) == 1


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "mark", "time": 1, "image": "a.png"},
        {"kind": "image", "time": 1, "id": "b", "shape": [0, -4]},
        {"kind": "class", "time": 1, "name": 7, "color": "#ffffff"},
        {"kind": "weights", "time": 1, "version": "../../elsewhere", "info": {}},
        {"kind": "mark", "image": "a.png", "done": 1, "empty": 0, "time": "soon"},
    ],
)
def test_an_entry_nobody_understands_is_refused_at_every_reading(
    project: Project, entry: dict[str, object]
) -> None:
    log = ChainedLog(project.path / "log.jsonl")
    with log.locked():
        log.read_new()
        log.append(entry)
    for _ in range(2):
        with pytest.raises(ProjectError, match="cannot be understood"):
            reopened(project)


# ---- weights ----


def test_weights_versions_promotions_and_roll_back(project: Project) -> None:
    torch = pytest.importorskip("torch")
    assert project.current_version == "base"
    with pytest.raises(ProjectError, match="not in"):
        project.promote("0123456789ab", report={})
    first = project.save_weights({"a": torch.arange(4.0)}, {"steps": 3})
    second = project.save_weights({"a": torch.arange(5.0)}, {"steps": 4, "parent": first})
    assert project.save_weights({"a": torch.arange(4.0)}, {"steps": 3}) == first
    assert project.current_version == "base"
    other = reopened(project)
    project.promote(first, report={"gain": np.float32(0.5)})
    project.promote(second, report={})
    assert other.current_version == second
    other.promote(first, report={"rolled_back_from": second})
    assert project.current_version == first
    assert [p.version for p in project.promotions()] == [first, second, first]
    assert project.promotions()[0].report == {"gain": 0.5}
    assert [(v.version, v.info["steps"]) for v in other.versions()] == [(first, 3), (second, 4)]
    tensors, info = reopened(project).load_weights(first)
    assert torch.equal(tensors["a"], torch.arange(4.0))
    assert info["steps"] == 3
    project.promote("base", report={})
    assert other.current_version == "base"
    project.weights_path(second).unlink()
    with pytest.raises(ProjectError, match="Restore"):
        project.load_weights(second)


def test_versions_rest_while_the_model_is_another_edition(project: Project) -> None:
    torch = pytest.importorskip("torch")
    old, new = BaseRef("starter", "0" * 64), BaseRef("starter", "1" * 64)
    assert project.set_base(old) is None
    version = project.save_weights({"a": torch.zeros(1)}, {"base": dataclasses.asdict(old)})
    project.promote(version, report={})
    said = project.set_base(new)
    assert said is not None
    assert "The version trained on the model before rests" in said
    assert (project.base, project.current_version) == (new, "base")
    with pytest.raises(ProjectError, match="another base model"):
        project.promote(version, report={})
    with pytest.raises(ProjectError, match="start a new project"):
        project.set_base(BaseRef("vit_b", "2" * 64))
    again = reopened(project)
    file = BaseRef("first_edition.safetensors", old.sha256)
    assert again.set_base(file) is not None
    assert (again.base, again.current_version) == (file, version)
    assert again.set_base(file) is None


# ---- what is refused on opening ----


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ProjectError, match="not a project and is not empty"):
        Project.open(tmp_path)
    with pytest.raises(ProjectError, match="is a file"):
        Project.open(tmp_path / "holiday.jpg")
    with pytest.raises(ProjectError, match="no project"):
        Project.open(tmp_path / "new", create=False)
    assert sorted(tmp_path.rglob("*")) == before
    (tmp_path / "empty").mkdir()
    assert Project.open(tmp_path / "empty").annotations() == []


def test_projects_from_elsewhere_are_refused(project: Project) -> None:
    marker = project.path / "project.json"
    known = json.loads(marker.read_text())
    for text, message in {
        json.dumps({**known, "version": 5}): "newer release",
        json.dumps({**known, "format": "sketch"}): "another program",
        "{": "cannot be read",
    }.items():
        marker.write_text(text)
        with pytest.raises(ProjectError, match=message):
            Project.open(project.path)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("project.json", r"project\.json is missing"),
        ("log.jsonl", r"log\.jsonl \(the images"),
        ("annotations.zarr", r"annotations\.zarr \(the accepted masks\)"),
        ("annotations.zarr/*/zarr.json", "damaged or half-deleted"),
        ("annotations.zarr/*/c.0.0", "damaged or half-deleted"),
    ],
)
def test_half_deleted_projects_say_what_is_missing(
    project: Project, part: str, message: str
) -> None:
    project.add(NewAnnotation("a.png", blob(), "pore"))
    (found,) = project.path.glob(part)
    shutil.rmtree(found) if found.is_dir() else found.unlink()
    with pytest.raises(ProjectError, match=message):
        Project.open(project.path)


def test_damaged_masks_are_never_read_as_something_else(project: Project) -> None:
    kept = project.add(NewAnnotation("a.png", blob(), "pore"))
    (chunk,) = project.path.glob("annotations.zarr/*/c.0.0")
    chunk.write_bytes(chunk.read_bytes()[:-2] + b"xx")
    with pytest.raises(ProjectError, match="damaged"):
        _ = kept.mask
    chunk.unlink()
    with pytest.raises(ProjectError, match="damaged"):
        _ = kept.mask


def test_a_record_that_arrives_file_by_file_is_taken_in_when_it_is_whole(
    project: Project, tmp_path: Path
) -> None:
    """As a synchronised folder delivers what a colleague accepted elsewhere."""
    source = Project.open(tmp_path / "theirs")
    register(source)
    theirs = source.add(NewAnnotation("a.png", blob(), "pore"))
    arriving = project.path / "annotations.zarr" / theirs.id
    arriving.mkdir()
    assert project.annotations() == []
    for name in ("zarr.json", "c.0.0"):
        assert project.annotations() == []
        shutil.copy(source.path / "annotations.zarr" / theirs.id / name, arriving)
    assert project.annotations() == [theirs]
