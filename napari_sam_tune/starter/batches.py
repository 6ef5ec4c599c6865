"""Training batches, made in background processes so that the trainer never waits.

A batch is a pure function of (seed, index): any number of processes, any interruption and any
device give the same sequence of images.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import itertools
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import numpy as np
import numpy.typing as npt

from napari_sam_tune.core.errors import TrainingError
from napari_sam_tune.starter.images import make_image
from napari_sam_tune.starter.photographs import (
    make_on_surface,
    make_photograph,
    read_set,
    read_surfaces,
    surface_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sam_tune.starter.defects import Defect, Mask
    from napari_sam_tune.starter.surfaces import Rng

EASY_TAIL: Final = 0.8
"""Ease of the easiest pictures later on: real defects are often plain to see, most of these not."""
LOGIT_STRIDE: Final = 2
"""Input px per px of the mask decoder's logits (256² logits for a 512² input)."""
NON_SQUARE: Final = 0.4
"""Share of pictures that do not fill the square and are padded, as `Sam.preprocess` does."""
PART_CHANCE: Final = 0.3
EASING: Final = 500
"""Batches over which the pictures go from easy to real: a click must mean something before faint
defects can teach anything (from nothing, real pictures alone taught nothing in 400 steps)."""


@dataclasses.dataclass(frozen=True)
class BatchSpec:
    """What a batch holds: pictures of one of `sizes` px, drawn anew for each batch.

    `images` is their number at 256 px; there are more of smaller ones and fewer of larger ones, so
    that steps cost about the same. Each has `objects` targets. With `easing` the first batches of
    the sequence are easy. Where `real` names folders of photographs (see `photographs`), a share of
    the pictures are crops of theirs; `judging` takes those that are never trained on. Where
    `surfaces` names folders of photographs of sound surfaces, a share has defects drawn on these.
    """

    images: int = 8
    objects: int = 2
    sizes: tuple[int, ...] = (256,)
    seed: int = 0
    easing: bool = True
    real: tuple[str, ...] = ()
    real_share: float = 0.3
    surfaces: tuple[str, ...] = ()
    surface_share: float = 0.35
    judging: bool = False

    def count(self, size: int) -> int:
        """How many pictures a batch of `size` px holds."""
        return int(np.clip(round(self.images * (256 / size) ** 2), 2, 2 * self.images))


@dataclasses.dataclass(frozen=True)
class Batch:
    """Pictures and targets.

    images: (B, 3, S, S) uint8, content at the top left; sizes: (B, 2) int, its height and width;
    targets: (B, O, S / 2, S / 2) bool at the logits' resolution; parts: (B, O) bool, whether the
    target is only a part of a defect; defects: (B, S / 2, S / 2) bool, the union of every defect in
    the picture.
    """

    images: npt.NDArray[np.uint8]
    sizes: npt.NDArray[np.int64]
    targets: npt.NDArray[np.bool_]
    parts: npt.NDArray[np.bool_]
    defects: npt.NDArray[np.bool_]


FIELDS: Final = tuple(field.name for field in dataclasses.fields(Batch))


def at_logit_size(mask: Mask, size: int) -> Mask:
    """A mask (height, width) inside a `size` square, at half the resolution by majority."""
    padded = np.zeros((size, size), dtype=np.uint8)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    half = size // LOGIT_STRIDE
    covered = padded.reshape(half, LOGIT_STRIDE, half, LOGIT_STRIDE).sum(axis=(1, 3))
    return np.asarray(covered >= 2, dtype=np.bool_)


def _target(rng: Rng, defects: list[Defect], size: int, ease: float) -> tuple[Mask, bool]:
    """A whole defect, or one of its parts and True; never empty."""
    defect = defects[int(rng.integers(len(defects)))]
    if defect.parts and rng.random() < PART_CHANCE * (1 - ease):
        part = at_logit_size(defect.parts[int(rng.integers(len(defect.parts)))], size)
        if part.any():
            return part, True
    return at_logit_size(defect.mask, size), False


def _extent(rng: Rng, size: int) -> tuple[int, int]:
    """Height and width of a picture whose longest side is `size`."""
    if rng.random() >= NON_SQUARE:
        return size, size
    short = int(size * rng.uniform(0.4, 0.95))
    return (size, short) if rng.random() < 0.5 else (short, size)


