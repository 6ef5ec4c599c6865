"""A process whose forks die just before, in the middle of, and just after every write they make.

Or lose power then: of what they wrote, only what was flushed is there afterwards, see `Disk`.

    python crashing.py

Waits for lines "points<tab>CASE<tab>FOLDER<tab>POINTS", and answers each with a line of JSON: how
many points were injected (as many as asked for, drawn by chance), and what was wrong after which.
On "moments" in place of "points" forks are killed from outside, so many times, at any moment.
Whatever touches the disk runs in a fork of its own, so that each sees it as a program just started.
"""

from __future__ import annotations

import builtins
import gc
import hashlib
import importlib
import io
import json
import os
import pkgutil
import random
import shutil
import signal
import stat
import sys
import threading
import time
import traceback
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_tune import formats
from napari_sam_tune.core.errors import StorageError
from napari_sam_tune.core.exchange.importing import ImportOptions, checked_images, import_images
from napari_sam_tune.core.exchange.incoming import Location
from napari_sam_tune.core.exchange.merging import Merge
from napari_sam_tune.core.exchange.outgoing import images_out, selection
from napari_sam_tune.core.models.base import BaseRef
from napari_sam_tune.core.project.checking import ProjectCheck
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.project.review import Attribute
from napari_sam_tune.core.storage.durable import replacing_file
from napari_sam_tune.core.storage.embeddings import Embedding, EmbeddingCache
from napari_sam_tune.core.storage.holding import machine
from napari_sam_tune.formats import publishing
from napari_sam_tune.formats.exporting import export
from napari_sam_tune.formats.registry import format_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHAPE = (40, 60)
DIED = 77
PREDICTORS: list[Any] = []
CHANGES = (
    *("fsync", "rename", "replace", "link", "symlink", "unlink", "remove", "mkdir", "rmdir"),
    *("ftruncate", "sendfile"),
)


