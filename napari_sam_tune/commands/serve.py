"""`napari-sam-tune serve`: the endpoint and the page."""

from __future__ import annotations

import logging
import secrets
import socket
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_sam_tune.commands.stopping import Stopped
from napari_sam_tune.commands.terminal import Device, say, strong
from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.models.catalogue import MODEL_NAMES, STARTER

if TYPE_CHECKING:
    from collections.abc import Iterator

    import uvicorn
    from fastapi import FastAPI

    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.service.served_weights import WeightsShelf
    from napari_sam_tune.service.server import Server

_FEWEST_LETTERS = 16
"""Of a token from a file: shorter ones can be guessed."""


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but loopback needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8765,
    project: Annotated[
        Path | None, typer.Option(help="Answer with the version this project uses, as it changes.")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Answer with these tuned weights.")] = None,
    model: Annotated[
        str | None,
        typer.Option(help=f"Base model: {', '.join(MODEL_NAMES)} or a file; else theirs."),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File whose first line is the token clients must send.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="Where images and masks that rounds learn from are kept; else a cache."),
    ] = None,
    device: Device = "auto",
) -> None:
    """Serve masks to other programs and computers, and a page to click on."""
    _require_extra()
    from napari_sam_tune.service.app import create_app
    from napari_sam_tune.service.guard import is_loopback

    if project is not None and weights is not None:
        raise SamTuneError("Give --project or --weights, not both: one of them answers.")
    is_private = is_loopback(host)
    token, place = _token(token_file, is_private), _folder_of_mirrors(folder)
    predictor, shelf = _open(project, weights, model, device)
    app = create_app(_server(predictor, shelf, place), token)
    logging.getLogger("napari_sam_tune").setLevel(logging.WARNING)
    with _listening(app, host, port) as (server, listening):
        name = f"[{host}]" if ":" in host else host
        say(
            "Serving ",
            strong(predictor.ref.name),
            f" ({shelf.in_use.version}) at ",
            strong(f"http://{name}:{listening.getsockname()[1]}"),
            ". Stop with Ctrl-C.",
        )
        if not is_private:
            say("What is sent is not encrypted: put a proxy with TLS before it (see the docs).")
        if token is not None and token_file is None:
            say("Token: ", strong(token))
        with suppress(Stopped):  # which is how it ends
            server.run(sockets=[listening])


def _require_extra() -> None:
    try:
        import uvicorn  # noqa: F401

        import napari_sam_tune.service.app  # noqa: F401
    except ModuleNotFoundError as error:
        raise SamTuneError(
            f"Serving needs {error.name}, which is not installed: "
            'pip install "napari-sam-tune[serve]".'
        ) from error


def _folder_of_mirrors(folder: Path | None) -> Path:
    """Return where what rounds learn from is kept; what is wrong with a chosen one is said now."""
    from platformdirs import user_cache_path

    from napari_sam_tune.service.mirrors import make_mirrors_folder

    if folder is None:
        return user_cache_path("napari-sam-tune") / "served"
    make_mirrors_folder(folder)
    return folder


def _server(predictor: Predictor, shelf: WeightsShelf, folder: Path) -> Server:
    """Put together what answers, with rounds in a process of their own."""
    from napari_sam_tune.core.rounds.runners import ProcessRunner
    from napari_sam_tune.service.limits import Limits
    from napari_sam_tune.service.server import Server

    return Server(predictor, shelf, Limits(), folder=folder, runner=ProcessRunner())


@contextmanager
def _listening(
    app: FastAPI, host: str, port: int
) -> Iterator[tuple[uvicorn.Server, socket.socket]]:
    """Listen where asked, so that the port is known before anything is answered."""
    import uvicorn

    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    with _bound(host, port) as listening:
        # asyncio does so for sockets of its own alone; without, each answer waits 40 ms for an ACK
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield uvicorn.Server(config), listening


def _bound(host: str, port: int) -> socket.socket:
    """Take an address.

    Raises:
        SamTuneError: another program has it, or it is none of this computer's.

    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise SamTuneError(
            f"Nothing can listen at {host}, port {port}: {error.strerror}. Choose another --host "
            "or --port."
        ) from error


def _token(file: Path | None, is_private: bool) -> str | None:
    """Return what clients must send; None where nobody but this computer can.

    Raises:
        SamTuneError: the file cannot be read, or holds none.

    """
    if file is None:
        return None if is_private else secrets.token_urlsafe(24)
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SamTuneError(f"The token cannot be read from {file}: {error}.") from error
    token = lines[0].strip() if lines else ""
    if len(token) < _FEWEST_LETTERS or not token.isascii() or " " in token:
        raise SamTuneError(
            f"The first line of {file} is no token: {_FEWEST_LETTERS} letters or more without "
            "spaces, such as `python -c 'import secrets; print(secrets.token_urlsafe(24))'` prints."
        )
    return token


def _open(
    project: Path | None, weights: Path | None, model: str | None, device: str
) -> tuple[Predictor, WeightsShelf]:
    """Load the model, and what answers on it."""
    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.answers.tuned import open_tuned
    from napari_sam_tune.core.models.checkpoints import load_base, resolve_device
    from napari_sam_tune.core.models.weights_file import is_head
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.service.served_weights import WeightsShelf

    if weights is not None:
        predictor, tuned = open_tuned(weights, model=model, device=device)
        if is_head(tuned.tensors):
            raise SamTuneError(
                f"{weights.name} is a finder, which answers no click or box: give tuned weights."
            )
        return predictor, WeightsShelf(predictor.ref, tuned=tuned)
    opened = None if project is None else Project.open(project, create=False)
    if opened is not None and opened.base is not None and model is None:
        predictor = Predictor(load_base(opened.base, resolve_device(device)))
    else:
        predictor = Predictor.from_checkpoint(model or STARTER, device)
    if (
        opened is not None
        and opened.base is not None
        and (opened.base.sha256 != predictor.ref.sha256)
    ):
        raise SamTuneError(
            f"The project was begun with {opened.base.name}, not with {predictor.ref.name}: leave "
            "--model out, or give that one."
        )
    return predictor, WeightsShelf(predictor.ref, opened)
