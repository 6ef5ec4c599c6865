"""Which weights a server answers with: those it was started with, a project's, clients' own."""

from __future__ import annotations

import hashlib
import tempfile
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam_tune.core.errors import CheckpointError
from napari_sam_tune.core.models.base import BASE_VERSION
from napari_sam_tune.core.models.weights_file import (
    base_named_in,
    content_version,
    is_head,
    read_surfaces,
    read_weights,
)
from napari_sam_tune.core.storage.durable import saving
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.service.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from napari_sam_tune.core.answers.tuned import TunedWeights
    from napari_sam_tune.core.images.surfaces import FamiliarSurfaces
    from napari_sam_tune.core.models.base import BaseRef
    from napari_sam_tune.core.project.project import Project

_SENT_KEPT = 8
"""Versions that clients sent; who sent an older one sends it again."""


@dataclass(frozen=True, eq=False)
class ServedWeights:
    """Weights that may answer.

    Attributes:
        version: "base" or 12 hex digits.
        tensors: in place of the base model's; None for the base itself.
        surfaces: those they are for; None for all.
        info: what their file says about itself.

    """

    version: str = BASE_VERSION
    tensors: Mapping[str, Tensor] | None = None
    surfaces: FamiliarSurfaces | None = None
    info: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def key(self) -> str:
        """What an answer depends on: the tensors, and which surfaces they are for."""
        if self.surfaces is None:
            return self.version
        said = hashlib.sha256(self.version.encode())
        for name, description in sorted(self.surfaces.descriptions.items()):
            said.update(name.encode() + description.tobytes())
        return said.hexdigest()


class WeightsShelf:
    """All weights a server can answer with; any thread may call.

    Args:
        base: the model they belong on.
        project: whose version in use answers, if any.
        tuned: weights that answer instead, if any.

    Attributes:
        in_use: what answers where a question names none.

    """

    def __init__(
        self, base: BaseRef, project: Project | None = None, tuned: TunedWeights | None = None
    ) -> None:
        self._base, self._project = base, project
        self._sent: OrderedDict[str, ServedWeights] = OrderedDict()
        self._lock = threading.Lock()
        self.in_use = ServedWeights()
        if tuned is not None and tuned.tensors:
            self.in_use = ServedWeights(tuned.version, tuned.tensors)
        self.follow_project()

    @property
    def versions(self) -> list[str]:
        """All that a question may name."""
        with self._lock:
            return list(dict.fromkeys([BASE_VERSION, self.in_use.version, *self._sent]))

    def get(self, version: str | None) -> ServedWeights:
        """Return weights by version, None for those in use.

        Raises:
            Fault: they are not here (any more).

        """
        in_use = self.in_use
        if version is None or version == in_use.version:
            return in_use
        if version == BASE_VERSION:
            return ServedWeights()
        with self._lock:
            found = self._sent.get(version)
            if found is not None:
                self._sent.move_to_end(version)
                return found
        raise Fault(
            404,
            "weights_unknown",
            f"The weights {version} are not here (any more): send them by PUT "
            f"/v1/weights/{version}, or leave `weights` out for those in use.",
        )

    def read(self, version: str, content: bytes) -> ServedWeights:
        """Read weights that a client sent; whether they fit the model is told when it uses them.

        Args:
            version: as the client knows them; 12 hex digits.
            content: a weights file of this program.

        Raises:
            CheckpointError: it is damaged, no weights file, of another base, or another version.

        """
        weights = read_served(content, self._base)
        if weights.version != version:
            raise CheckpointError(
                tr(
                    "The weights sent are version {sent}, not {version}: something was lost or "
                    "changed on the way. Send them again.",
                    sent=weights.version,
                    version=version,
                )
            )
        return weights

    def keep(self, weights: ServedWeights) -> None:
        """Keep weights that fit the model, so that questions may name them."""
        with self._lock:
            self._sent[weights.version] = weights
            self._sent.move_to_end(weights.version)
            while len(self._sent) > _SENT_KEPT:
                self._sent.popitem(last=False)

    def follow_project(self) -> bool:
        """Take over what the project has come to use; whether that is another version.

        Raises:
            ProjectError, CheckpointError: the project or its weights cannot be read.

        """
        project = self._project
        if project is None:
            return False
        project.refresh()
        version = project.current_version
        if version == self.in_use.version:
            return False
        if version == BASE_VERSION:
            self.in_use = ServedWeights()
        else:
            tensors, _ = project.load_weights(version)
            self.in_use = ServedWeights(version, tensors, project.surfaces_of(version))
        return True


def read_served(content: bytes, base: BaseRef) -> ServedWeights:
    """Read a weights file that was sent.

    Args:
        content: all of it.
        base: the model it must belong on.

    Raises:
        CheckpointError: it is damaged, no weights file of this program, a head, or of another base.

    """
    with tempfile.TemporaryDirectory(prefix="sam-tune-") as folder:
        path = Path(folder) / "weights.safetensors"
        with saving("What was sent", path.parent):
            path.write_bytes(content)
        try:
            tensors, info = read_weights(path)
            ref = base_named_in(info, path)
            surfaces = read_surfaces(path)
        except CheckpointError as error:
            raise CheckpointError(str(error).replace(str(path), "What was sent")) from error
    if is_head(tensors):
        raise CheckpointError(
            tr("What was sent is a promptless head, and a server takes weights that answer clicks.")
        )
    if ref.sha256 != base.sha256:
        raise CheckpointError(
            tr(
                "These weights were trained from the model {model} ({trained}), and this server "
                "has {base} ({served}).",
                model=ref.name,
                trained=ref.sha256[:12],
                base=base.name,
                served=base.sha256[:12],
            )
        )
    return ServedWeights(content_version(tensors), tensors, surfaces, info)