class Disk:
    """What of a folder is on the disk itself, and would be there after a power cut.

    Of a file what it held when it was flushed last, of a folder the names it had then; nothing at
    all of what never was. Disks may well keep more: `KEEPS_NAMES` is one that keeps every name, as
    those do that write their books before the contents.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._contents: dict[int, bytes] = {}
        self._names: dict[int, dict[str, tuple[int, bool]]] = {}
        self._kept: list[int] = []
        self.flush_all()

    def flush_all(self) -> None:
        for path in [self._root, *self._root.rglob("*")]:
            if path.is_dir():
                self._flush_folder(path)
            else:
                self._contents[path.stat().st_ino] = path.read_bytes()

    def flush(self, descriptor: int) -> None:
        about = os.fstat(descriptor)
        if stat.S_ISDIR(about.st_mode):
            self._flush_folder(descriptor)
        else:
            self._contents[about.st_ino] = Path(f"/proc/self/fd/{descriptor}").read_bytes()

    def _flush_folder(self, folder: Path | int) -> None:
        number = os.stat(folder).st_ino  # noqa: PTH116  a descriptor, or a path
        with os.scandir(folder) as entries:
            self._names[number] = {
                entry.name: (entry.inode(), entry.is_dir(follow_symlinks=False))
                for entry in entries
            }

    def keep(self, path: object, folder: int | None) -> None:
        """Let no new file have the number of one that is about to go."""
        if isinstance(path, str | Path):
            with suppress(OSError):
                self._kept.append(os.open(path, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder))

    def lose_power(self, how: str) -> None:
        if how == KEEPS_NAMES:
            for file in [path for path in self._root.rglob("*") if path.is_file()]:
                file.write_bytes(self._contents.get(file.stat().st_ino, b""))
            return
        lost = self._root.with_name("lost")
        number = self._root.stat().st_ino
        self._root.rename(lost)
        self._build(self._root, number)
        shutil.rmtree(lost)

    def _build(self, folder: Path, number: int) -> None:
        folder.mkdir()
        for name, (inside, is_folder) in self._names.get(number, {}).items():
            if is_folder:
                self._build(folder / name, inside)
            else:
                (folder / name).write_bytes(self._contents.get(inside, b""))


KILLED, UNPLUGGED, KEEPS_NAMES = "killed", "unplugged", "unplugged, names kept"
WAYS = (KILLED, UNPLUGGED, KEEPS_NAMES)


class Crash:
    """Counts the points at which a process may die, and dies at one of them.

    Args:
        folder: all that it writes to.
        at: the number of the point.
        how: one of `WAYS`.

    """

    def __init__(self, folder: Path, at: int = 0, how: str = KILLED) -> None:
        self.count, self._at, self._how, self._lock = 0, at, how, threading.RLock()
        self._disk = None if how == KILLED else Disk(folder)

    def point(self) -> None:
        with self._lock:  # zarr writes in threads of its own
            self.count += 1
            if self.count == self._at:
                if self._disk is not None:
                    self._disk.lose_power(self._how)
                os._exit(DIED)

    def install(self) -> None:
        """Watch all that changes files; for a process that does nothing else any more."""
        if self._disk is not None:
            os.fsync, os.sync = self._disk.flush, self._disk.flush_all
        for name in CHANGES:
            setattr(os, name, partial(self._around, getattr(os, name)))
        publishing._exchange = partial(self._around, publishing._exchange)
        os.open = partial(self._open_descriptor, os.open)
        os.write = partial(self._write, os.write)
        io.open = builtins.open = partial(self._open_file, io.open)

    def _around(self, real: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        self.point()
        if self._disk is not None:
            for path in arguments:
                self._disk.keep(path, options.get("dir_fd"))
        result = real(*arguments, **options)
        self.point()
        return result

    def _open_descriptor(
        self, real: Callable[..., int], path: Any, flags: int, *more: Any, **how: Any
    ) -> int:
        around = (
            self._around if flags & os.O_CREAT else lambda call, *said, **more: call(*said, **more)
        )
        return around(real, path, flags, *more, **how)

    def _write(self, real: Callable[..., int], descriptor: int, content: Any) -> int:
        self.point()
        half = real(descriptor, bytes(content)[: len(content) // 2])
        self.point()
        written = half + real(descriptor, bytes(content)[half:])
        self.point()
        return written

    def _open_file(
        self,
        real: Callable[..., Any],
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> Any:
        if not set(mode) & set("wax+"):
            return real(file, mode, buffering, encoding, errors, newline, closefd, opener)
        self.point()
        raw = _WatchedFile(file, mode.replace("b", "").replace("t", ""), closefd, opener)
        raw.crash = self
        self.point()
        if buffering == 0:
            return raw
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        if "b" in mode:
            return buffered
        return io.TextIOWrapper(buffered, encoding, errors, newline)


class _WatchedFile(io.FileIO):
    crash: Crash

    def write(self, content: Any) -> int:
        whole = bytes(content)
        self.crash.point()
        half = super().write(whole[: len(whole) // 2]) or 0
        self.crash.point()
        written = half + (super().write(whole[half:]) or 0)
        self.crash.point()
        return written


@dataclass
class Case:
    """An operation.

    Attributes:
        make: fills a folder with what was there before.
        act: does one step after the other, each acknowledged when it yields.
        state: what counts in the folder, as texts; its order does not matter.
        afterwards: the next start, which clears what a dead one left; raises where it cannot.
        goes_on: a step may be half-done, and repeating all leads to where it would have ended.
        is_flushed: what was acknowledged outlives a power cut.

    """

    make: Callable[[Path], None]
    act: Callable[[Path], Iterator[object]]
    state: Callable[[Path], list[str]]
    afterwards: Callable[[Path], None]
    goes_on: bool = False
    is_flushed: bool = True


# ---- one case, all its points ----


def forked(
    call: Callable[[Callable[[object], None]], None], killed_after: float | None = None
) -> tuple[int, list[Any]]:
    """Run something in a fork; returns how it ended, and what it told by then.

    Args:
        call: what is run; told how to tell.
        killed_after: so many seconds; None lets it end by itself.

    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        tell_to = os.write  # the one that is not watched
        code = 0
        try:
            call(lambda what: tell_to(write, (json.dumps(what) + "\n").encode()))
        except BaseException:
            tell_to(write, (json.dumps({"error": traceback.format_exc()}) + "\n").encode())
            code = 1
        os._exit(code)
    os.close(write)
    if killed_after is not None:
        time.sleep(killed_after)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(read, "rb") as file:
        told = [json.loads(line) for line in file]
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), told


