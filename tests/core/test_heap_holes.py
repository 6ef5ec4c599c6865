"""Holes of the heap go back to the system, where the C library can be asked."""

from __future__ import annotations

import asyncio
import ctypes
import platform
import threading
from contextlib import nullcontext

import psutil
import pytest

from napari_sam_tune.core.storage.heap_holes import HeapHoles
from napari_sam_tune.service import model_thread
from napari_sam_tune.service.limits import Limits
from napari_sam_tune.service.model_thread import Asker, ModelThread

PIECE, PIECES = 30_000, 6_000
"""Bytes below what malloc asks the system for by itself, and how many: 172 MiB."""


def resident() -> int:
    return int(psutil.Process().memory_info().rss)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another malloc")
def test_holes_go_back_once_the_process_has_grown() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    holes = HeapHoles(growth=50 << 20)
    assert holes.give_back()  # whatever was left from before
    assert not holes.give_back()
    pieces = []
    for _ in range(PIECES):
        pieces.append(libc.malloc(PIECE))
        ctypes.memset(pieces[-1], 1, PIECE)
    last = pieces.pop()  # keeps the heap's end where it is
    for piece in pieces:
        libc.free(piece)
    grown = resident()
    assert holes.give_back()
    assert grown - resident() > 100 << 20
    assert not holes.give_back()
    libc.free(last)


def test_where_nobody_can_be_asked_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_sam_tune.core.storage.heap_holes._malloc_trim", lambda: None)
    assert not HeapHoles(growth=0).give_back()


def test_a_servers_model_gives_back_when_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    was_idle = threading.Event()
    monkeypatch.setattr(model_thread, "IDLE_SECONDS", 0.01)
    monkeypatch.setattr(HeapHoles, "give_back", lambda _: was_idle.set())
    model = ModelThread(Limits(), nullcontext)
    assert was_idle.wait(60)

    async def stays() -> bool:
        return False

    assert asyncio.run(model.run(Asker("anybody", stays), lambda: 7)) == 7
    model.close()
