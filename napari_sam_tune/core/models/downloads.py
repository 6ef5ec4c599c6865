"""The published SAM checkpoints: where they are kept, and downloading them when asked to.

A download goes on where an earlier one stopped, is checked against the published SHA-256 and
appears under its final name whole or not at all. Proxies are taken from the environment
(`HTTPS_PROXY`), as `requests` does. This module needs no torch.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_sam_tune.core.errors import CheckpointError, CheckpointMissing, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    DownloadProgress = Callable[[int, int], None]

CHUNK: Final = 1 << 20
TIMEOUT_SECONDS: Final = (15, 60)
"""To connect, and between two chunks."""


@dataclass(frozen=True)
class OfficialCheckpoint:
    """A checkpoint published with "Segment Anything" (Kirillov et al., 2023), or MobileSAM's.

    Attributes:
        name: "vit_b", "vit_l", "vit_h" or "vit_t".
        url: where its authors publish it.
        sha256: hex digest of the whole file.
        size: for people, e.g. "375 MB".

    """

    name: str
    url: str
    sha256: str
    size: str

    @property
    def path(self) -> Path:
        """Where the file is kept on this machine, there or not."""
        return checkpoint_folder() / self.url.rsplit("/", 1)[1]

    @property
    def by_hand(self) -> str:
        """How to get the file without this program, in one sentence."""
        return (
            f"By hand: download {self.url} ({self.size}) and put it at {self.path} "
            f"(SHA-256 {self.sha256})."
        )


_SERVER = "https://dl.fbaipublicfiles.com/segment_anything"
OFFICIAL: Final[dict[str, OfficialCheckpoint]] = {
    "vit_b": OfficialCheckpoint(
        "vit_b",
        f"{_SERVER}/sam_vit_b_01ec64.pth",
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        "375 MB",
    ),
    "vit_l": OfficialCheckpoint(
        "vit_l",
        f"{_SERVER}/sam_vit_l_0b3195.pth",
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        "1.2 GB",
    ),
    "vit_h": OfficialCheckpoint(
        "vit_h",
        f"{_SERVER}/sam_vit_h_4b8939.pth",
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        "2.6 GB",
    ),
    # "Faster Segment Anything" (Zhang et al., 2023)
    "vit_t": OfficialCheckpoint(
        "vit_t",
        "https://github.com/ChaoningZhang/MobileSAM/raw/master/weights/mobile_sam.pt",
        "6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
        "41 MB",
    ),
}


def checkpoint_folder() -> Path:
    """Where checkpoints are kept: `$SAM_TUNE_CHECKPOINTS`, or the user's cache folder."""
    if folder := os.environ.get("SAM_TUNE_CHECKPOINTS"):
        return Path(folder).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("napari-sam-tune", appauthor=False) / "checkpoints"


def official(name: str) -> OfficialCheckpoint:
    """Look an official checkpoint up by name.

    Raises:
        CheckpointError: there is none of that name.

    """
    if name not in OFFICIAL:
        raise CheckpointError(
            f"There is no official model named {name!r}; there are {', '.join(OFFICIAL)}."
        )
    return OFFICIAL[name]


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
            f"{name} could not be downloaded: {_plain(error)} Check the connection (behind a "
            f"proxy, set HTTPS_PROXY) and ask again: it goes on where it stopped. "
            f"{checkpoint.by_hand}"
        ) from error
    except OSError as error:
        raise StorageError(_disk(target.parent, error)) from error
    except ValueError as error:
        raise CheckpointError(
            f"What arrived for {name} is not the published file (its SHA-256 differs), so it was "
            f"thrown away. Ask again, or: {checkpoint.by_hand}"
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
        return f"the server answered {response.status_code} ({response.reason})."
    return f"no connection ({type(error).__name__})."


def _disk(folder: Path, error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return f"The disk that holds {folder} is full. Free some space and ask again."
    return (
        f"Cannot write to {folder} ({error.strerror}). Set SAM_TUNE_CHECKPOINTS to a folder that "
        "can be written to."
    )