def prepared(case: Case, folder: Path) -> tuple[Path, list[list[str]]]:
    """Make what was there before; returns its folder, and the states that steps lead to."""
    template, whole = folder / "template", folder / "whole"
    template.mkdir(parents=True)

    def make(tell: Callable[[object], None]) -> None:
        case.make(template)

    def reference(tell: Callable[[object], None]) -> None:
        tell(case.state(whole))
        for _ in case.act(whole):
            tell(case.state(whole))

    _done(forked(make))
    shutil.copytree(template, whole)
    return template, _done(forked(reference))


def run_points(case: Case, folder: Path, most: int) -> tuple[int, list[str]]:
    template, states = prepared(case, folder)

    def count(tell: Callable[[object], None]) -> None:
        crash = Crash(counted)
        crash.install()
        for _ in case.act(counted):
            pass
        tell(crash.count)

    counted = folder / "counted"
    shutil.copytree(template, counted)
    points = _done(forked(count))[-1]
    drawn = random.Random(points).sample(range(1, points + 1), min(points, most))
    faults = []
    ways = WAYS if case.is_flushed else (KILLED,)
    for turn, number in enumerate(sorted(drawn)):
        for how in ways if most >= points else (ways[turn % len(ways)],):
            broken = folder / "broken"
            shutil.copytree(template, broken)
            if fault := _crash_at(case, broken, number, how, states):
                faults.append(f"point {number} of {points}, {how}: {fault}")
            shutil.rmtree(broken)
    return len(drawn), faults


def run_moments(case: Case, folder: Path, most: int) -> tuple[int, list[str]]:
    template, states = prepared(case, folder)
    dice, faults, kills, longest = random.Random(0), [], 0, None
    for _ in range(6 * most + 10):
        broken = folder / "broken"
        shutil.copytree(template, broken)
        began, moment = time.monotonic(), longest and dice.random() * longest
        code, told = forked(partial(_act, case, broken), killed_after=moment)
        if longest is None:  # it was not killed, to see how long it takes
            longest = time.monotonic() - began
        else:  # which changes with what else runs on the computer
            longest *= 0.8 if code == 0 else 1.05
        if code not in {0, -signal.SIGKILL}:
            faults.append(f"ended with {code}: {told}")
        elif fault := _look_at(case, broken, states, len(told)):
            faults.append(f"killed in step {len(told)}: {fault}")
        shutil.rmtree(broken)
        kills += code == -signal.SIGKILL
        if kills == most:
            break
    return kills, faults


def _act(case: Case, folder: Path, tell: Callable[[object], None]) -> None:
    for _ in case.act(folder):
        tell("acknowledged")


def _done(ended: tuple[int, list[Any]]) -> list[Any]:
    code, told = ended
    if code:
        raise RuntimeError(f"{code}: {told[-1:]}")
    return told


def _crash_at(
    case: Case, broken: Path, number: int, how: str, states: list[list[str]]
) -> str | None:
    def act(tell: Callable[[object], None]) -> None:
        Crash(broken, number, how).install()
        _act(case, broken, tell)

    code, told = forked(act)
    if code not in {DIED, 0}:  # 0: its threads took another order, and it met fewer points
        return f"did not die but ended with {code}: {told}"
    return _look_at(case, broken, states, len(told))


