"""Downloading a published SAM checkpoint when asked to.

A download goes on where an earlier one stopped, is checked against the published SHA-256 and
appears under its final name whole or not at all. Proxies are taken from the environment
(`HTTPS_PROXY`), as `requests` does. This module needs no torch.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, Final

from napari_sam_tune.core.errors import CheckpointError, CheckpointMissing, StorageError
from napari_sam_tune.core.models.catalogue import official
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    DownloadProgress = Callable[[int, int], None]

CHUNK: Final = 1 << 20
TIMEOUT_SECONDS: Final = (15, 60)
"""To connect, and between two chunks."""


def download_checkpoint(name: str, progress: DownloadProgress | None = None) -> Path:
    """Download an official checkpoint, unless it is there already, and return its path.

    Args:
        name: "vit_b", "vit_l", "vit_h" or "vit_t".
        progress: called with (bytes so far, bytes in all; 0 where the server does not say).

    Raises:
        CheckpointError: no such name, or what arrived is not the published file.
        CheckpointMissing: the server could not be reached; says how to do it by hand. What had
            arrived is kept, and the next call goes on from there.
        StorageError: the disk is full or not writable.

    """
    checkpoint = official(name)
    if checkpoint.path.exists():
        return checkpoint.path
    import pooch
    import requests

    target = checkpoint.path
    try:
        pooch.retrieve(
            checkpoint.url,
            known_hash=f"sha256:{checkpoint.sha256}",
            fname=target.name,
            path=target.parent,
            downloader=_Resuming(target.with_name(target.name + ".part"), progress),
        )
    except requests.RequestException as error:
        raise CheckpointMissing(
            tr(
                "{name} could not be downloaded: {why} Check the connection (behind a proxy, "
                "set HTTPS_PROXY) and ask again: it goes on where it stopped. {by_hand}",
                name=name,
                why=_plain(error),
                by_hand=checkpoint.by_hand,
            )
        ) from error
    except OSError as error:
        raise StorageError(_disk(target.parent, error)) from error
    except ValueError as error:
        raise CheckpointError(
            tr(
                "What arrived for {name} is not the published file (its SHA-256 differs), so "
                "it was thrown away. Ask again, or: {by_hand}",
                name=name,
                by_hand=checkpoint.by_hand,
            )
        ) from error
    return target


class _Resuming:
    """A downloader for pooch that keeps what has arrived in `part` and asks only for the rest."""

    def __init__(self, part: Path, progress: DownloadProgress | None) -> None:
        self.part = part
        self.progress = progress

    def __call__(self, url: str, output_file: str, pooch: object, **_: object) -> None:
        have = self.part.stat().st_size if self.part.exists() else 0
        response = self._ask(url, have)
        if response.status_code == 416:  # the part is already as long as the file, or longer
            self.part.unlink()
            have = 0
            response = self._ask(url, 0)
        with response:
            response.raise_for_status()
            if response.status_code != 206:  # the server sends all of it again
                have = 0
            self._save(response, have)
        self.part.replace(output_file)

    def _ask(self, url: str, have: int) -> Any:
        import requests

        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        return requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS)

    def _save(self, response: Any, have: int) -> None:
        import requests

        length = int(response.headers.get("Content-Length", 0))
        total = have + length if length else 0
        with self.part.open("ab" if have else "wb") as file:
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                have += len(chunk)
                if self.progress is not None:
                    self.progress(have, total)
        if total and have < total:  # requests does not notice a connection closed early
            raise requests.ConnectionError(f"only {have} of {total} bytes arrived")


def _plain(error: Exception) -> str:
    """Say why the network failed without the traceback-like text of urllib3."""
    response = getattr(error, "response", None)
    if response is not None:
        return tr(
            "the server answered {code} ({reason}).",
            code=response.status_code,
            reason=response.reason,
        )
    return tr("no connection ({error}).", error=type(error).__name__)


def _disk(folder: Path, error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return tr(
            "The disk that holds {folder} is full. Free some space and ask again.", folder=folder
        )
    return tr(
        "Cannot write to {folder} ({error}). Set SAM_TUNE_CHECKPOINTS to a folder that can be "
        "written to.",
        folder=folder,
        error=error.strerror,
    )
