"""The door of a server: who may come in, from which page, with how much, and how slowly.

Without a token a server answers on loopback alone, and browsers are let in from its own page only:
a page of any other site names itself (`Origin`), and one whose name was turned to loopback (DNS
rebinding) still sends its own name (`Host`).
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
import secrets
from time import monotonic
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from napari_sam_tune.service.faults import Fault, answer_of, too_large

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from napari_sam_tune.service.limits import Limits

OPEN_TO_ALL: Final = ("/", "/healthz", "/openapi.json", "/docs")
"""What holds nothing of anybody, and is answered without a token."""
OPEN_FOLDERS: Final = ("/page/", "/docs/")
_DRAINED_BYTES: Final = 32 << 20
_DRAINING_SECONDS: Final = 5.0
_UPLOADS: Final = re.compile(
    "/v1/(masks|images|embeddings|weights/[^/]+|projects/[^/]+/(images|weights)/[^/]+)"
)
"""Where bodies may be as large as a picture or weights."""
_OWN_PAGES: Final = ("same-origin", "none")
"""What browsers say (`Sec-Fetch-Site`) of a request of the page itself, or of the person."""


def is_loopback(host: str) -> bool:
    """Whether a host's name, as a person or a browser writes it, is this very computer."""
    name = host.strip("[]")
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class Guard:
    """ASGI middleware around all of an app.

    Args:
        app: what is guarded.
        limits: of bodies and times.
        token: what `Authorization: Bearer …` must say; None lets in whoever is on this computer.
        refused: told the status of every refusal.

    """

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits,
        token: str | None,
        refused: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._app, self._limits, self._token = app, limits, token
        self._refused = refused
        self._under_way = 0
        self._room = _Room(limits.bytes_under_way)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            headers = Headers(scope=scope)
            self._check_sender(scope["path"], headers)
            self._check_token(scope["path"], headers)
            self._check_crowd(scope["path"])
            most = self._most_bytes(scope["path"])
            _check_length(headers, most)
        except Fault as fault:
            self._refused(fault.status)
            await _drain(receive)
            await _refuse(fault, scope, receive, send)
            return
        body = _Body(receive, most, self._limits, self._room)
        answer = _Answer(scope, receive, send, body)
        self._under_way += 1
        try:
            await self._app(scope, body.receive, answer.send)
        except Fault as fault:
            if fault is not body.fault:
                raise
            self._refused(fault.status)
            await answer.refuse(fault)
        finally:
            self._under_way -= 1
            self._room.left += body.size

    def _check_sender(self, path: str, headers: Headers) -> None:
        host = headers.get("host", "")
        if self._token is None and not is_loopback(_name_in(host)):
            raise Fault(
                421,
                "wrong_host",
                "This server answers to localhost, 127.0.0.1 and [::1] alone. To serve other "
                "computers, start it with --host, which makes a token.",
            )
        origin = headers.get("origin")
        # pictures and scripts of a page are fetched without Origin
        is_own = headers.get("sec-fetch-site", "none") in _OWN_PAGES or _is_open(path)
        if not is_own or (origin is not None and origin.partition("://")[2] != host):
            raise Fault(
                403, "foreign_page", "Pages of other sites may not ask this server anything."
            )

    def _check_token(self, path: str, headers: Headers) -> None:
        if self._token is None or _is_open(path):
            return
        kind, _, given = headers.get("authorization", "").partition(" ")
        is_right = secrets.compare_digest(given.strip().encode(), self._token.encode())
        if kind.lower() != "bearer" or not is_right:
            raise Fault(
                401,
                "token_wrong" if given else "token_missing",
                "Send the server's token as “Authorization: Bearer …”; it was shown when the "
                "server was started.",
                {"WWW-Authenticate": "Bearer"},
            )

    def _check_crowd(self, path: str) -> None:
        if self._under_way >= self._limits.requests and not _is_open(path):
            raise _busy()

    def _most_bytes(self, path: str) -> int:
        limits = self._limits
        return limits.upload_bytes if _UPLOADS.fullmatch(path) else limits.text_bytes


def _is_open(path: str) -> bool:
    return path in OPEN_TO_ALL or path.startswith(OPEN_FOLDERS)


def _name_in(host: str) -> str:
    """Return a host's name without its port; "" where it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _busy() -> Fault:
    sentence = "Too much is asked of this server at once; ask again in a moment."
    return Fault(503, "busy", sentence, {"Retry-After": "1"})


def _check_length(headers: Headers, most: int) -> None:
    try:
        length = int(headers.get("content-length", "0"))
    except ValueError:
        raise Fault(400, "malformed", "Content-Length is no number.") from None
    if length > most:
        raise _body_too_large(most)


def _body_too_large(most: int) -> Fault:
    return too_large("The body has more bytes", f"{most:,}")


async def _drain(receive: Receive) -> None:
    """Read some of what is left of a body: who is hung up on while sending sees no answer."""
    left = _DRAINED_BYTES
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DRAINING_SECONDS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return


async def _refuse(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a fault and hang up, for what is left of the body is not read."""
    answer = answer_of(fault)
    answer.headers["Connection"] = "close"
    await answer(scope, receive, send)


class _Room:
    """Bytes that bodies may still take up, all requests under way together."""

    def __init__(self, most: int) -> None:
        self.left = most


class _Body:
    """A request's body, bounded in size, in how long the next part may take, and all of it.

    Attributes:
        size: bytes that have come.
        fault: why no more of it is read; None while it is.
        has_more: whether the client has not sent all of it yet.

    """

    def __init__(self, receive: Receive, most: int, limits: Limits, room: _Room) -> None:
        self._receive, self._most, self._room = receive, most, room
        self._seconds = limits.receive_seconds
        self._until = monotonic() + limits.upload_seconds
        self.size = 0
        self.fault: Fault | None = None
        self.has_more = True

    async def receive(self) -> Message:
        try:
            async with asyncio.timeout(self._patience()):
                message = await self._receive()
        except TimeoutError:
            sentence = "The rest of the request did not arrive; send it again."
            self.fault = Fault(408, "too_slow", sentence)
            raise self.fault from None
        if message["type"] == "http.request":
            self.has_more = message.get("more_body", False)
            came = len(message.get("body", b""))
            self.size += came
            self._room.left -= came
            if self.size > self._most or self._room.left < 0:
                self.fault = _busy() if self.size <= self._most else _body_too_large(self._most)
                raise self.fault
        return message

    def _patience(self) -> float | None:
        """How long what comes next may take; after the body that is the client's leaving."""
        return min(self._seconds, self._until - monotonic()) if self.has_more else None


class _Answer:
    """What is sent; where the body was refused that, whatever the app makes of its end."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, body: _Body) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._body, self._has_begun = body, False

    async def send(self, message: Message) -> None:
        if self._body.fault is not None:
            await self.refuse(self._body.fault)
        else:
            self._has_begun = True
            await self._send(message)

    async def refuse(self, fault: Fault) -> None:
        if not self._has_begun:
            self._has_begun = True
            if self._body.has_more:
                await _drain(self._receive)
            await _refuse(fault, self._scope, self._receive, self._send)