def _look_at(case: Case, broken: Path, states: list[list[str]], steps: int) -> str | None:
    """Return what is wrong with what a program left that died after so many steps."""
    before, then = states[steps], states[min(steps + 1, len(states) - 1)]

    def look(tell: Callable[[object], None]) -> None:
        found = case.state(broken)
        if case.goes_on:
            one, other, now = Counter(before), Counter(then), Counter(found)
            missing, more = (one & other) - now, now - (one | other)
            assert not missing, f"lost: {missing}"
            assert not more, f"too much: {more}"
            for _ in case.act(broken):
                pass
            found = case.state(broken)
            assert sorted(found) == sorted(states[-1]), f"after going on: {found}"
        else:
            assert sorted(found) in (sorted(before), sorted(then)), f"half-done: {found}"
        case.afterwards(broken)

    code, told = forked(look)
    return None if code == 0 else str(told)


# ---- what counts in a project ----


def blob(number: int) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    row, column = 7 * (number % 5), 11 * (number // 5 % 5)
    mask[row : row + 5, column : column + 3 + number % 7] = True
    return mask


def pixels(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, SHAPE, np.uint8)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:8]


def project_state(folder: Path, *, is_class_apart: bool = False) -> list[str]:
    if not (folder / "p" / "project.json").exists():
        return []
    project = Project.open(folder / "p", create=False)
    reviews, of_images = project.reviews(), project.image_reviews()
    said = []
    for a in project.annotations():
        mask = f"mask {a.image_id} {_digest(a.mask.tobytes())}"
        # with what is said of each: no mask is to be there without
        fields = str(reviews[a.id].fields())
        apart = [f"{mask} is {a.label}", f"{mask} {fields}"]
        said += apart if is_class_apart else [f"{mask} is {a.label} {fields}"]
    said += [f"overruled {a.label}" for a in project.overruled()]
    for image in project.images():
        shown = "" if image.path is not None else _digest(project.read_image(image.id).tobytes())
        said.append(f"image {image.id} {image.split} {shown}")
        if (state := of_images[image.id].state) not in {"to_do", "done"}:
            said.append(f"{image.id} is {state}")
    for parts in project.things().values():
        if len(parts) > 1:
            said.append(f"thing {sorted(_digest(a.mask.tobytes()) for a in parts)}")
    said += [f"done {image_id}" for image_id in project.done_images()]
    said += [f"empty {image_id}" for image_id in project.empty_images()]
    said += [
        f"class {name} {colour}" for name, colour in project.classes().items() if name != "next"
    ]
    said += [f"attributes {name} {project.attributes(name)}" for name in project.classes()]
    said += [f"version {info.version}" for info in project.versions()]
    for info in project.versions():
        project.load_weights(info.version)
    base = project.base
    said.append(f"in use {None if base is None else base.name} {project.current_version}")
    return said


def start_project(folder: Path) -> None:
    """Open it, write to it once, and look for anything that does not belong there."""
    project = Project.open(folder / "p")
    project.set_class("next", "#010203")
    findings = list(ProjectCheck(project.path).run())
    assert not findings, findings
    hidden = [str(path) for path in project.path.rglob(".*") if path.suffix != ".end"]
    left = [path for path in hidden if path != str(project.path / ".pending")]
    left += [str(path) for path in (project.path / ".pending").iterdir()]
    assert not left, f"left over: {left}"
    arrays = project.path / "images.zarr"
    kept = {path.name for path in arrays.iterdir() if path.is_dir()} if arrays.exists() else set()
    named = {image.content_hash for image in project.images() if image.path is None}
    assert kept == named, f"left over: {kept - named}"


# ---- the cases ----


def make_nothing(folder: Path) -> None:
    pass


def make_project(folder: Path, name: str = "p", masks: int = 3) -> Project:
    project = Project.open(folder / name)
    project.set_base(BaseRef("starter", "a" * 64))
    project.register(pixels(0), "a.png")
    for number in range(masks):
        project.add(NewAnnotation("a.png", blob(number), f"object {number}"))
    return project


