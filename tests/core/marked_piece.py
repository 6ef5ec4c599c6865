"""A piece of work that says when it was done; in a file of its own, for workers import that."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam_tune.core.errors import ImageError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Marked:
    """A piece that leaves a file for each time it was done, and may take its worker with it."""

    number: int
    folder: Path
    kills: int = 0
    files: tuple[Path, ...] = ()

    def do(self) -> int:
        times = len(list(self.folder.glob(f"{self.number}-*")))
        (self.folder / f"{self.number}-{times}").touch()
        if times < self.kills:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.number < 0:
            raise ImageError("This is no image.")
        return self.number**2
