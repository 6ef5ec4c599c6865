"""Kills, power cuts, full disks, and several writers at once: nothing accepted is ever lost."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import accepting
import numpy as np
import pytest
from accepting import SHAPE, mask_number, open_project
from forking import forker

from napari_sam_tune.core.errors import ProjectError, StorageError
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.storage import durable
from napari_sam_tune.core.storage.embeddings import Embedding, EmbeddingCache
from napari_sam_tune.core.storage.holding import machine

if TYPE_CHECKING:
    from collections.abc import Iterator

KILLS = int(os.environ.get("SAM_TUNE_KILLS", "20"))
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and file descriptors")


@posix
def test_every_mask_accepted_survives_kills_at_random_moments(tmp_path: Path) -> None:
    path = tmp_path / "p"
    dice = random.Random(0)
    promised: dict[str, int] = {}
    with forker("accepting", tmp_path) as start:
        for kill in range(KILLS):
            killed, said = start(path, kill * 10_000, (kill + 1) * 10_000)
            with said:
                # The first kill strikes while the project is being made, the others while masks
                # are added.
                while kill == 0 and not path.exists():
                    pass
                lines = [said.readline() for _ in range(dice.randint(1, 9) if kill else 0)]
                moment = time.perf_counter() + dice.random() * 0.006
                while time.perf_counter() < moment:
                    pass
                os.kill(killed, signal.SIGKILL)
                lines += said.read().splitlines(keepends=True)  # to its end: nobody writes any more
            for line in lines:
                if line.endswith("\n"):
                    number, annotation_id = line.split()
                    promised[annotation_id] = int(number)

            project = Project.open(path)
            stored = {a.id: a for a in project.annotations()}
            assert promised.keys() <= stored.keys()
            for annotation in stored.values():
                assert np.array_equal(annotation.mask, mask_number(int(annotation.label)))
            told = {p.report["number"] for p in project.promotions()}
            assert {number for number in promised.values() if number % 5 == 0} <= told
    assert len(promised) > KILLS


def test_two_processes_accept_and_promote_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p"
    watching = open_project(path)
    command = [sys.executable, accepting.__file__, str(path), "1000", "1040"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        said = other.stdout.readline()  # it has begun
        accepting.main(path, 0, 40)
        # not by `communicate`, which passes over what was read ahead with the first line
        said += capsys.readouterr().out + other.stdout.read()
    assert other.returncode == 0
    promised = {line.split()[1]: int(line.split()[0]) for line in said.splitlines()}
    assert len(promised) == 80
    stored = {a.id: a for a in watching.annotations()}
    assert stored.keys() == promised.keys()
    for annotation_id, number in promised.items():
        assert np.array_equal(stored[annotation_id].mask, mask_number(number))
    told = [p.report["number"] for p in watching.promotions()]
    assert sorted(told) == [n for n in sorted(promised.values()) if n % 5 == 0]
    assert len(watching.images()) == 1


@posix
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="reads names from /proc")
def test_everything_is_on_the_disk_before_add_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut cannot be had; the order of flushes and the rename can."""
    project = open_project(tmp_path / "p")
    events: list[tuple[str, str]] = []
    flush, rename = os.fsync, Path.rename

    def note_flush(descriptor: int) -> None:
        events.append(("flush", str(Path(f"/proc/self/fd/{descriptor}").readlink())))
        flush(descriptor)

    def note_rename(self: Path, target: Path) -> Path:
        events.append(("rename", str(self)))
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", note_flush)
    monkeypatch.setattr(Path, "rename", note_rename)
    project.add(NewAnnotation("a.png", mask_number(1), "pore"))
    names = [(what, Path(where).name) for what, where in events]
    built = Path(events[-2][1])
    assert names[-2:] == [("rename", built.name), ("flush", "annotations.zarr")]
    assert sorted(names[:-3]) == [("flush", "c.0.0"), ("flush", "zarr.json")]
    assert names[-3] == ("flush", built.name)

    events.clear()
    project.mark_done("a.png")
    assert [(what, Path(where).name) for what, where in events] == [("flush", "log.jsonl")]


# ---- disks that refuse ----