def make_batch(spec: BatchSpec, index: int) -> Batch:
    """Batch number `index` of the sequence that `spec.seed` names."""
    rng = np.random.default_rng([spec.seed, index])
    size = int(rng.choice(spec.sizes))
    count, half = spec.count(size), size // LOGIT_STRIDE
    images = np.zeros((count, 3, size, size), dtype=np.uint8)
    targets = np.zeros((count, spec.objects, half, half), dtype=np.bool_)
    parts = np.zeros((count, spec.objects), dtype=np.bool_)
    union = np.zeros((count, half, half), dtype=np.bool_)
    sizes = np.zeros((count, 2), dtype=np.int64)
    easing = max(0.0, 1 - index / EASING) if spec.easing else 0.0
    sets = tuple(read_set(Path(folder)) for folder in spec.real)
    surfaces = tuple(path for folder in spec.surfaces for path in read_surfaces(Path(folder)))
    photograph = functools.partial(surface_of, sets=sets) if sets else None
    shares = (spec.real_share if sets else 0.0, spec.surface_share if surfaces else 0.0)
    for i in range(count):
        extent = sizes[i] = _extent(rng, size)
        ease = max(easing, EASY_TAIL * float(rng.random()) ** 3) if spec.easing else 0.0
        shape = int(extent[0]), int(extent[1])
        drawn = rng.random()
        if drawn < shares[0]:
            picture, defects = make_photograph(rng, sets, shape, judging=spec.judging)
        elif drawn < sum(shares):
            picture, defects = make_on_surface(rng, surfaces, sets, shape)
        else:
            picture, defects = make_image(rng, shape, ease, photograph)
        colour = picture if picture.ndim == 3 else picture[..., None]
        images[i, :, : extent[0], : extent[1]] = colour.transpose(2, 0, 1)
        for j in range(spec.objects):
            targets[i, j], parts[i, j] = _target(rng, defects, size, ease)
        union[i] = at_logit_size(np.any([d.mask for d in defects], axis=0), size)
    return Batch(images, sizes, targets, parts, union)


def write_batch(stream: BinaryIO, batch: Batch) -> None:
    """Write a batch: its length in 8 bytes, then an .npz archive."""
    archive = io.BytesIO()
    np.savez(archive, **{name: getattr(batch, name) for name in FIELDS})
    stream.write(archive.tell().to_bytes(8, "little"))
    stream.write(archive.getbuffer())
    stream.flush()


def read_batch(stream: BinaryIO) -> Batch:
    """Read what `write_batch` wrote; EOFError where the stream ends."""
    length = int.from_bytes(stream.read(8), "little")
    content = stream.read(length)
    if not length or len(content) < length:
        raise EOFError("no more batches")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return Batch(**{name: arrays[name] for name in FIELDS})


def produce(spec: BatchSpec, first: int, step: int, stream: BinaryIO) -> None:
    """Write every `step`-th batch from `first` on until nobody reads any more."""
    with contextlib.suppress(BrokenPipeError):
        for index in itertools.count(first, step):
            write_batch(stream, make_batch(spec, index))


@contextlib.contextmanager
def batches(spec: BatchSpec, first: int, processes: int = 1) -> Iterator[Iterator[Batch]]:
    """An endless iterator of batches `first`, `first` + 1, …; 0 processes makes them in place.

    The processes are plain child interpreters writing into pipes: each is one batch ahead, blocks
    while nobody reads, and ends with the pipe. (`multiprocessing` would run the caller's script
    again.)
    """
    if processes == 0:
        yield (make_batch(spec, index) for index in itertools.count(first))
        return
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(ThreadPoolExecutor(1))
        workers: list[subprocess.Popen[bytes]] = []
        for i in range(processes):
            workers.append(stack.enter_context(_worker(spec, first + i, processes)))
            stack.callback(workers[-1].kill)  # runs before the pipe is closed and waited for
        yield _read_ahead(reader, workers)


def _read_ahead(
    reader: ThreadPoolExecutor, workers: list[subprocess.Popen[bytes]]
) -> Iterator[Batch]:
    """Batches of the workers in turn, the next one read while its predecessor is trained on.

    A batch for a GPU is some 30 MB, which take longer through a pipe than the step takes.
    """
    ahead = reader.submit(_next_batch, workers[0])
    for worker in itertools.islice(itertools.cycle(workers), 1, None):
        batch = ahead.result()
        ahead = reader.submit(_next_batch, worker)
        yield batch


def _worker(spec: BatchSpec, first: int, step: int) -> subprocess.Popen[bytes]:
    """A child interpreter that produces every `step`-th batch from `first` on."""
    order = json.dumps({"spec": dataclasses.asdict(spec), "first": first, "step": step})
    return subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", __spec__.name if __spec__ else __name__, order],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
    )


def _next_batch(worker: subprocess.Popen[bytes]) -> Batch:
    """Read what a child makes; TrainingError where it ended, in the middle of a batch too."""
    if worker.stdout is None:
        raise RuntimeError("a batch process was started without a pipe")
    try:
        return read_batch(cast("BinaryIO", worker.stdout))
    except EOFError as error:
        raise TrainingError(
            f"A process that makes pictures ended before its time (status {worker.wait()}); what "
            "it said stands above. If it was stopped, by somebody or for want of memory, run the "
            "same command again: it goes on from the run's last checkpoint."
        ) from error


def _main(order: str) -> None:
    """Entry of a child interpreter: batches to standard output."""
    asked = json.loads(order)
    given = asked["spec"]
    spec = BatchSpec(**given | {name: tuple(given[name]) for name in ("sizes", "real", "surfaces")})
    if hasattr(os, "nice"):
        os.nice(5)  # making images must not slow the trainer, or a viewer, down
    produce(spec, asked["first"], asked["step"], sys.stdout.buffer)


if __name__ == "__main__":
    _main(sys.argv[1])
