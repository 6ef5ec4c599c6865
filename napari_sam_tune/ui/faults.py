"""What to tell a person when something failed: what is the case, and what to do."""

from __future__ import annotations

import logging

from napari_sam_tune.core.errors import (
    CheckpointMissing,
    OutOfMemory,
    SamTuneError,
    StorageError,
    WorkerDied,
    is_out_of_memory,
)
from napari_sam_tune.core.texts.wording import join_sentences, mark, tr

_log = logging.getLogger(__name__)
_ADVICE = (
    (
        StorageError,
        mark("Nothing is lost: free some space or fix the permissions, then try again."),
    ),
    (WorkerDied, mark("The weights in use stay; the next round starts a new worker.")),
    (OutOfMemory, mark("Close other programs, choose a smaller model, or run on the processor.")),
    (CheckpointMissing, ""),
)


def explain(error: BaseException) -> str:
    """Put an error into words for the person at the screen; the log gets the rest."""
    _log.info("shown to the person", exc_info=error)
    if is_out_of_memory(error):
        return tr(
            "The model does not fit into memory. Close other programs, choose a smaller model, or "
            "let it run on the processor (“Runs on” in the start view)."
        )
    if isinstance(error, SamTuneError):
        advice = next((text for kind, text in _ADVICE if isinstance(error, kind)), "")
        return join_sentences(str(error), tr(advice))
    if isinstance(error, PermissionError):
        return tr(
            "{filename} may not be read or written. Check its permissions, and try again.",
            filename=error.filename,
        )
    _log.error("unexpected", exc_info=error)
    return tr(
        "Something unexpected happened ({name}: {error}). What you accepted is safe. If it "
        "comes back, please report it with the text in Help ▸ napari info and the log.",
        name=type(error).__name__,
        error=error,
    )
