"""A server on loopback, and a client of it."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import uvicorn

from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.models.starter import set_image_size
from napari_sam_tune.core.rounds.runners import make_runner
from napari_sam_tune.service.app import create_app
from napari_sam_tune.service.limits import Limits
from napari_sam_tune.service.served_weights import WeightsShelf
from napari_sam_tune.service.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fastapi import FastAPI


@contextmanager
def running(app: FastAPI, port: int = 0) -> Iterator[httpx.Client]:
    """Run an app in a thread on loopback, on a free port where none is named."""
    config = uvicorn.Config(app, port=port, log_level="warning", timeout_graceful_shutdown=2)
    with config.bind_socket() as listening:
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as `serve` does
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            place = f"http://127.0.0.1:{listening.getsockname()[1]}"
            transport = httpx.HTTPTransport(retries=5)
            with httpx.Client(base_url=place, timeout=60, transport=transport) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()


def small_app(
    folder: Path,
    limits: Limits | None = None,
    token: str | None = None,
    runner: str = "inline",
    side: int = 128,
    predictor: Predictor | None = None,
) -> FastAPI:
    """Return the app of a starter that sees images at so many px."""
    if predictor is None:
        predictor = Predictor.from_checkpoint("starter", device="cpu")
        set_image_size(predictor.sam, side)
    shelf = WeightsShelf(predictor.ref)
    made = make_runner(runner)
    server = Server(predictor, shelf, limits or Limits(), folder=folder, runner=made)
    return create_app(server, token)
