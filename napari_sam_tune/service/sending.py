"""What a round needs of a project, sent to a server as far as it is missing there."""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import tempfile
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from PIL import Image

from napari_sam_tune.core.errors import TrainingError
from napari_sam_tune.core.models.base import BASE_VERSION
from napari_sam_tune.core.models.weights_file import base_named_in, read_surfaces, read_weights
from napari_sam_tune.core.storage.holding import machine
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.core.training.job import Progress
from napari_sam_tune.service.round_bodies import BegunBody, HoldingsBody
from napari_sam_tune.service.tiff import tiff_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import httpx

    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.training.job import Candidate, ObjectScore, TrainingJob

_KEY: Final = "server_key"
"""In what a project remembers: what its mirror on a server is called."""
_BATCH_BYTES: Final = 2 << 20
_HERE_ALONE: Final = ("image", "image_id", "supersedes", "turn")
"""Attributes of a record that say how it lies in its own project."""


class Ask(Protocol):
    """Asks a server; see `Connection.ask`."""

    def __call__(self, method: str, path: str, **body: Any) -> httpx.Response:
        """See the class."""


class Sending:
    """One round's way to a server and back.

    Args:
        project: the client's, which stays the truth.
        job: the round as a local runner would run it.
        ask: the server.
        listen: told how far sending is.

    """

    def __init__(
        self,
        project: Project,
        job: TrainingJob,
        ask: Ask,
        listen: Callable[[Progress], None],
    ) -> None:
        self._project, self._job, self._ask, self._listen = project, job, ask, listen
        self._place = f"/v1/projects/{_key_of(project)}"
        self._sent_as: dict[str, Annotation] = {}

    def begin(self) -> str:
        """Send what is missing, and begin the round; returns its id on the server.

        Raises:
            ServerGone, ServerRefused: see those.
            ProjectError, ImageError: something of the project cannot be read.

        """
        job = self._job
        living = {annotation.id: annotation for annotation in self._project.counting()}
        train, judge = (
            self._named([living[i] for i in ids if i in living])
            for ids in (job.train_ids, job.judge_ids)
        )
        if not train:
            raise TrainingError(tr("There is no accepted mask to learn from; accept a few first."))
        records = [*train, *judge]
        images = list(dict.fromkeys(self._hash(self._sent_as[name]) for name in records))
        weights = [job.parent, job.go_on_from, self._project.newest_version]
        versions = [v for v in dict.fromkeys(weights) if v is not None and v != BASE_VERSION]
        holdings = {"images": images, "records": records, "weights": versions}
        missing = HoldingsBody.model_validate_json(
            self._ask("POST", f"{self._place}/missing", said=holdings).content
        )
        self._send(missing)
        opened = job.open_image_id
        asked = {
            "parent": job.parent,
            "train": train,
            "judge": judge,
            "config": job.config.model_dump(mode="json"),
            "go_on_from": job.go_on_from,
            "open_image": None if opened is None else self._image_hash(opened, images),
        }
        begun = self._ask("POST", f"{self._place}/rounds", said=asked)
        return BegunBody.model_validate_json(begun.content).round

    def _named(self, annotations: Sequence[Annotation]) -> list[str]:
        names = []
        for annotation in annotations:
            name = _name_of(annotation, self._hash(annotation))
            self._sent_as[name] = annotation
            names.append(name)
        return names

    def _hash(self, annotation: Annotation) -> str:
        return self._project.image(annotation.image_id).content_hash

    def _image_hash(self, image_id: str, known: Sequence[str]) -> str | None:
        """Return the open image's name on the server, None where no mask of it was sent."""
        name = self._project.image(image_id).content_hash
        return name if name in known else None

    def _send(self, missing: HoldingsBody) -> None:
        by_hash = {record.content_hash: record.id for record in self._project.images()}
        steps = len(missing.images) + len(missing.weights) + bool(missing.records)
        done = 0
        for name in missing.images:
            self._listen(Progress(done, steps, None, None, None, "sending"))
            pixels = self._project.read_image(by_hash[name])
            self._ask("PUT", f"{self._place}/images/{name}", content=tiff_of(pixels))
            done += 1
        for version in missing.weights:
            self._listen(Progress(done, steps, None, None, None, "sending"))
            content = self._project.weights_path(version).read_bytes()
            self._ask("PUT", f"{self._place}/weights/{version}", content=content)
            done += 1
        for batch in _batches(self._record(name) for name in missing.records):
            self._listen(Progress(done, steps, None, None, None, "sending"))
            self._ask("POST", f"{self._place}/records", said={"records": batch})

    def _record(self, name: str) -> dict[str, Any]:
        annotation = self._sent_as[name]
        bits, attributes = annotation.stored()
        file = io.BytesIO()
        Image.fromarray(bits).save(file, "PNG", compress_level=1)
        return {
            "id": name,
            "image": self._hash(annotation),
            "bits": b64encode(file.getvalue()).decode(),
            "attributes": _portable(attributes),
            "is_correction": annotation.supersedes is not None,
        }

    def keep(self, begun: str, end: Candidate) -> Candidate:
        """Fetch what a round made into the project, as a local round leaves it there.

        Raises:
            ServerGone, ServerRefused: see those.
            TrainingError: what came is not what was made of this project.
            CheckpointError: it is damaged.
            StorageError: the disk refused.

        """
        content = self._ask("GET", f"/v1/rounds/{begun}/weights").content
        with tempfile.TemporaryDirectory(prefix="sam-tune-") as folder:
            path = Path(folder) / f"{end.version}.safetensors"
            path.write_bytes(content)
            tensors, info = read_weights(path)
            surfaces = read_surfaces(path)
            base = base_named_in(info, path)
        if base.sha256 != self._job.base.sha256 or end.parent != self._job.parent:
            raise TrainingError(
                tr("The weights that the server made are not of this project's model.")
            )
        version = self._project.save_weights(tensors, info, surfaces)
        if version != end.version:
            raise TrainingError(
                tr(
                    "The weights that came are {version}, and the server made {made}: they were "
                    "damaged on the way. Learn again.",
                    version=version,
                    made=end.version,
                )
            )
        return replace(end, scores=tuple(map(self._here, end.scores)))

    def _here(self, score: ObjectScore) -> ObjectScore:
        """Return a score with the names that the project has for things."""
        annotation = self._sent_as.get(score.annotation_id)
        if annotation is None:
            raise TrainingError(tr("The server judged by masks that were not sent to it."))
        return replace(
            score,
            annotation_id=annotation.id,
            image_id=annotation.image_id,
            label=annotation.label,
        )


