r"""How names of files are compared, and how a file is found that another file names.

One rule for all who pair files or look one up: names are compared in Unicode's composed form (NFC),
because macOS, zip files and shared disks write "é" in two ways; "\\" and "/" both part folders,
because files are written on Windows and read elsewhere; `a.ome.zarr` and `a.ome.tif` are called `a`
where nothing is called `a.ome`, and so is `a_cp_masks.png`. A link counts by its own name and
place, what it points at is read.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from errno import ENAMETOOLONG
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Final, TypeVar
from unicodedata import normalize

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.images.files import IMAGE_SUFFIXES, list_files
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Found = TypeVar("Found")

_ENDINGS: Final = (".ome", "_cp_masks")
"""What OME's and Cellpose's files are called more than what they belong to."""


def composed(name: str) -> str:
    """Return a name in the form in which names are compared."""
    return normalize("NFC", name)


def parts_of(name: str) -> tuple[str, ...]:
    """Return the folders and the file of a name written on any system, in the form to compare."""
    return PureWindowsPath(composed(name)).parts


def stem_of(name: str) -> str:
    """Return a file's name without folders and without the suffix of an image, to compare."""
    last = PurePosixPath(parts_of(name)[-1] if parts_of(name) else "")
    return last.stem if last.suffix.lower() in IMAGE_SUFFIXES else last.name


def stems(files: Iterable[Path], folder: Path) -> dict[str, tuple[Path, ...]]:
    """Return files of a folder by their names without suffix, "/" between folders, to compare.

    Those that differ in the suffix alone share an entry; see `only`.
    """
    found: dict[str, tuple[Path, ...]] = {}
    for path in files:
        stem = composed(path.relative_to(folder).with_suffix("").as_posix())
        found[stem] = (*found.get(stem, ()), path)
    return found


def only(files: tuple[Path, ...]) -> Path:
    """Return the file of a name without suffix.

    Raises:
        SamTuneError: there are several.

    """
    if len(files) > 1:
        raise SamTuneError(
            tr(
                "{first} and {second} in {folder} share a name without suffix, so that "
                "nothing tells which is meant; rename one.",
                first=files[0].name,
                second=files[1].name,
                folder=files[0].parent,
            )
        )
    return files[0]


def place_of(folder: Path, parts: Iterable[str]) -> Path:
    """Return a place in a folder, each of its folders in the form of Unicode that the disk has."""
    place = folder
    for part in parts:
        there = place / part
        if not _is_there(there) and place.is_dir():
            alike = (entry for entry in place.iterdir() if composed(entry.name) == composed(part))
            there = next(alike, there)
        place = there
    return place


def inside(folder: Path, name: object, entry: str) -> Path:
    """Return the path of a file that is named in another file.

    Args:
        folder: where it must lie.
        name: as it was read.
        entry: what names it, for the error.

    Raises:
        SamTuneError: not a name, an absolute one, one that climbs out of the folder, or one that is
            too long.

    """
    if not isinstance(name, str) or not name.strip() or "\0" in name:
        raise SamTuneError(
            tr("{entry} has no file name (it says {name}).", entry=entry, name=repr(name))
        )
    either = PureWindowsPath(name)  # knows both separators
    if PurePosixPath(name).is_absolute() or either.anchor or ".." in either.parts:
        raise SamTuneError(
            tr(
                "{entry} names the file {name}, which is not inside {folder}. Names "
                "must be relative to that folder, without “..”.",
                entry=entry,
                name=repr(name),
                folder=folder,
            )
        )
    literal = folder / name
    if _is_there(literal):
        return literal
    refuse_too_long(folder / either, name, entry)
    return place_of(folder, either.parts)


def _is_there(path: Path) -> bool:
    """Whether something is there, whatever the name; `Path.exists` raises where it is too long."""
    return os.path.exists(path)  # noqa: PTH110


def refuse_too_long(path: Path, name: str, entry: str) -> None:
    """Refuse a name that the disk cannot hold, before somebody asks for a file of it.

    Args:
        path: where the file should be.
        name: as it was read.
        entry: what names it, for the error.

    Raises:
        SamTuneError: no file can be there.

    """
    try:
        path.lstat()
    except ValueError:
        return  # such as half a character, which no file has either
    except OSError as error:
        if error.errno != ENAMETOOLONG:
            return
        raise SamTuneError(
            tr(
                "{entry} names a file whose name, of {count} characters, is longer than the disk "
                "can hold: {name}…",
                entry=entry,
                count=len(name),
                name=repr(name[:40]),
            )
        ) from error


