"""What the dock remembers of how it was left: which sections are folded."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

if TYPE_CHECKING:
    from collections.abc import Iterable

_log = logging.getLogger(__name__)


def load_folded() -> list[str] | None:
    """Return the titles of the sections that were folded; None where nothing is remembered."""
    try:
        saved = json.loads(_file().read_text(encoding="utf-8"))
        return [str(title) for title in saved["folded"]]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        _log.warning("%s is not readable and is passed over: %s", _file(), error)
        return None


def save_folded(titles: Iterable[str]) -> None:
    """Remember which sections are folded."""
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        _file().write_text(json.dumps({"folded": list(titles)}), encoding="utf-8")
    except OSError as error:
        # a convenience only
        _log.warning("%s cannot be written: %s", _file(), error)


def _file() -> Path:
    return Path(platformdirs.user_state_dir("napari-sam-tune")) / "dock.json"
