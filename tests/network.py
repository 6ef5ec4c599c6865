"""A network between a client and a server: slow, stalling, cut."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Network:
    """A TCP proxy on loopback.

    Args:
        port: of the server behind it.

    Attributes:
        address: that clients connect to.
        delay: seconds each way.
        is_stalled: what is sent arrives only later.

    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.delay, self.is_stalled, self._is_cut = 0.0, False, False
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break all connections, and let no new ones through."""
        self._is_cut = True
        for end in tuple(self._open):
            self._drop(end)

    def mend(self) -> None:
        """Let connections through again."""
        self._is_cut = False

    def close(self) -> None:
        """End all of it."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._is_cut:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                client.close()
                continue
            self._open |= {client, server}
            for ends in ((client, server), (server, client)):
                threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        """Read at once and write later, so that much is not slower than little."""
        under_way: queue.Queue[tuple[float, bytes]] = queue.Queue()
        ends = under_way, source, target
        threading.Thread(target=self._deliver, args=ends, daemon=True).start()
        with contextlib.suppress(OSError):
            while content := source.recv(65_536):
                under_way.put((time.monotonic() + self.delay, content))
        under_way.put((0.0, b""))

    def _deliver(
        self,
        under_way: queue.Queue[tuple[float, bytes]],
        source: socket.socket,
        target: socket.socket,
    ) -> None:
        with contextlib.suppress(OSError):
            while (sent := under_way.get())[1]:
                time.sleep(max(0.0, sent[0] - time.monotonic()))
                while self.is_stalled and source in self._open:
                    time.sleep(0.01)
                target.sendall(sent[1])
        self._drop(source)
        self._drop(target)

    def _drop(self, end: socket.socket) -> None:
        self._open.discard(end)
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@contextlib.contextmanager
def network(port: int) -> Iterator[Network]:
    """Have a network before a server on loopback."""
    made = Network(port)
    try:
        yield made
    finally:
        made.close()
