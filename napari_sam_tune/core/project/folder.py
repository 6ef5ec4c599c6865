"""The folder a project lives in: what must be there, how it is made, what is refused and why."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from napari_sam_tune.core.errors import ProjectError, StorageError
from napari_sam_tune.core.project.journal import FIRST
from napari_sam_tune.core.project.share_link import KNOWN, ShareLink, read_link
from napari_sam_tune.core.storage.durable import (
    flush_file,
    flush_folder,
    pending_folder,
    publish_file,
    saving,
)
from napari_sam_tune.core.storage.own_files import read_own, refuse_link
from napari_sam_tune.core.storage.plain_json import parse_object
from napari_sam_tune.core.storage.records import RecordStore
from napari_sam_tune.core.texts.wording import mark, tr

FORMAT = "napari-sam-tune project"
FORMAT_VERSION = 4
"""2: logs have checksums, and each machine its own. 3: masks may have got another class than that
of their record, or be set aside; a project becomes one of it when the first does. 4: there are
copies of the project elsewhere, each with a log of its own; see `share_link`."""
AT_FIRST = 2
"""What a project is that nothing was done in."""
_MARKER = "project.json"
HEADS = "heads"
SIGNATURES = "signatures.zarr"
OVERVIEWS = "overviews"
_LEFT_BY_SYSTEMS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})


def is_project(path: Path) -> bool:
    """Tell whether a folder is a project, of whatever release, without opening it."""
    try:
        return parse_object(read_own(path / _MARKER)).get("format") == FORMAT
    except (OSError, ValueError, ProjectError):
        return False


class ProjectFolder:
    """The paths inside a project.

    Args:
        path: the project's folder. Symbolic links are followed once, here, because relative paths
            with `..` are taken by the system from where a link leads.

    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).resolve()
        self.marker = self.path / _MARKER
        self.log = self.path / FIRST
        self.weights = self.path / "weights"
        self.embeddings = self.path / "embeddings.zarr"
        self.pending = self.path / ".pending"
        self.annotations = RecordStore(self.path / "annotations.zarr", self.pending)
        self.images = RecordStore(self.path / "images.zarr", self.pending)
        self.known = self.path / KNOWN

    def share_link(self) -> ShareLink | None:
        """Return where the project is shared, None of one that is not.

        Raises:
            ProjectError: the file that says so is damaged.

        """
        return read_link(self.path)

    def prepare(self, *, create: bool) -> None:
        """Make the folder a project, or check that it is a whole one.

        One that cannot be written to, or whose disk is full, is opened all the same: its masks can
        be looked at and exported, and the first write is refused.

        Raises:
            ProjectError: it is not a project, was made by a newer release, lacks a part, or is not
                there and cannot, or is not to, be created.

        """
        try:
            if not self.marker.is_file():
                self._refuse_what_is_not_empty(create=create)
                self._create()
            self.check_format()
            self._check_parts()
        except PermissionError as error:
            raise ProjectError(
                tr("{filename} may not be read. Check its permissions.", filename=error.filename)
            ) from error

    def _refuse_what_is_not_empty(self, *, create: bool) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise ProjectError(
                tr("{path} is a file. A project is a folder: choose another name.", path=self.path)
            )
        there = {entry.name for entry in self.path.iterdir()} if self.path.is_dir() else set()
        there -= _LEFT_BY_SYSTEMS
        own = {self.log.name, self.annotations.root.name, self.pending.name}
        if there & own and not self._is_unfinished(there - own):
            raise ProjectError(
                tr(
                    "{path} was a project but its project.json is missing. Restore it from a "
                    "backup; the masks in annotations.zarr are still there.",
                    path=self.path,
                )
            )
        if there - own:
            raise ProjectError(
                tr(
                    "{path} is not a project and is not empty, so it was left alone. Choose a "
                    "new or empty folder for the project.",
                    path=self.path,
                )
            )
        if not create:
            raise ProjectError(tr("There is no project in {path}. Check the path.", path=self.path))

    def _is_unfinished(self, foreign: set[str]) -> bool:
        """Tell whether a process died while it made this project, before anything was in it."""
        masks = self.annotations.root
        return (
            not foreign
            and (not self.log.exists() or self.log.stat().st_size == 0)
            and (not masks.exists() or all(entry.is_file() for entry in masks.iterdir()))
        )

    def _create(self) -> None:
        try:
            with saving(mark("The new project"), self.path):
                self.path.mkdir(parents=True, exist_ok=True)
                self.annotations.create()
                self.log.touch()
                flush_file(self.log)
                # The marker comes last: only a whole project has one.
                self.write_marker(created=time.time(), version=AT_FIRST)
                flush_folder(self.path.parent)
        except StorageError as error:
            raise ProjectError(str(error)) from error

    def write_marker(self, created: float, version: int = FORMAT_VERSION) -> None:
        """Say that the folder is a project, of a format that this release knows."""
        marker = {"format": FORMAT, "version": version, "created": created}
        with pending_folder(self.pending) as build:
            (build / "marker").write_text(json.dumps(marker), encoding="utf-8")
            publish_file(build / "marker", self.marker)

    def raise_format(self, version: int) -> None:
        """Say that releases that know no such format must not open the project any more.

        They would not find, or not understand, what is written from now on. The files they wrote
        stay as they are.

        Raises:
            StorageError: the disk refused.

        """
        marker = self._read_marker()
        if marker["version"] < version:
            with saving(mark("The project"), self.path):
                self.write_marker(marker.get("created", time.time()), version)

    def _read_marker(self) -> dict[str, Any]:
        marker = parse_object(read_own(self.marker))
        if type(marker["version"]) is not int:
            raise ValueError(f"“{marker['version']}” is no version")
        return marker

    def check_format(self) -> None:
        """Refuse what another program, or a newer release, made.

        Raises:
            ProjectError: says which, or that the marker is damaged.

        """
        try:
            marker = self._read_marker()
            known, version = marker["format"] == FORMAT, marker["version"]
        except PermissionError:
            raise
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise ProjectError(
                tr(
                    "{marker} cannot be read ({error}). Restore it from a backup.",
                    marker=self.marker,
                    error=error,
                )
            ) from error
        if not known:
            raise ProjectError(
                tr(
                    "{path} belongs to another program ({program!a}).",
                    path=self.path,
                    program=marker["format"],
                )
            )
        if version > FORMAT_VERSION:
            raise ProjectError(
                tr(
                    "{path} was made by a newer release (project format {version}, this "
                    "release knows {known}). Update: pip install --upgrade napari-sam-tune",
                    path=self.path,
                    version=version,
                    known=FORMAT_VERSION,
                )
            )

    def refuse_links(self) -> None:
        """Refuse links in the place of the project's folders: writing there would land elsewhere.

        Raises:
            ProjectError: names the one.

        """
        for part in (
            *(self.annotations.root, self.images.root, self.weights, self.pending),
            *(self.embeddings, self.path / SIGNATURES, self.path / HEADS, self.known),
            self.path / OVERVIEWS,
        ):
            refuse_link(part)

    def _check_parts(self) -> None:
        self.refuse_links()
        parts = {
            "annotations.zarr (the accepted masks)": self.annotations.exists(),
            "log.jsonl (the images, classes and versions)": self.log.is_file(),
        }
        missing = [name for name, there in parts.items() if not there]
        if missing:
            raise ProjectError(
                tr(
                    "Parts of the project {path} are missing: {missing}. Restore them from a "
                    "backup, or start a new project in another folder.",
                    path=self.path,
                    missing="; ".join(missing),
                )
            )

    def why_read_only(self) -> str | None:
        """Say why nothing can be saved in the project, or None where that can be."""
        try:
            with pending_folder(self.pending):
                return None
        except OSError as error:
            return error.strerror or str(error)
