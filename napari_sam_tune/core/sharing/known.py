"""What a copy of a project has seen to be in the shared place, so that it need not look again.

It lies in lines of JSON in the project and may be thrown away: then everything that is in the place
is looked at once more, and what is here already stays as it is.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from napari_sam_tune.core.sharing.bundle import heard_embeddings, told_embeddings
from napari_sam_tune.core.storage.append_log import append_line
from napari_sam_tune.core.storage.chained_log import LogEnd
from napari_sam_tune.core.storage.log_lines import last_checksum
from napari_sam_tune.core.storage.own_files import read_own
from napari_sam_tune.core.storage.plain_json import parse_object

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_tune.core.sharing.bundle import Bundle, SharedEmbedding

_FILE: Final = "known.jsonl"
_NO_LINE: Final = (ValueError, LookupError, TypeError, AttributeError)


class Known:
    """What is in the shared place.

    Args:
        folder: of the project, where that is kept; made by the first `add`.

    Attributes:
        last: by writer the name of its last bundle.
        logs: by name how far they are there, and the checksum up to there; 0 without checksums.
        records: ids of masks.
        files: names of weights and pixels.
        images: content hash of an image to its file's name and SHA-256.
        embeddings: by `key/content hash`, those said last.
        embedding_bytes: of all that were ever put there.

    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.last: dict[str, str] = {}
        self.logs: dict[str, LogEnd] = {}
        self.records: set[str] = set()
        self.files: set[str] = set()
        self.images: dict[str, tuple[str, str]] = {}
        self.embeddings: dict[str, SharedEmbedding] = {}
        self.embedding_bytes = 0
        with suppress(FileNotFoundError):
            for line in read_own(folder / _FILE).split(b"\n"):
                with suppress(*_NO_LINE):  # cut short, or empty
                    self._note(parse_object(line))

    def add(self, writer: str, name: str, bundle: Bundle) -> None:
        """Note a bundle that was put there, or taken in from there.

        Raises:
            StorageError: the disk refused.

        """
        line = {
            "writer": writer,
            "name": name,
            "logs": {part.name: [part.end, last_checksum(part.lines)] for part in bundle.logs},
            "records": list(bundle.records),
            "files": list(bundle.files),
            "images": bundle.images,
            "embeddings": told_embeddings(bundle.embeddings),
        }
        self._folder.mkdir(exist_ok=True)
        append_line(self._folder / _FILE, line)
        self._note(line)

    def _note(self, line: dict[str, Any]) -> None:
        self.last[line["writer"]] = max(line["name"], self.last.get(line["writer"], ""))
        for name, (size, checksum) in line["logs"].items():
            if size >= self.logs.get(name, LogEnd(0, 0)).size:
                self.logs[name] = LogEnd(size, checksum)
        self.records.update(line["records"])
        self.files.update(line["files"])
        self.images.update((content, (n, s)) for content, (n, s) in line["images"].items())
        embeddings = heard_embeddings(line.get("embeddings", {}))
        self.embeddings.update(embeddings)
        self.embedding_bytes += sum(one.size for one in embeddings.values())
