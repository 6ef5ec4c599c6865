"""Where a project is shared, and which of its copies a folder is.

Copies of one project lie on the disks of those who work in it and are exchanged through a shared
place, see `core.sharing`. Each writes a log of its own, so that nothing is ever written to twice.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.storage.durable import pending_folder, publish_file, saving
from napari_sam_tune.core.storage.own_files import read_own
from napari_sam_tune.core.storage.plain_json import parse_object
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from pathlib import Path

KNOWN: Final = ".share"
"""Folder of what is known to be in the shared place; may be thrown away, which costs a look."""
_FILE: Final = "share.json"
_COPY: Final = re.compile(r"([0-9a-f]{8})?")
_ID: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class ShareLink:
    """Where a project is shared. Who may go there is never part of it.

    Attributes:
        url: `s3://bucket/key`, or the path of a folder.
        share: the place's own id, so that another one in its place is noticed.
        copy: 8 hex digits; "" in the folder that the project was shared from.
        machine: the one that exchanges; see `holding.machine`.
        endpoint: address of a store that is like S3; None for Amazon's.
        region: of the store, or None.
        images: whether image files are sent and fetched.
        embeddings: bytes of embeddings that there may be in the place, for this copy to add to
            them and to fetch them; 0 for neither.

    """

    url: str
    share: str
    copy: str
    machine: str
    endpoint: str | None = None
    region: str | None = None
    images: bool = True
    embeddings: int = 0

    def __post_init__(self) -> None:
        """Check what comes from a file.

        Raises:
            ValueError: a field is senseless.

        """
        texts = (self.url, self.share, self.copy, self.machine)
        optional = (self.endpoint, self.region)
        if not all(isinstance(text, str) for text in texts) or not all(
            text is None or isinstance(text, str) for text in optional
        ):
            raise ValueError("a field of it is no text")
        if not _COPY.fullmatch(self.copy) or not _ID.fullmatch(self.share):
            raise ValueError("an id in it is none")
        if type(self.images) is not bool:
            raise ValueError("“images” is neither true nor false")
        if type(self.embeddings) is not int or self.embeddings < 0:
            raise ValueError("“embeddings” is no number of bytes")

    @property
    def writer(self) -> str:
        """What this copy's part of the shared place is called."""
        return self.copy or "first"


def read_link(project: Path) -> ShareLink | None:
    """Return where a project is shared, or None.

    Raises:
        ProjectError: what says so is damaged.

    """
    file = project / _FILE
    try:
        return ShareLink(**parse_object(read_own(file)))
    except FileNotFoundError:
        return None
    except PermissionError:
        raise
    except (OSError, ValueError, TypeError) as error:
        raise ProjectError(
            tr(
                "{file} cannot be read ({error}). It says which log this copy of the project "
                "writes, so nothing is opened without it. Restore it from a backup, or join again "
                "in another folder and merge this one into it once the file is away.",
                file=file,
                error=error,
            )
        ) from error


def write_link(project: Path, pending: Path, link: ShareLink) -> None:
    """Say where a project is shared.

    Args:
        project: its folder.
        pending: where files are built.
        link: what to say.

    Raises:
        StorageError: the disk refused.

    """
    with saving("Where the project is shared", project), pending_folder(pending) as build:
        (build / _FILE).write_text(json.dumps(asdict(link), indent=2), encoding="utf-8")
        publish_file(build / _FILE, project / _FILE)
