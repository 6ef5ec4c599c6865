"""Exceptions a caller may want to tell apart, all rooted in `SamTuneError`.

Each message says what was wrong and what to do about it, in words for the person at the screen.
"""

from __future__ import annotations


class SamTuneError(Exception):
    """Root of every exception this package raises on purpose."""


class ImageError(SamTuneError, ValueError):
    """An image cannot be read or is not an image."""


class PromptError(SamTuneError, ValueError):
    """A prompt cannot be answered: empty, outside the image, a box without area."""


class MaskError(SamTuneError, ValueError):
    """A mask cannot be stored: empty, or not of the image's shape."""


class CheckpointError(SamTuneError, ValueError):
    """A weights file does not fit, is damaged, or is not a weights file."""


class CheckpointMissing(CheckpointError, FileNotFoundError):
    """A weights file is not there and was not asked to be downloaded."""


class ProjectError(SamTuneError):
    """A project cannot be opened or does not hold what was asked for."""


class DamagedLogError(ProjectError):
    """The log of a project is not as it was written; `napari-sam-tune check` says what is left."""


class StorageError(SamTuneError, OSError):
    """The disk refused a write (full, read-only). Nothing is half-written; a retry may work."""


class ShareError(SamTuneError):
    """A shared place refuses, or holds what does not go together with the project."""


class ShareInUse(ShareError):
    """Another program of this computer exchanges the same copy just now."""


class ShareUnreachable(ShareError):
    """A shared place does not answer; a retry may work."""


class ClusterError(SamTuneError):
    """A cluster cannot be joined, its workers do not see the files, or it is gone."""


class ExportCancelled(SamTuneError):
    """An export was stopped on request. What was at its place before is untouched."""


class TrainingError(SamTuneError):
    """A round could not be run to its end. The weights in use are untouched."""


class WorkerDied(TrainingError):
    """The training process ended without an answer."""


class OutOfMemory(TrainingError):
    """The device has too little memory, even for the smallest batch."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device had too little memory.

    CUDA has an exception of its own for that; torch's CPU allocator and MPS only say so.
    """
    words = ("out of memory", "allocate memory", "not enough memory")
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words)
    )