def create(folder: Path) -> Iterator[object]:
    yield Project.open(folder / "p")


def accept(folder: Path) -> Iterator[object]:
    project = Project.open(folder / "p")
    yield project.register(pixels(0), "a.png")
    first = project.add(NewAnnotation("a.png", blob(10), "one"))
    yield first
    yield project.add(NewAnnotation("a.png", blob(11), "two", supersedes=first.id))
    yield project.delete(project.annotations()[0].id)
    yield project.restore(min(project.records("a.png")))
    yield project.register(pixels(5), "b.png", group="b")
    yield project.set_class("one", "#112233")
    yield project.mark_done("b.png", empty=True)


def change(folder: Path) -> Iterator[object]:
    """What is said of classes, masks and images after masks were accepted."""
    project = Project.open(folder / "p")
    first, second, third = (annotation.id for annotation in project.annotations())
    done = project.relabel([first, second], "pore")
    yield done
    yield project.set_class("pore", "#112233")
    key = project.rename_class("pore", "object 2")
    yield key
    yield project.rename_back(key)
    yield project.relabel_back(done)
    yield project.remove_class("object 2" if "object 2" in project.classes() else "pore")
    yield project.set_attributes("object 2", [Attribute("depth", "number")])
    yield project.set_review([second, third], state="approved", note="seen")
    yield project.set_review(third, values={"depth": 3})
    yield project.set_image_review("a.png", state="excluded")
    yield project.add(NewAnnotation("a.png", blob(14), "object 2"), thing=second)
    before = project.tie([first, third], second)
    yield before
    yield project.tie_again(before)


def label(folder: Path) -> Iterator[object]:
    """What a person does in a session."""
    from napari_sam_tune import Session

    session = Session(Project.open(folder / "p"), PREDICTORS[-1], recall=False, instant=False)
    yield session.show("a.png")
    yield session.adopt(blob(10), "one")
    session.reopen(session.project.annotations("a.png")[0].id)
    yield session.accept(blob(12), "corrected")
    yield session.undo()
    yield session.redo()
    yield session.delete(session.project.annotations("a.png")[-1].id)
    yield session.undo()
    yield session.mark_done("a.png")


def promote(folder: Path) -> Iterator[object]:
    import torch

    project = Project.open(folder / "p")
    versions = []
    for number in range(2):
        tensors = {"t": torch.full((10,), float(number))}
        info = {"base": {"name": "starter", "sha256": project.base.sha256}}
        versions.append(project.save_weights(tensors, info))
        yield versions
        yield project.promote(versions[-1], report={})
    yield project.promote("base", report={"rolled_back_from": versions[-1]})
    yield project.promote(versions[0], report={})
    yield project.set_base(BaseRef("starter", "b" * 64))
    yield project.set_base(BaseRef("starter", "a" * 64))


def make_source(folder: Path) -> None:
    """Export a project of which something is said of two masks, and begin another one."""
    there = Project.open(folder / "there")
    for number in range(3):
        there.register(pixels(number), f"{number}.png")
    for number, label in ((0, "one"), (0, "two"), (1, "one")):
        there.add(NewAnnotation(f"{number}.png", blob(7 * number + len(label)), label))
    _, second, third = (annotation.id for annotation in there.annotations())
    there.set_attributes("two", [Attribute("depth", "number")])
    there.set_review(second, state="second_look", note="seen", values={"depth": 3})
    there.set_review(third, state="approved")
    there.mark_done("2.png", empty=True)
    classes = selection(there).classes
    export(format_named("yolo"), images_out(there), classes, folder / "source")
    project = Project.open(folder / "p")
    project.set_base(BaseRef("starter", "a" * 64))


def import_source(folder: Path) -> Iterator[object]:
    dataset = format_named("yolo").read(Location(folder / "source"))
    images = checked_images(dataset, ImportOptions())
    yield from import_images(Project.open(folder / "p"), dataset.name, images, ImportOptions())


