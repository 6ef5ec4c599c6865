"""The weights of a project: the base model, saved versions, and which of them is in use."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from napari_sam_tune.core.errors import CheckpointError, ProjectError
from napari_sam_tune.core.models.base import BASE_VERSION
from napari_sam_tune.core.models.catalogue import STARTER
from napari_sam_tune.core.project.announcing import announced
from napari_sam_tune.core.storage.durable import flush_folder, pending_folder, publish_file, saving
from napari_sam_tune.core.texts.wording import join_sentences, mark, tr

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from napari_sam_tune.core.images.surfaces import FamiliarSurfaces
    from napari_sam_tune.core.models.base import BaseRef
    from napari_sam_tune.core.project.folder import ProjectFolder
    from napari_sam_tune.core.project.journal import Journal
    from napari_sam_tune.core.project.ledger import Ledger, Promotion, WeightsInfo


_log = logging.getLogger(__name__)


class WeightsOfProject:
    """The part of `Project` that knows its weights versions."""

    path: Path
    _folder: ProjectFolder
    _journal: Journal

    @property
    def base(self) -> BaseRef | None:
        """The base model the project's weights build on, or None if no model was ever chosen."""
        return self._journal.read().base

    def set_base(self, ref: BaseRef) -> str | None:
        """Record the base model.

        A project with weights versions stays with the model they build on, but for two: the
        embedded model, whose editions follow each other under one name, and a model that other
        versions of the project build on. Versions of the model before rest then, and the last one
        in use of those that fit, or the base model, is put to use.

        Returns:
            What that changed, in words for the person; None where it changed nothing.

        Raises:
            ProjectError: the project builds on another model.
            StorageError: the disk refused.

        """
        recorded = self.base
        if recorded is not None and recorded.sha256 == ref.sha256:
            return None
        versions = [info.version for info in self.versions()]
        fitting = [version for version in versions if self._fits(version, ref)]
        is_next_edition = recorded is not None and recorded.name == ref.name == STARTER
        if versions and not fitting and not is_next_edition:
            raise ProjectError(
                tr(
                    "This project builds on the model {recorded}, not on {model}: its weights "
                    "versions would not fit. Choose that model, or start a new project.",
                    recorded=_describe(recorded),
                    model=_describe(ref),
                )
            )
        was = None if recorded is None else recorded.sha256

        def is_other_now(ledger: Ledger) -> bool:
            return (None if ledger.base is None else ledger.base.sha256) != was

        self._journal.append(
            "base",
            unless=is_other_now,
            name=ref.name,
            sha256=ref.sha256,
            was=was,
            use=self._last_used(fitting) if versions else None,
        )
        if (now := self.base) is not None and now.sha256 != ref.sha256:
            raise ProjectError(
                tr(
                    "Another program has just begun this project with the model {model}. "
                    "Choose that model, or start a new project.",
                    model=_describe(now),
                )
            )
        if not versions:
            return None
        return _say_change(ref, len(versions) - len(fitting), is_next_edition=is_next_edition)

    def _last_used(self, fitting: list[str]) -> str:
        """Return the version in use last of the base model and those that fit it."""
        chosen = [p.version for p in self.promotions() if p.is_asked_for]
        used = [version for version in chosen if version in {BASE_VERSION, *fitting}]
        return used[-1] if used else BASE_VERSION

    def _fits(self, version: str, ref: BaseRef) -> bool:
        """Whether a version builds on a model; one that names none builds on the recorded one."""
        recorded = self.base or ref
        info = self._journal.read().weights.get(version)
        named = {} if info is None else info.info.get("base", {})
        return bool(named.get("sha256", recorded.sha256) == ref.sha256)

    def can_use(self, version: str) -> bool:
        """Whether a version builds on the base model of now, as "base" always does."""
        base = self.base
        return version == BASE_VERSION or base is None or self._fits(version, base)

    def save_weights(
        self,
        tensors: Mapping[str, Tensor],
        info: Mapping[str, Any],
        surfaces: FamiliarSurfaces | None = None,
    ) -> str:
        """Save tuned weights under their content hash; not yet in use, see `promote`.

        Args:
            tensors: name to tensor, only what was trained.
            info: plain values that describe them.
            surfaces: those they are for; None for all.

        Returns:
            The version: 12 hex digits.

        Raises:
            StorageError: the disk refused.

        """
        from napari_sam_tune.core.models.weights_file import write_weights

        with saving(mark("The weights"), self._folder.weights):
            self._folder.weights.mkdir(exist_ok=True)
            flush_folder(self.path)
            with pending_folder(self._folder.pending) as build:
                version = write_weights(build / "new.safetensors", tensors, info, surfaces)
                file = self._weights_file(version)
                with announced(self._folder, self._journal, file, "The weights"):
                    publish_file(build / "new.safetensors", file)
                    self._journal.append("weights", version=version, info=dict(info))
        return version

    def _weights_file(self, version: str) -> Path:
        return self._folder.weights / f"{version}.safetensors"

    def weights_path(self, version: str) -> Path:
        """Return the file of a weights version.

        Raises:
            ProjectError: it is the base model, which is not in the project, or its file is gone.

        """
        if version == BASE_VERSION:
            raise ProjectError(tr("“base” is the model itself; the project keeps no copy of it."))
        file = self._weights_file(version)
        if not file.is_file():
            raise ProjectError(
                tr(
                    "The weights version {version} is not in {folder}. Restore the file from "
                    "a backup, or roll back to another version.",
                    version=version,
                    folder=file.parent,
                )
            )
        return file

    def load_weights(self, version: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Read a weights version: its tensors by name, on the CPU, and what it says about itself.

        Raises:
            ProjectError: there is no such file in the project.
            CheckpointError: the file is damaged.

        """
        from napari_sam_tune.core.models.weights_file import read_weights

        return read_weights(self.weights_path(version))

    def surfaces_of(self, version: str) -> FamiliarSurfaces | None:
        """Return the surfaces a weights version is for, None for all.

        They are those it learnt from, and what was labelled since and leads on from them.

        Raises:
            ProjectError: there is no such file in the project.
            CheckpointError: the file is damaged.

        """
        from napari_sam_tune.core.models.weights_file import read_surfaces

        own = read_surfaces(self.weights_path(version))
        return None if own is None else own.grown(self.labelled_surfaces())

    def labelled_surfaces(self) -> FamiliarSurfaces:
        """Return what was labelled until the last round, promoted or not, as it described it.

        Empty where its file is gone or damaged: it need not be in use, and the next describes all.
        """
        from napari_sam_tune.core.images.surfaces import FamiliarSurfaces
        from napari_sam_tune.core.models.weights_file import read_surfaces

        newest = self.newest_version
        try:
            found = None if newest is None else read_surfaces(self._weights_file(newest))
        except CheckpointError as error:
            _log.warning("What was labelled cannot be told from the last round: %s", error)
            found = None
        return FamiliarSurfaces({}) if found is None else found

    @property
    def newest_version(self) -> str | None:
        """The version saved last, in use or not."""
        versions = self.versions()
        return versions[-1].version if versions else None

    def versions(self) -> list[WeightsInfo]:
        """Return the weights versions saved, oldest first."""
        return list(self._journal.read().weights.values())

    def promote(self, version: str, *, report: Mapping[str, Any]) -> None:
        """Put a weights version to use; "base" rolls back to the base model.

        Raises:
            ProjectError: there is no such version, or it builds on another base model.
            StorageError: the disk refused.

        """
        if version != BASE_VERSION:
            self.weights_path(version)
        if not self.can_use(version):
            raise ProjectError(
                tr(
                    "The weights version {version} was trained on another base model than "
                    "{model}. Open the project with that model’s file to use it.",
                    version=version,
                    model=_describe(self.base),
                )
            )
        self._journal.append("promote", version=version, report=dict(report))

    @property
    def current_version(self) -> str:
        """The weights in use: "base" or 12 hex digits."""
        return self._journal.read().current_version

    def promotions(self) -> list[Promotion]:
        """Return every change of the weights in use, oldest first."""
        return list(self._journal.read().promotions)


def _say_change(ref: BaseRef, resting: int, *, is_next_edition: bool) -> str:
    if is_next_edition:
        changed = tr(
            "napari-sam-tune comes with a better model now than this project was labelled with."
        )
    else:
        changed = tr(
            "The model is “{name}” now, another than this project was labelled with.", name=ref.name
        )
    if not resting:
        kept = tr(
            "All masks and records are kept, and the versions that build on it are at hand again."
        )
        return join_sentences(changed, kept)
    kept = tr("All masks and records are kept; press “Learn now” to train it on them.")
    rest = tr(
        "The {n} versions trained on the model before rest: to use them again, open the project "
        "with that model’s file.",
        "The version trained on the model before rests: to use it again, open the project with "
        "that model’s file.",
        n=resting,
    )
    return join_sentences(changed, kept, rest)


def _describe(ref: BaseRef | None) -> str:
    if ref is None:
        return tr("none")
    return tr("“{name}” (SHA-256 {sha256}…)", name=ref.name, sha256=ref.sha256[:12])
