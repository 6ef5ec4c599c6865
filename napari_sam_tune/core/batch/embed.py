"""Encode a whole folder ahead, so that every first click is quick; goes on where it stopped."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from napari_sam_tune.core.answers.caching import embed_image, open_cache
from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.cluster.worker import kept
from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.exchange.left_out import named
from napari_sam_tune.core.images.large_image import name_of_image
from napari_sam_tune.core.images.names import absolute
from napari_sam_tune.core.images.opening import list_all_images
from napari_sam_tune.core.images.planes import ImageInFile, Reading
from napari_sam_tune.core.models.checkpoints import load_base, resolve_device
from napari_sam_tune.core.pixel_classifier.features import FeatureExtractor
from napari_sam_tune.core.project.project import Project
from napari_sam_tune.core.project.stack_files import images_known

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam_tune.core.cluster.cluster import Cluster
    from napari_sam_tune.core.images.large_image import LargeImage
    from napari_sam_tune.core.models.base import BaseRef
    from napari_sam_tune.core.storage.embeddings import EmbeddingCache

READ_AHEAD: Final = 2
"""Images read while another is being encoded."""
MOST_AT_ONCE: Final = 16
"""Images handed to a worker of a cluster at once; one that dies loses so many at most."""
SHARES: Final = 100
"""A folder is handed out in at least so many shares, however few images those are."""


AS_THEY_SAY: Final = Reading()


@dataclass(frozen=True)
class Unread:
    """A file that holds images nobody can tell apart yet.

    Attributes:
        path: the file.
        why: for a person.

    """

    path: Path
    why: str


@dataclass(frozen=True)
class EmbedStep:
    """One image of the folder is done.

    Attributes:
        path: the image's file.
        done: images done so far, this one included.
        total: images there are.
        encoded: False where it was in the cache already, or could not be read.
        error: why it was skipped, for a person; None where it was not.

    """

    path: Path
    done: int
    total: int
    encoded: bool
    error: str | None = None


def embed_folder(
    project: Project,
    predictor: Predictor,
    folder: Path,
    *,
    recursive: bool = False,
    reading: Reading = AS_THEY_SAY,
) -> Iterator[EmbedStep]:
    """Encode the images of a folder, planes of stacks among them; see `embed_images`.

    Args:
        project: into whose cache.
        predictor: see `embed_images`.
        folder: of images.
        recursive: look into its subfolders as well.
        reading: how stacks are read; as they were said in the project where nothing is said.

    """
    cache = open_cache(project)
    yield from embed_images(predictor, cache, _listed(project, folder, reading, recursive))


def _listed(
    project: Project, folder: Path, reading: Reading, recursive: bool = False
) -> list[ImageInFile | Unread]:
    """List images of a folder, and why stacks of it cannot be read."""
    found: list[ImageInFile | Unread] = []
    for path in list_all_images(folder, recursive=recursive):
        try:
            found += images_known(project, path, reading)
        except ImageError as error:
            found.append(Unread(path, named(error, path.name)))
    return found


def embed_folder_on(
    cluster: Cluster,
    project: Project,
    base: BaseRef,
    folder: Path,
    *,
    device: str = "auto",
    reading: Reading = AS_THEY_SAY,
) -> Iterator[EmbedStep]:
    """Encode the images of a folder on a cluster, into the same cache with the same bytes.

    Args:
        cluster: whose workers see the project and the folder.
        project: see `embed_folder`.
        base: the model that encodes, loaded by every worker.
        folder: of images.
        device: of each worker; see `resolve_device`.
        reading: see `embed_folder`.

    Raises:
        ClusterError: see `Cluster.each`.
        StorageError: the disk is full.

    """
    listed = _listed(project, absolute(folder), reading)
    images = [image for image in listed if isinstance(image, ImageInFile)]
    unread = [one for one in listed if isinstance(one, Unread)]
    # each piece costs this program some milliseconds: large folders are handed out by the dozen
    at_once = min(MOST_AT_ONCE, max(1, len(images) // SHARES))
    pieces = [
        _ImagesToEmbed(tuple(images[first : first + at_once]), project.path, base, device)
        for first in range(0, len(images), at_once)
    ]
    results = chain.from_iterable(cluster.each(pieces, into=project.path))
    done = 0
    for image, (encoded, error) in zip(images, results, strict=True):
        done += 1
        yield EmbedStep(image.path, done, len(listed), encoded, error)
    for number, one in enumerate(unread, start=1):
        yield EmbedStep(one.path, done + number, len(listed), encoded=False, error=one.why)


@dataclass(frozen=True)
class _ImagesToEmbed:
    """Images to be encoded on a worker."""

    images: tuple[ImageInFile, ...]
    project: Path
    base: BaseRef
    device: str

    @property
    def files(self) -> tuple[Path, ...]:
        """See `Piece`."""
        return self.project, *dict.fromkeys(image.path for image in self.images)

    def do(self) -> list[tuple[bool, str | None]]:
        """Return of each whether it was encoded, and why it was left out; see `EmbedStep`."""
        means = kept(_means, self.project, self.base, self.device)
        done: list[tuple[bool, str | None]] = []
        for image in self.images:
            try:
                done.append((embed_image(*means, *_read(image)), None))
            except ImageError as problem:
                done.append((False, named(problem, image.name)))
        return done


def _means(
    project: Path, base: BaseRef, device: str
) -> tuple[Predictor, FeatureExtractor, EmbeddingCache]:
    predictor = Predictor(load_base(base, resolve_device(device)))
    cache = open_cache(Project.open(project, create=False))
    return predictor, FeatureExtractor(predictor.device), cache


def embed_images(
    predictor: Predictor, cache: EmbeddingCache, images: Sequence[ImageInFile | Unread]
) -> Iterator[EmbedStep]:
    """Encode image files that are not in the cache yet, in order; yields after each.

    Files are read while the one before is being encoded. Nothing is lost when the generator is
    closed or the process killed: what was yielded is in the cache, and is skipped the next time.

    Args:
        predictor: its open image stays open.
        cache: where the embeddings go.
        images: on disk; of large images the tiles in which they are searched are encoded. One
            that cannot be read is skipped, and the step says why.

    Raises:
        StorageError: the disk is full.

    """
    extractor = FeatureExtractor(predictor.device)
    reader = ThreadPoolExecutor(1, thread_name_prefix="sam-tune-read")
    try:
        for done, (image, pending) in enumerate(_read_ahead(reader, images), start=1):
            encoded, error = False, None
            if isinstance(image, Unread):
                error = image.why
            elif pending is not None:
                try:
                    encoded = embed_image(predictor, extractor, cache, *pending.result())
                except ImageError as problem:
                    error = named(problem, image.name)
            yield EmbedStep(image.path, done, len(images), encoded, error)
    finally:
        reader.shutdown(cancel_futures=True)


Read = tuple["NDArray[Any] | LargeImage", str]


def _read_ahead(
    reader: ThreadPoolExecutor, images: Sequence[ImageInFile | Unread]
) -> Iterator[tuple[ImageInFile | Unread, Future[Read] | None]]:
    ahead: deque[tuple[ImageInFile | Unread, Future[Read] | None]] = deque()
    for image in images:
        pending = reader.submit(_read, image) if isinstance(image, ImageInFile) else None
        ahead.append((image, pending))
        if len(ahead) > READ_AHEAD:
            yield ahead.popleft()
    yield from ahead


def _read(image: ImageInFile) -> Read:
    pixels = image.open()
    return pixels, name_of_image(pixels)