def make_two(folder: Path) -> None:
    import torch

    project = make_project(folder)
    shutil.copytree(project.path, folder / "other")
    other = Project.open(folder / "other")
    first, second, third = other.annotations()
    other.add(NewAnnotation("a.png", blob(20), "corrected", supersedes=first.id))
    other.delete(second.id)
    other.relabel(third.id, "given later")
    other.set_review(third.id, state="second_look", note="there")
    other.register(pixels(3), "b.png")
    other.add(NewAnnotation("b.png", blob(2), "new"))
    other.save_weights({"t": torch.ones(10)}, {})
    heads = other.path / "heads"
    heads.mkdir()
    (heads / "0123456789ab.safetensors").write_bytes(b"head")


def merge(folder: Path) -> Iterator[object]:
    # the last step comes after the last image: weights and heads
    yield from Merge(Project.open(folder / "p"), Project.open(folder / "other")).run()
    yield None


def merged_state(folder: Path) -> list[str]:
    heads = folder / "p" / "heads"
    # of a mask that is there already the class is said first, then that it is approved
    return project_state(folder, is_class_apart=True) + [
        f"head {path.name}" for path in heads.glob("*")
    ]


def make_damaged(folder: Path) -> None:
    project = make_project(folder)
    project.delete(project.annotations()[0].id)
    log = project.path / "log.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:-2], lines[-2].replace(b"image", b"imago"), lines[-1]]))


def repair(folder: Path) -> Iterator[object]:
    checking = ProjectCheck(folder / "p")
    if list(checking.run()):
        checking.repair()
    yield None


def repaired_state(folder: Path) -> list[str]:
    if any(finding.remedy for finding in ProjectCheck(folder / "p").run()):
        return []
    return project_state(folder)


def make_old(folder: Path) -> None:
    old = Path(__file__).parent.parent / "data" / "ad0f635"
    shutil.copytree(old / "project", folder / "p")
    shutil.copytree(old / "images", folder / "images")


def write_once(folder: Path) -> Iterator[object]:
    yield Project.open(folder / "p").set_class("added", "#445566")


def make_export(folder: Path, form: str) -> None:
    project = make_project(folder)
    for _ in export_as(folder, form):
        pass
    project.add(NewAnnotation("a.png", blob(13), "added since"))


def export_as(
    folder: Path, form: str, *, in_one_step: bool = True, overwrite: bool = True
) -> Iterator[object]:
    if not in_one_step:
        publishing._exchange = lambda *_: False
    project, known = Project.open(folder / "p"), format_named(form)
    out = folder / "out" / f"exported{known.suffix or ''}"
    classes = selection(project).classes
    yield export(known, images_out(project), classes, out, overwrite=overwrite)


def exported_state(folder: Path, form: str) -> list[str]:
    # where two folders cannot change places in one step, the next export puts the old one back
    with suppress(StorageError):
        for _ in export_as(folder, form, overwrite=False):
            pass
    out = folder / "out"
    files = [path for path in out.rglob("*") if path.is_file() and ".export-" not in str(path)]
    return [f"{path.relative_to(out)} {_digest(path.read_bytes())}" for path in files]


def start_export(folder: Path, form: str) -> None:
    for _ in export_as(folder, form):
        pass
    assert len(list((folder / "out").iterdir())) == 1, list((folder / "out").iterdir())
    start_project(folder)


def embed(folder: Path) -> Iterator[object]:
    cache = EmbeddingCache(folder / "cache", max_bytes=100_000)
    for number in range(3):  # the third leaves no room for the first
        yield cache.put("encoder", f"{number}", _embedding(number))


def _embedding(number: int) -> Embedding:
    return Embedding(np.full((8, 48, 48), number, np.float16), SHAPE, SHAPE)


def cached_state(folder: Path) -> list[str]:
    cache = EmbeddingCache(folder / "cache")
    found = {number: cache.get("encoder", f"{number}") for number in range(3)}
    assert all((e.features == n).all() for n, e in found.items() if e is not None)
    whole = [f"{number}" for number, embedding in found.items() if embedding is not None]
    return whole[1:] if len(whole) == 3 else whole  # the first is given up in a step of its own


