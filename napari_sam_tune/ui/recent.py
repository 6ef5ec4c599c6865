"""Where the person stopped last time, so that the dock can offer to go on there."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

if TYPE_CHECKING:
    from napari_sam_tune.ui.views.start import Choices

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recent:
    """The folder last labelled, and with what.

    Attributes:
        folder: of the images.
        project: where the project is.
        model: a model's name or the path of a weights file.
        device: as chosen.

    """

    folder: Path
    project: Path
    model: str
    device: str


def load_recent() -> Recent | None:
    """Return what was labelled last, if it is still there."""
    try:
        saved = json.loads(_file().read_text(encoding="utf-8"))
        recent = Recent(
            Path(saved["folder"]), Path(saved["project"]), saved["model"], saved["device"]
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        _log.warning("%s is not readable and is passed over: %s", _file(), error)
        return None
    return recent if recent.folder.is_dir() and recent.project.is_dir() else None


def save_recent(folder: Path, project: Path, choices: Choices) -> None:
    """Remember what is being labelled."""
    saved = {
        "folder": str(folder),
        "project": str(project),
        "model": choices.model,
        "device": choices.device,
    }
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        _file().write_text(json.dumps(saved), encoding="utf-8")
    except OSError as error:
        # A convenience only: the project itself knows where the person stopped.
        _log.warning("%s cannot be written: %s", _file(), error)


def _file() -> Path:
    return Path(platformdirs.user_state_dir("napari-sam-tune")) / "recent.json"
