"""The projects labelled last, so that the dock can offer to go on there."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
from PIL import Image

from napari_sam_tune.core.project.folder import is_project
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.ui.queue import SAMPLE_IMAGES
from napari_sam_tune.ui.thumbnails import thumbnail_of_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam_tune.core.images.large_image import LargeImage

_MOST_KEPT = 5
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recent:
    """A project, and with what it was labelled.

    Attributes:
        project: its folder.
        folder: of the images; None where they come from several places.
        model: a model's name or the path of a weights file.
        device: as chosen.
        masks: accepted in it; None where that is not known.
        when: it was left, in seconds since 1970; 0 where that is not known.
        is_there: whether it still is; not kept, but found out by `load_recent`.

    """

    project: Path
    folder: Path | None
    model: str
    device: str
    masks: int | None = None
    when: float = 0.0
    is_there: bool = True

    @property
    def name(self) -> str:
        """What a person knows it by: the folder of its images, else its own name."""
        if self.folder == SAMPLE_IMAGES:
            return tr("Sample images")
        return (self.folder or self.project).name

    @property
    def picture(self) -> Path:
        """Where its thumbnail is, if there is one."""
        name = hashlib.sha256(str(self.project).encode("utf-8", "surrogateescape")).hexdigest()
        return _state() / "recent" / f"{name[:16]}.png"


def load_recent() -> list[Recent]:
    """Return what was labelled, the last first; asks the disk whether it is still there."""
    return [replace(one, is_there=is_project(one.project)) for one in _load()]


def save_recent(recent: Recent) -> None:
    """Remember a project as the one labelled last."""
    others = [other for other in _load() if other.project != recent.project]
    _save([recent, *others][:_MOST_KEPT])
    for gone in others[_MOST_KEPT - 1 :]:
        _remove_picture(gone)


def forget_recent(recent: Recent) -> None:
    """Offer a project no more; it is left as it is."""
    _save([other for other in _load() if other.project != recent.project])
    _remove_picture(recent)


def save_picture(recent: Recent, pixels: NDArray[Any] | LargeImage) -> None:
    """Keep a thumbnail of an image of a project, any that `to_rgb8` takes."""
    try:
        recent.picture.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(thumbnail_of_image(pixels)).save(recent.picture)
    except OSError as error:
        _log.warning("%s cannot be written: %s", recent.picture, error)


def _load() -> list[Recent]:
    try:
        saved = json.loads(_file().read_text(encoding="utf-8"))
        # earlier releases remembered one, and none without a folder
        return [_recent(**one) for one in saved.get("recent", [saved])]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, AttributeError, TypeError) as error:
        _log.warning("%s is not readable and is passed over: %s", _file(), error)
        return []


def _recent(project: str, folder: str | None, **others: Any) -> Recent:
    return Recent(Path(project), None if folder is None else Path(folder), **others)


def _save(recent: list[Recent]) -> None:
    entries = [asdict(one) for one in recent]
    for entry in entries:
        del entry["is_there"]
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        _file().write_text(json.dumps({"recent": entries}, default=str), encoding="utf-8")
    except OSError as error:
        # A convenience only: the project itself knows where the person stopped.
        _log.warning("%s cannot be written: %s", _file(), error)


def _remove_picture(recent: Recent) -> None:
    try:
        recent.picture.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("%s cannot be removed: %s", recent.picture, error)


def _state() -> Path:
    return Path(platformdirs.user_state_dir("napari-sam-tune"))


def _file() -> Path:
    return _state() / "recent.json"