def start_cache(folder: Path) -> None:
    cache = EmbeddingCache(folder / "cache")
    cache.put("encoder", "next", _embedding(9))
    left = [p for p in cache.path.rglob("*") if p.name.endswith(".partial")]
    assert not [*left, *(cache.path / ".pending").iterdir()]


def make_report(folder: Path) -> None:
    (folder / "report.json").write_text("the one before", encoding="utf-8")


def write_report(folder: Path) -> Iterator[object]:
    with replacing_file(folder / "report.json") as file:
        file.write(b"the new one")
    yield None


def report_state(folder: Path) -> list[str]:
    return [(folder / "report.json").read_text(encoding="utf-8")]


def start_report(folder: Path) -> None:
    for _ in write_report(folder):
        pass
    assert [path.name for path in folder.iterdir()] == ["report.json"]


CASES = {
    "create": Case(make_nothing, create, project_state, start_project),
    "accept": Case(make_project, accept, project_state, start_project),
    "change": Case(make_project, change, project_state, start_project),
    "label": Case(make_project, label, project_state, start_project),
    "promote": Case(make_project, promote, project_state, start_project),
    "import": Case(make_source, import_source, project_state, start_project, goes_on=True),
    "merge": Case(make_two, merge, merged_state, start_project, goes_on=True),
    "repair": Case(make_damaged, repair, repaired_state, start_project, goes_on=True),
    "upgrade": Case(make_old, write_once, project_state, start_project),
    "embed": Case(make_nothing, embed, cached_state, start_cache, is_flushed=False),
    "report": Case(make_report, write_report, report_state, start_report),
}
FORMATS = (
    "coco",
    "cvat",
    "yolo",
    "voc",
    "labelme",
    "labels",
    "ome-zarr",
    "geojson",
    "binary",
    "table",
)
for form in FORMATS:
    acts = {"": partial(export_as, form=form)}
    if form == "yolo":
        acts[" in two steps"] = partial(export_as, form=form, in_one_step=False)
    for how, act in acts.items():
        CASES[f"export {form}{how}"] = Case(
            partial(make_export, form=form),
            act,
            partial(exported_state, form=form),
            partial(start_export, form=form),
        )
WITH_TORCH = ("promote", "merge", "upgrade", "label")
"""Cases that read or write weights; the last of them loads a model."""
SLOW_TO_IMPORT = (
    *("numcodecs.zstd", "zarr.codecs", "PIL.ImageDraw", "tifffile", "pycocotools.mask"),
    *("scipy.spatial", "skimage.measure._find_contours"),
)


def prepare(name: str) -> None:
    """Import once, and not in every fork, what takes long."""
    later = ("answers.answerer", "session.session", "stacks.following", "suggestions.review")
    slow = [f"napari_sam_tune.core.{module}" for module in later] if name == "label" else []
    for module in (*SLOW_TO_IMPORT, *slow):
        import_module(module)
    # what a process wrote outlives it, flushed or not; waiting for the disk takes most of the time
    os.fsync, os.sync = lambda _: None, lambda: None
    machine()  # asks the system for the network's address
    if name in WITH_TORCH:
        import torch

        torch.set_num_threads(1)
    if name.startswith(("export", "import")):
        for module in pkgutil.iter_modules(formats.__path__):
            importlib.import_module(f"{formats.__name__}.{module.name}")
    if name == "label":
        from disc_project import small_starter

        PREDICTORS.append(small_starter())
    gc.freeze()  # or the forks' collectors copy all of it, by looking at it


if __name__ == "__main__":
    for line in sys.stdin:
        how, name, where, most = line.rstrip("\n").split("\t")
        try:
            prepare(name)
            run = run_moments if how == "moments" else run_points
            answer = run(CASES[name], Path(where), int(most))
        except Exception:
            answer = 0, [traceback.format_exc()]
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
