"""Logs that were cut, changed or swapped, several machines, and several people at one object."""

from __future__ import annotations

import json
import os
import queue
import re
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from forking import forker
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from napari_sam_tune.cli import app
from napari_sam_tune.core.errors import DamagedLogError, ProjectError, SamTuneError
from napari_sam_tune.core.images.files import content_hash
from napari_sam_tune.core.models.base import BaseRef
from napari_sam_tune.core.project import journal
from napari_sam_tune.core.project.checking import ProjectCheck
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.sharing.joining import share
from napari_sam_tune.core.storage.chained_log import ChainedLog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHAPE = (40, 60)


def register(project: Project, name: str, shade: int = 0) -> None:
    pixels = np.full(SHAPE, shade, np.uint8)
    project.add_image(name, shape=SHAPE, content_hash=content_hash(pixels), array=pixels)


def blob(row: int, column: int = 5, size: int = 4) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[row : row + size, column : column + size] = True
    return mask


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project.open(tmp_path / "p")
    for number in range(3):
        register(project, f"{number}.png", number)
        project.add(NewAnnotation(f"{number}.png", blob(5), "pore"))
        project.set_class(f"class {number}", "#ffffff")
    gone = project.add(NewAnnotation("0.png", blob(20), "dirt"))
    project.delete(gone.id)
    return project


def living(project: Project) -> list[tuple[str, str, tuple[int, int, int, int]]]:
    return sorted((a.image_id, a.label, a.bbox) for a in project.annotations())


def without_sums(log: Path) -> None:
    """Turn a log into one of the first releases, which had neither checksums nor headers."""
    lines = [json.loads(line) for line in log.read_bytes().splitlines()]
    kept = [
        {k: v for k, v in line.items() if k != "sum"} for line in lines if line["kind"] != "log"
    ]
    log.write_text("".join(f"\n{json.dumps(line)}\n" for line in kept))
    log.with_name(f".{log.name}.end").unlink(missing_ok=True)
    marker = log.with_name("project.json")
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "version": 1}))


# ---- damaged logs ----


def emptied(log: Path) -> None:
    log.write_bytes(b"")


def zeroed(log: Path) -> None:
    log.write_bytes(bytes(log.stat().st_size))


def half_zeroed(log: Path) -> None:
    size = log.stat().st_size
    log.write_bytes(bytes(size // 2) + log.read_bytes()[size // 2 :])


def cut_at_a_line(log: Path) -> None:
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))


def cut_within_a_line(log: Path) -> None:
    log.write_bytes(log.read_bytes()[:-7])


def changed(log: Path) -> None:
    log.write_bytes(log.read_bytes().replace(b'"class 1"', b'"class 7"'))


def line_removed(log: Path) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:4] + lines[5:]))


def first_line_removed(log: Path) -> None:
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[1:]))


def lines_swapped(log: Path) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:3], lines[4], lines[3], *lines[5:]]))


def written_to_by_hand(log: Path) -> None:
    with log.open("ab") as file:
        file.write(b'{"kind":"class","time":1,"name":"mine","color":"#000000"}\n')


