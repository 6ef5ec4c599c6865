"""Servers that a model may run on, and the tokens they ask for, remembered on this computer.

A device "server:http://…" in the choices of the start view means one of them.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import platformdirs

from napari_sam_tune.core.rounds.runners import make_runner

if TYPE_CHECKING:
    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.rounds.runners import Runner
    from napari_sam_tune.service.bodies import WeightsBody
    from napari_sam_tune.service.connection import Connection

PREFIX: Final = "server:"
"""What a device begins with that is a server's address."""
_log = logging.getLogger(__name__)


def address_of(device: str) -> str | None:
    """Return the address of the server that a device is; None where it is this computer."""
    return device.removeprefix(PREFIX) if device.startswith(PREFIX) else None


def load_servers() -> dict[str, str]:
    """Return tokens by address; the empty token where none is needed."""
    try:
        saved = json.loads(_file().read_text(encoding="utf-8"))
        return {str(address): str(token) for address, token in saved["servers"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        _log.warning("%s is not readable and is passed over: %s", _file(), error)
        return {}


def save_server(address: str, token: str) -> None:
    """Remember a server, in a file that no other user of this computer can read."""
    servers = {**load_servers(), address: token}
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(_file(), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"servers": servers}, file)
    except OSError as error:
        # a convenience only
        _log.warning("%s cannot be written: %s", _file(), error)


def check_server(address: str, token: str) -> tuple[str, WeightsBody]:
    """Ask a server what it is; returns its whole address too.

    Raises:
        ServerGone, ServerRefused: it cannot be asked.
        SamTuneError: that is no address, or no server of this program.

    """
    from napari_sam_tune.service.connection import Connection

    connection = Connection(address, token)
    try:
        return connection.address, connection.describe()
    finally:
        connection.close()


def connect(device: str, predictor: Predictor) -> Connection | None:
    """Have a predictor's images encoded where a device says; None where that is this computer.

    One that does not answer just now is asked again later.

    Raises:
        ServerRefused: the server will not be asked.
        SamTuneError: it has another model.

    """
    address = address_of(device)
    if address is None:
        return None
    from napari_sam_tune.service.connection import Connection
    from napari_sam_tune.service.remote_encoder import RemoteEncoder

    connection = Connection(address, load_servers().get(address, ""))
    try:
        predictor.encoder = RemoteEncoder(connection, predictor)
    except Exception:
        connection.close()
        raise
    return connection


def runner_of(connection: Connection | None, local: str | Runner) -> Runner:
    """Return where rounds run: on the server there is a connection to, else on this computer."""
    runner = make_runner(local)
    if connection is None:
        return runner
    from napari_sam_tune.service.remote_runner import RemoteRunner

    return RemoteRunner(connection, runner)


def _file() -> Path:
    return Path(platformdirs.user_state_dir("napari-sam-tune")) / "servers.json"
