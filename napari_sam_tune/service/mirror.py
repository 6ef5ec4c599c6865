"""What a server holds of a client's project, so that rounds can run on it.

A project of its own, in which images and records are named by their content: what was sent once is
there for the next round, embeddings included, and what changed is another record. The client's
project stays the truth; a mirror that is gone is made again from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam_tune.core.errors import CheckpointError, ImageError, ProjectError
from napari_sam_tune.core.images.files import spatial_shape
from napari_sam_tune.core.images.pictures import open_picture
from napari_sam_tune.core.models.base import BASE_VERSION
from napari_sam_tune.core.project.project import Project
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.core.training.job import TrainingJob
from napari_sam_tune.service.served_weights import read_served
from napari_sam_tune.service.tiff import image_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam_tune.core.models.base import BaseRef
    from napari_sam_tune.service.round_bodies import RecordBody, RoundBody


class Mirror:
    """One client's images, masks and weights.

    Args:
        folder: of the mirror's own project; made where it is not there.
        base: the model that rounds train.

    Attributes:
        project: where all of it is kept.
        rounds: how many of it wait or run.

    """

    def __init__(self, folder: Path, base: BaseRef) -> None:
        self._base, self.rounds = base, 0
        self.project = Project.open(folder)
        self.project.set_base(base)

    def missing(
        self, images: Iterable[str], records: Iterable[str], weights: Iterable[str]
    ) -> tuple[list[str], list[str], list[str]]:
        """Return what of these has not been sent yet, each in the order given."""
        here = {record.id for record in self.project.images()}
        known = {record.id for record in self.project.every_record()}
        kept = {info.version for info in self.project.versions()} | {BASE_VERSION}
        return (
            [name for name in images if name not in here],
            [name for name in records if name not in known],
            [name for name in weights if name not in kept],
        )

    def put_image(self, name: str, content: bytes, most_pixels: int) -> None:
        """Take in an image.

        Args:
            name: `content_hash` of its pixels.
            content: a TIFF or PNG file.
            most_pixels: it may have.

        Raises:
            ImageError: it is none, too large, or has other pixels.
            StorageError: the disk refused.

        """
        with open_picture(content) as picture:
            shape = picture.shape
            if np.prod(shape[:2]) > most_pixels:
                raise ImageError(
                    tr("An image of {shape} px is larger than this server takes.", shape=shape)
                )
            pixels = image_of(picture.read(), name)
        if pixels is None:
            raise ImageError(
                tr("The image sent is not {name}: something was lost. Send it again.", name=name)
            )
        self.project.add_image(
            name, shape=spatial_shape(pixels), content_hash=name, array=pixels, split="train"
        )

    def put_records(self, records: Iterable[RecordBody]) -> None:
        """Take in accepted masks.

        Raises:
            ProjectError: one makes no sense, or is of an image that is not here.
            ImageError: a mask cannot be read.
            StorageError: the disk refused; those before it are kept.

        """
        here = {record.id for record in self.project.images()}
        for record in records:
            if record.image not in here:
                raise ProjectError(
                    tr(
                        "The image {image} of {name} was not sent.",
                        image=record.image,
                        name=record.id,
                    )
                )
            with open_picture(record.bits) as picture:
                pixels = picture.read()
            if pixels.dtype != np.uint8 or pixels.ndim != 2:
                raise ProjectError(
                    tr("The mask of {name} is no grey picture of 8 bits.", name=record.id)
                )
            bits: NDArray[np.uint8] = pixels.astype(np.uint8)
            # told from an object's first mask, but not of what: forms are not weighed up here
            before = f"before {record.id}" if record.is_correction else None
            said = record.attributes | {"supersedes": before}
            self.project.take_stored(record.id, bits, said, record.image)

    def put_weights(self, version: str, content: bytes) -> None:
        """Take in weights that rounds go on from.

        Raises:
            CheckpointError: they are damaged, of another base, or another version.
            StorageError: the disk refused.

        """
        sent = read_served(content, self._base)
        if sent.version != version:
            raise CheckpointError(
                tr(
                    "The weights sent are {sent}, not {version}.",
                    sent=sent.version,
                    version=version,
                )
            )
        self.project.save_weights(sent.tensors or {}, sent.info, sent.surfaces)

    def job(self, asked: RoundBody, device: str) -> TrainingJob:
        """Return a round as a runner takes it.

        Raises:
            TrainingError: there is nothing to learn from, or a mask both trains and judges.

        """
        return TrainingJob(
            project=str(self.project.path),
            base=self._base,
            parent=asked.parent,
            train_ids=tuple(asked.train),
            judge_ids=tuple(asked.judge),
            config=asked.config,
            device=device,
            go_on_from=asked.go_on_from,
            open_image_id=asked.open_image,
        )