def _key_of(project: Project) -> str:
    """Return what a project's mirror is called, the same every time on this computer.

    Two who have one project open on a network drive must not begin each other's rounds anew.
    """
    key = project.place().get(_KEY)
    if not isinstance(key, str):
        key = secrets.token_hex(16)
        project.remember(**{_KEY: key})
    return hashlib.sha256(f"{key} {machine()}".encode()).hexdigest()[:32]


def _name_of(annotation: Annotation, image: str) -> str:
    """Name a record as it will be known on the server: by its id, for records never change.

    One that came to have another class, or to lie otherwise, since then is another record there.
    """
    if annotation.is_as_accepted:  # asked of all masks in every round: nothing is read for it
        return annotation.id
    _, attributes = annotation.stored()
    moment, _ = annotation.id.split("-")
    said = json.dumps([annotation.id, image, _portable(attributes)], sort_keys=True)
    return f"{moment}-{hashlib.sha256(said.encode()).hexdigest()[:8]}"


def _portable(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name not in _HERE_ALONE} | {
        "supersedes": None
    }


def _batches(records: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Put records together, so many that a request stays small."""
    batch: list[dict[str, Any]] = []
    size = 0
    for record in records:
        batch.append(record)
        size += len(record["bits"]) + len(json.dumps(record["attributes"]))
        if size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