DAMAGES = [
    emptied,
    zeroed,
    half_zeroed,
    cut_at_a_line,
    cut_within_a_line,
    changed,
    line_removed,
    first_line_removed,
    lines_swapped,
    written_to_by_hand,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_log_is_refused_and_repaired(
    project: Project, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    before = living(project)
    damage(project.path / "log.jsonl")
    with pytest.raises(DamagedLogError, match="napari-sam-tune check"):
        Project.open(project.path)
    run = CliRunner()
    out = tmp_path / "masks.json"
    export = run.invoke(app, ["export", "masks", str(project.path), "--out", str(out)])
    assert export.exit_code == 1
    assert not out.exists()
    told = run.invoke(app, ["check", str(project.path)])
    assert told.exit_code == 1, told.output
    assert "log.jsonl" in "".join(told.output.split())
    with pytest.raises(DamagedLogError):
        Project.open(project.path)  # it was only looked at
    mended = run.invoke(app, ["check", str(project.path), "--repair"])
    assert mended.exit_code == 0, mended.output
    assert list((project.path / "damaged").glob("*log.jsonl"))
    again = Project.open(project.path)
    # every mask is back; what only the log said may be gone with its lines, a deletion too
    assert set(before) <= set(living(again))
    again.set_class("new", "#123456")
    assert Project.open(project.path).classes()["new"] == "#123456"
    assert run.invoke(app, ["check", str(project.path)]).output.strip() == "The project is whole."


def test_a_log_damaged_under_an_open_project_is_refused_at_every_reading(project: Project) -> None:
    changed(project.path / "log.jsonl")
    fresh = Project(project._folder)
    for _ in range(2):
        with pytest.raises(DamagedLogError):
            fresh.images()
    emptied(project.path / "log.jsonl")
    for _ in range(2):
        with pytest.raises(DamagedLogError, match="shorter"):
            project.images()
        with pytest.raises(DamagedLogError, match="shorter"):
            project.set_class("x", "#ffffff")


@pytest.mark.parametrize("looks", [Project.open, lambda path: [*ProjectCheck(path).run()]])
def test_what_another_program_writes_meanwhile_is_no_damage(
    project: Project, monkeypatch: pytest.MonkeyPatch, looks: Callable[[Path], object]
) -> None:
    other, read = Project.open(project.path), ChainedLog.read_new

    def read_and_wait(log: ChainedLog) -> list[dict[str, Any]]:
        entries = read(log)
        monkeypatch.undo()
        other.set_class("meanwhile", "#ffffff")
        return entries

    monkeypatch.setattr(ChainedLog, "read_new", read_and_wait)
    found = looks(project.path)
    assert not found or isinstance(found, Project)
    assert "meanwhile" in Project.open(project.path).classes()


def test_what_another_program_says_while_a_log_is_repaired_is_kept_or_refused(
    project: Project,
) -> None:
    lines_swapped(project.path / "log.jsonl")  # which the other program has read before
    said: queue.Queue[str] = queue.Queue()

    def go_on() -> None:
        with suppress(ProjectError):
            for number in count():
                project.set_class(f"meanwhile {number}", "#123456")
                said.put(f"meanwhile {number}")

    with ThreadPoolExecutor(1) as other:
        going_on = other.submit(go_on)
        kept = [said.get() for _ in range(3)]
        checking = ProjectCheck(project.path)
        assert any(finding.remedy for finding in checking.run())
        kept += [said.get() for _ in range(3)]
        checking.repair()
        going_on.result(timeout=60)
    kept += [said.get() for _ in range(said.qsize())]
    with pytest.raises(ProjectError, match=r"replaced while|become shorter"):
        project.classes()
    assert set(kept) <= Project.open(project.path).classes().keys()
    assert not list(ProjectCheck(project.path).run())


def test_a_log_whose_checksums_were_taken_out_is_not_written_to(project: Project) -> None:
    log = project.path / "log.jsonl"
    lines = [json.loads(line) for line in log.read_bytes().splitlines()]
    plain = [{key: value for key, value in line.items() if key != "sum"} for line in lines]
    log.write_text("".join(f"{json.dumps(line)}\n" for line in plain))
    log.with_name(".log.jsonl.end").unlink()
    before = log.read_bytes()
    Project.open(project.path).set_class("new", "#123456")
    assert log.read_bytes() == before
    assert Project.open(project.path).classes()["new"] == "#123456"


def test_leftovers_of_stopped_programs_are_told_and_cleared(project: Project) -> None:
    (project.path / "weights").mkdir()
    (project.path / "weights" / "0123456789ab.safetensors").write_bytes(b"half")
    stale = project.path / ".pending" / "1-stale"
    stale.mkdir()
    os.utime(stale, (time.time() - 7200,) * 2)
    run = CliRunner()
    told = run.invoke(app, ["check", str(project.path)])
    assert told.exit_code == 1
    assert "0123456789ab" in told.output
    assert "1 unfinished write" in told.output
    assert run.invoke(app, ["check", str(project.path), "--repair"]).exit_code == 0
    assert not stale.exists()
    assert (project.path / "damaged" / "0123456789ab.safetensors").is_file()
    assert run.invoke(app, ["check", str(project.path)]).output.strip() == "The project is whole."


def test_entries_nobody_understands_are_left_out_by_a_repair(project: Project) -> None:
    before = living(project)
    log = project.path / "log.jsonl"
    without_sums(log)
    with log.open("a") as file:
        file.write('{"kind":"mark","time":1}\n{"kind":"class","name":"x","color":"#000000"}\n')
        file.write('{"kind":["mark"],"time":1}\n')
    with pytest.raises(ProjectError, match="cannot be understood"):
        Project.open(project.path)
    run = CliRunner()
    assert "cannot be understood" in " ".join(
        run.invoke(app, ["check", str(log.parent)]).output.split()
    )
    assert run.invoke(app, ["check", str(log.parent), "--repair"]).exit_code == 0
    assert living(Project.open(project.path)) == before
    assert run.invoke(app, ["check", str(log.parent)]).output.strip() == "The project is whole."


def test_a_torn_last_line_is_a_crash_and_is_dropped(project: Project) -> None:
    log = project.path / "log.jsonl"
    with log.open("ab") as file:
        file.write(b'{"kind":"class","na')
    assert len(Project.open(project.path).classes()) == 3
    told = CliRunner().invoke(app, ["check", str(project.path)])
    assert "cut short" in told.output
    project.set_class("next", "#ffffff")
    assert len(Project.open(project.path).classes()) == 4
    assert all(json.loads(line) for line in log.read_bytes().splitlines())


def test_a_first_line_cut_short_is_dropped_as_well(tmp_path: Path) -> None:
    log = Project.open(tmp_path / "p").path / "log.jsonl"
    log.write_bytes(b'{"kind":"log","time":1,"na')
    Project.open(tmp_path / "p").set_class("pore", "#ffffff")
    assert Project.open(tmp_path / "p").classes() == {"pore": "#ffffff"}


@pytest.mark.parametrize("name", ["log.jsonl", "project.json", ".log.jsonl.end", "log-0.jsonl"])
def test_no_link_is_followed_in_the_place_of_a_control_file(
    project: Project, tmp_path: Path, name: str
) -> None:
    target = tmp_path / "outside"
    own = project.path / name
    target.write_bytes(own.read_bytes() if own.exists() else b"")
    before = target.read_bytes()
    own.unlink(missing_ok=True)
    own.symlink_to(target)
    with suppress(SamTuneError):
        Project.open(project.path).set_class("x", "#ffffff")
    assert target.read_bytes() == before


CACHES = ("embeddings.zarr", "signatures.zarr", "heads")


@pytest.mark.parametrize(
    "part", ["a mask", "its pixels", "an image", "all masks", "unfinished", *CACHES]
)
def test_a_link_in_the_place_of_a_record_is_told_like_other_damage(
    project: Project, tmp_path: Path, part: str
) -> None:
    kept = project.annotations("0.png")[0]
    pixels = project.image("0.png").content_hash
    mask = project.path / "annotations.zarr" / kept.id
    own = {
        "a mask": mask,
        "its pixels": mask / "c.0.0",
        "an image": project.path / "images.zarr" / pixels,
        "all masks": project.path / "annotations.zarr",
        "unfinished": project.path / ".pending",
        **{name: project.path / name for name in CACHES},
    }[part]
    if part in CACHES:
        own.mkdir()
    outside = tmp_path / "outside"
    shutil.move(own, outside)
    own.symlink_to(outside)
    os.utime(outside, (1, 1))
    before = sorted(tmp_path.glob("outside/**/*"))
    if part == "an image":  # a project opens without its images, as without files that were moved
        with pytest.raises(ProjectError, match="is a link"):
            Project.open(project.path).read_image("0.png")
    else:
        with pytest.raises(ProjectError, match="is a link"):
            Project.open(project.path)
    checked = CliRunner().invoke(app, ["check", str(project.path), "--repair"])
    assert "is a link" in " ".join((checked.output + str(checked.exception)).split())
    assert sorted(tmp_path.glob("outside/**/*")) == before
    if part in {"a mask", "its pixels"}:
        assert Project.open(project.path).annotations("0.png") == []
        assert (project.path / "damaged" / kept.id).exists()


def test_pixels_in_the_project_are_those_that_were_labelled(project: Project) -> None:
    pixels = project.path / "images.zarr" / project.image("1.png").content_hash
    (chunk,) = pixels.glob("c.*")
    zarr.open_array(pixels, mode="r+")[5, 5] = 200  # a chunk that is whole, but another one
    again = Project.open(project.path)
    assert again.read_image("0.png").shape == SHAPE
    with pytest.raises(ProjectError, match=r"“1\.png” in .*images\.zarr are damaged: they are not"):
        again.read_image("1.png")
    chunk.unlink()  # which zarr would read as zeros
    with pytest.raises(ProjectError, match=r"“1\.png”"):
        Project.open(project.path).read_image("1.png")
    out = project.path.parent / "out"
    yolo = ["export", "masks", str(project.path), "--format", "yolo", "--out", str(out)]
    exported = CliRunner().invoke(app, yolo)
    assert "1.png" in str(exported.exception)
    assert not out.exists()
    checked = CliRunner().invoke(app, ["check", str(project.path)])
    assert "1.png" in checked.output


@pytest.mark.parametrize("version", [2, 3, 4])
def test_a_lost_marker_keeps_no_release_out_that_can_read_the_project(
    project: Project, tmp_path: Path, version: int
) -> None:
    if version == 3:
        project.set_class("pore", "#ffffff")
        project.rename_class("pore", "hole")
    if version == 4:
        share(project.path, str(tmp_path / "drive"))
    marker = project.path / "project.json"
    assert json.loads(marker.read_text())["version"] == version
    marker.unlink()
    assert CliRunner().invoke(app, ["check", str(project.path), "--repair"]).exit_code == 0
    assert json.loads(marker.read_text())["version"] == version


# ---- logs of the first releases, and of other machines ----


def test_a_project_of_an_earlier_release_goes_on_and_old_releases_are_kept_out(
    project: Project,
) -> None:
    before = living(project)
    log = project.path / "log.jsonl"
    without_sums(log)
    with log.open("ab") as file:
        file.write(b'\n{"kind":"class","na')
        file.write(b'\n{"kind":"class","time":9e9,"name":"late","color":"#000000"}\n')
    old = log.read_bytes()
    again = Project.open(project.path)
    assert living(again) == before
    assert "late" in again.classes()
    assert json.loads((project.path / "project.json").read_text())["version"] == 1
    again.delete(again.annotations()[0].id)
    assert json.loads((project.path / "project.json").read_text())["version"] == 2
    assert log.read_bytes() == old
    assert len(Project.open(project.path).annotations()) == 2
    cut_at_a_line(log)
    with pytest.raises(DamagedLogError, match="end is missing"):
        Project.open(project.path)


def test_machines_write_to_logs_of_their_own_and_agree(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = journal.machine()
    there = Project.open(project.path)
    target = there.annotations()[0]
    clock = time.time
    monkeypatch.setattr(journal, "machine", lambda: "feedbeef")
    # the other machine's clock is an hour behind: what it says in the knowledge of more is later
    monkeypatch.setattr(time, "time", lambda: clock() - 3600)
    there.set_class("class 0", "#000000")
    there.delete(target.id)
    assert (project.path / "log-feedbeef.jsonl").is_file()
    monkeypatch.setattr(journal, "machine", lambda: here)
    monkeypatch.setattr(time, "time", clock)
    for seen in (project, there, Project.open(project.path)):
        assert seen.classes()["class 0"] == "#000000"
        assert target not in seen.annotations()
    project.restore(target.id)
    assert target in there.annotations()


def test_entries_that_come_late_take_their_place(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share may show another machine's file later than it was written."""
    other = Project.open(shutil.copytree(project.path, tmp_path / "seen elsewhere"))
    monkeypatch.setattr(journal, "machine", lambda: "feedbeef")
    other.set_class("class 0", "#111111")
    other.set_class("class 1", "#111111")
    other.relabel(other.annotations()[0].id, "class 1")
    monkeypatch.undo()
    project.set_class("class 1", "#222222")
    project.rename_class("class 2", "class 3")
    moves = project.class_moves()
    assert project.classes()["class 0"] == "#ffffff"
    shutil.copy(other.path / "log-feedbeef.jsonl", project.path)
    assert project.classes()["class 0"] == "#111111"
    assert project.classes()["class 1"] == "#222222"
    assert project.class_moves() == moves  # and nobody follows a name twice


# ---- records and entries somebody changed ----

BOX = [0, 0, 10**9, 10**9]
NONSENSE = st.sampled_from(
    [None, -1, 0, 10**30, 1e308, float("nan"), "", "../../x", "\ud800", [], [1], {}, {"a": 1}, BOX]
)


def places(document: object, before: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return where anything stands in a JSON document."""
    inside = document.items() if isinstance(document, dict) else enumerate(document)
    found = []
    for key, value in inside:
        found.append((*before, key))
        if isinstance(value, dict | list):
            found += places(value, (*before, key))
    return found


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), value=NONSENSE, of_log=st.booleans())
def test_nonsense_in_a_project_is_a_sentence(
    project: Project, tmp_path: Path, data: st.DataObject, value: object, of_log: bool
) -> None:
    copy = shutil.copytree(project.path, tmp_path / "copy", dirs_exist_ok=True)
    if of_log:
        without_sums(copy / "log.jsonl")
        file = copy / "log.jsonl"
        lines = [line for line in file.read_text().splitlines() if line]
        number = data.draw(st.integers(0, len(lines) - 1))
    else:
        file = sorted((copy / "annotations.zarr").glob("*/zarr.json"))[0]
        lines, number = [file.read_text()], 0
    document = json.loads(lines[number])
    *way, last = data.draw(st.sampled_from(places(document)))
    part = document
    for key in way:
        part = part[key]
    part[last] = value
    lines[number] = json.dumps(document)
    file.write_text("".join(f"{line}\n" for line in lines))
    with suppress(SamTuneError):  # a sentence; anything else fails the test
        seen = Project.open(copy)
        for annotation in seen.annotations():
            assert annotation.mask.any()
            assert annotation.prompts == ()
        for image in seen.images():
            seen.read_image(image.id)


# ---- one object stays one ----


def correct(project: Project, before: str, row: int, label: str = "pore") -> str:
    return project.add(NewAnnotation("0.png", blob(row), label, supersedes=before)).id


def test_of_two_corrections_at_once_the_later_lives_and_both_see_it(project: Project) -> None:
    (target,) = project.annotations("0.png")
    other = Project.open(project.path)
    first = correct(project, target.id, 10)
    second = correct(other, target.id, 15)  # made without a look at the first
    for seen in (project, other, Project.open(project.path)):
        assert [a.id for a in seen.annotations("0.png")] == [second]
        assert [a.id for a in seen.overruled("0.png")] == [first]
    project.restore(first)
    for seen in (project, other):
        assert [a.id for a in seen.annotations("0.png")] == [first]
    third = correct(other, first, 12)
    assert [a.id for a in project.annotations("0.png")] == [third]
    told = CliRunner().invoke(app, ["check", str(project.path)])
    assert told.exit_code == 0
    assert "corrected twice" in re.sub(r"\s+", " ", told.output)


def test_undoing_a_correction_is_one_line(project: Project) -> None:
    (target,) = project.annotations("0.png")
    corrected = correct(project, target.id, 10)
    log = project.path / "log.jsonl"
    before = log.read_bytes()
    project.exchange(delete=corrected, restore=target.id)
    assert log.read_bytes()[len(before) :].count(b"\n") == 1
    assert project.annotations("0.png") == [target]
    again = correct(project, target.id, 12)
    assert [a.id for a in Project.open(project.path).annotations("0.png")] == [again]


def test_of_two_models_chosen_at_once_the_first_is_it(tmp_path: Path) -> None:
    one, other = Project.open(tmp_path / "p"), Project.open(tmp_path / "p")
    assert other.base is None
    recorded = type(other).base
    assert one.set_base(BaseRef("a", "a" * 64)) is None
    answers = iter([None])
    with pytest.MonkeyPatch.context() as patch:
        # the other program looked before the first one wrote
        patch.setattr(
            type(other), "base", property(lambda self: next(answers, recorded.__get__(self)))
        )
        with pytest.raises(ProjectError, match="just begun"):
            other.set_base(BaseRef("b", "b" * 64))
    assert Project.open(tmp_path / "p").base == BaseRef("a", "a" * 64)


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_objects_are_neither_lost_nor_doubled_by_kills_while_two_people_correct_them(
    tmp_path: Path,
) -> None:
    project = Project.open(tmp_path / "p")
    register(project, "0.png")
    for number in range(4):
        project.add(NewAnnotation("0.png", blob(2 + 9 * number), f"object {number}"))
    labels = [f"object {number}" for number in range(4)]
    kills = max(4, int(os.environ.get("SAM_TUNE_KILLS", "20")) // 5)
    with forker("correcting", tmp_path) as start:
        for kill in range(kills):
            both = [start(project.path, 2 * kill + number) for number in range(2)]
            for _, said in both:
                for _ in range(3):
                    assert said.readline() == "corrected\n"
            moment = time.perf_counter() + 0.003 * (kill % 7)
            while time.perf_counter() < moment:
                pass
            for process, said in both:
                os.kill(process, signal.SIGKILL)
                with said:
                    said.read()  # to its end: nobody writes any more
            for seen in (project, Project.open(project.path)):
                assert sorted(a.label for a in seen.annotations("0.png")) == labels
    assert any(a.supersedes is not None for a in project.annotations())
