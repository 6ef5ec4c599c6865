"""What every operation is given: the server, and whose turn a question takes."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends, Request

from napari_sam_tune.service.model_thread import Asker
from napari_sam_tune.service.server import Server

_CLIENT_LETTERS: Final = 64


def _server(request: Request) -> Server:
    server: Server = request.app.state.server
    return server


def _client(request: Request) -> Asker:
    """Return whose turn a question takes: who says so, or the connection it came by."""
    said = request.headers.get("x-client", "")
    peer = request.client
    name = said[:_CLIENT_LETTERS] or ("" if peer is None else f"{peer.host}:{peer.port}")
    return Asker(name, request.is_disconnected)


Here = Annotated[Server, Depends(_server)]
Client = Annotated[Asker, Depends(_client)]