@contextmanager
def small_disk(folder: Path, size: str = "1m") -> Iterator[Path]:
    """Mount a file system of a size; skips where that is not allowed."""
    folder.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets the tests mount no small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (4096, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
    return filler


def test_full_disk_loses_nothing_and_a_retry_works(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    with small_disk(tmp_path / "disk") as disk:
        project = open_project(disk / "p")
        cache = EmbeddingCache(project.path / "embeddings.zarr")
        embedding = Embedding(np.ones((64, 16, 16), np.float16), SHAPE, (1024, 1024))
        new = NewAnnotation("a.png", mask_number(7), "pore")
        first = project.add(new)
        filler = fill(disk)
        weights = {"a": torch.ones(9000)}
        refused = (
            lambda: project.add(new),
            lambda: project.save_weights(weights, {}),
            lambda: cache.put("encoder", "image", embedding),
            lambda: project.set_class("x" * 8192, "#ffffff"),
        )
        for write in refused:
            with pytest.raises(StorageError, match="disk is full"):
                write()
        assert Project.open(project.path).annotations() == [first]  # looking is still possible
        assert project.versions() == []
        assert not any((project.path / ".pending").iterdir())
        filler.unlink()
        for write in refused:
            write()
        again = Project.open(project.path)
        assert [np.count_nonzero(a.mask) for a in again.annotations()] == [first.area] * 2
        assert len(again.versions()) == len(again.classes()) == 1
        assert cache.contains("encoder", "image")


@pytest.mark.parametrize("step", ["_flush", "publish_folder", "pending_folder"])
def test_refused_writes_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    project = open_project(tmp_path / "p")
    before = sorted(project.path.rglob("*"))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        if step == "_flush":
            patch.setattr(os, "fsync", refuse)
        elif step == "publish_folder":
            patch.setattr(Path, "rename", refuse)
        else:
            patch.setattr(Path, "mkdir", refuse)
        with pytest.raises(StorageError, match="disk is full") as caught:
            project.add(NewAnnotation("a.png", mask_number(1), "pore"))
        assert caught.value.errno == errno.ENOSPC
    assert sorted(project.path.rglob("*")) == before
    kept = project.add(NewAnnotation("a.png", mask_number(1), "pore"))
    assert Project.open(project.path).annotations() == [kept]


def test_a_folder_that_cannot_be_written_to_is_opened_and_left_as_it_is(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        project = open_project(disk / "p")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert Project.open(project.path).annotations() == []
        with pytest.raises(ProjectError, match="cannot be written to"):
            Project.open(disk / "new")
        with pytest.raises(StorageError, match="permissions"):
            project.add(NewAnnotation("a.png", mask_number(1), "pore"))
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        project.add(NewAnnotation("a.png", mask_number(1), "pore"))


# ---- what dead writers leave ----


def test_leftovers_of_dead_writers_are_removed_and_those_of_living_ones_left(
    tmp_path: Path,
) -> None:
    project = open_project(tmp_path / "p")
    kept = project.add(NewAnnotation("a.png", mask_number(1), "pore"))
    record, pending = project.path / "annotations.zarr" / kept.id, project.path / ".pending"
    dead, old, elsewhere = (
        pending / name for name in (f"{machine()}-1-dead", "feedbeef-2-old", "feedbeef-3-elsewhere")
    )
    for left in (dead, old, elsewhere):
        shutil.copytree(record, left)
    two_days_ago = time.time() - 2 * 24 * 60 * 60
    os.utime(old, (two_days_ago, two_days_ago))
    with durable.pending_folder(pending) as living:
        assert Project.open(project.path).annotations() == [kept]
        # what another machine writes cannot be told from what it left, for a day
        assert set(pending.iterdir()) == {elsewhere, living} | (
            {dead} if os.name == "nt" else set()
        )


def test_a_file_that_was_being_replaced_leaves_nothing_for_long(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    with durable.replacing_file(report) as file:
        (living,) = tmp_path.iterdir()
        shutil.copy(living, f"{living}-of-a-dead-one")
        with durable.replacing_file(report) as other:
            other.write(b"first")
        file.write(b"second")
    assert report.read_bytes() == b"second"
    assert os.name == "nt" or list(tmp_path.iterdir()) == [report]


def test_a_project_whose_making_was_interrupted_is_finished(tmp_path: Path) -> None:
    whole = Project.open(tmp_path / "whole").path
    for parts in ([], ["annotations.zarr"], ["annotations.zarr", "log.jsonl"]):
        unfinished = tmp_path / f"{len(parts)} parts"
        (unfinished / ".pending").mkdir(parents=True)
        for part in parts:
            copy = shutil.copytree if (whole / part).is_dir() else shutil.copy
            copy(whole / part, unfinished / part)
        assert open_project(unfinished).annotations() == []


def test_publishing_to_a_taken_name_changes_nothing(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    assert durable.publish_folder(tmp_path / "first", tmp_path / "final")
    assert not durable.publish_folder(tmp_path / "second", tmp_path / "final")
    assert (tmp_path / "final" / "file").read_text() == "first"