def paired(names: Iterable[str], files: Mapping[str, Found]) -> dict[str, Found]:
    """Return what each name stands for, see `stems`; names that stand for nothing are left out."""
    names = [*names]
    found = {name: name for name in names if name in files}
    taken = set(found)
    for name in names:
        for ending in _ENDINGS:
            for other in (name.removesuffix(ending), name + ending):
                if name not in found and other in files and other not in taken:
                    found[name] = other
                    taken.add(other)
    return {name: files[other] for name, other in found.items()}


def absolute(path: str | Path) -> Path:
    """Return a path from the root, without following links."""
    return Path(os.path.abspath(path))  # noqa: PTH100  `resolve` follows them


def own_name(folder: Path) -> str:
    """Return what a folder is called, "." and ".." too; of a link its own name."""
    return absolute(folder).name


@dataclass(frozen=True)
class NamedFile:
    """A file that another file names.

    Attributes:
        path: where it is, or should be.
        said: the name as it was read, where the file lies elsewhere than it says; else None.

    """

    path: Path
    said: str | None = None


@dataclass(frozen=True)
class NamedFiles:
    """Files that other files name, all of them in one folder.

    Attributes:
        folder: where they are.

    """

    folder: Path

    def find(self, name: object, entry: str, *, beside: Path | None = None) -> NamedFile:
        """Find a file by the name another file has for it.

        Where none lies where the name says, the only one of that name in the folder is it; of
        several, the one whose folders are most like those of the name.

        Args:
            name: as it was read; folders are relative to `beside`.
            entry: what names it, for the error.
            beside: the folder of the file that names it; None for the folder itself.

        Returns:
            The file; a path without a file where the name is inside the folder and there is none.

        Raises:
            SamTuneError: not a name, or one that is too long; or it leads out of the folder, and no
                file there has it, or several have.

        """
        parts = parts_of(name) if isinstance(name, str) and "\0" not in name else ()
        if not isinstance(name, str) or not parts or not parts[-1].strip():
            raise SamTuneError(
                tr("{entry} has no file name (it says {name}).", entry=entry, name=repr(name))
            )
        start = self.folder if beside is None else beside
        literal = self._inside(start, (name,))
        if literal is not None and os.path.isfile(self.folder / literal):  # noqa: PTH113  as above
            return NamedFile(self.folder / literal)
        there = self._inside(start, parts)
        if there is not None and (path := self._files.get(composed(there))) is not None:
            return NamedFile(path)
        alike = self._of_that_name(parts)
        if len(alike) == 1:
            return NamedFile(alike[0], name)
        if alike:
            listed = ", ".join(path.relative_to(self.folder).as_posix() for path in alike[:3])
            raise SamTuneError(
                tr(
                    "{entry} names the file {name}, which is not there, and {folder} has "
                    "{count} of that name: {listed}. Give the folder of one of them.",
                    entry=entry,
                    name=repr(name),
                    folder=self.folder,
                    count=len(alike),
                    listed=listed,
                )
            )
        if there is None:
            raise SamTuneError(
                tr(
                    "{entry} names the file {name}, which is not inside {folder}, and no "
                    "file there has that name. Give the folder it is in.",
                    entry=entry,
                    name=repr(name),
                    folder=self.folder,
                )
            )
        refuse_too_long(self.folder / there, name, entry)
        return NamedFile(self.folder / there)

    def _inside(self, start: Path, parts: tuple[str, ...]) -> str | None:
        """Return the place of a name in the folder, or None where it is outside."""
        # "a:b.png" is a name, "C:\\b.png" is not
        if PurePosixPath(parts[0]).is_absolute() or PureWindowsPath(parts[0]).root:
            return None
        place, top = absolute(start.joinpath(*parts)), absolute(self.folder)
        return place.relative_to(top).as_posix() if place.is_relative_to(top) else None

    @cached_property
    def _files(self) -> dict[str, Path]:
        """The files by their names in the folder, in the form to compare."""
        return {
            composed(path.relative_to(self.folder).as_posix()): path
            for path in list_files(self.folder)
        }

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for path in self._files.values():
            found.setdefault(composed(path.name), []).append(path)
        return found

    def _of_that_name(self, parts: tuple[str, ...]) -> list[Path]:
        """List the files of a name, of several those whose folders are most like it."""
        found = self._by_name.get(parts[-1], [])
        likeness = [_common_end(parts, parts_of(str(path))) for path in found]
        return [path for path, like in zip(found, likeness, strict=True) if like == max(likeness)]


def _common_end(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    return sum(1 for _ in _equal(reversed(one), reversed(other)))


def _equal(one: Iterator[str], other: Iterator[str]) -> Iterator[str]:
    for here, there in zip(one, other, strict=False):
        if here != there:
            return
        yield here
