"""A server as a client sees it: reached or not, and what it refuses, in sentences."""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import httpx
from psygnal import Signal

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.texts.wording import heard, mark, tr
from napari_sam_tune.service.bodies import WeightsBody

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TIMEOUT: Final = httpx.Timeout(connect=5.0, read=30.0, write=30.0, pool=30.0)

_PROXY_ALONE: Final = frozenset({502, 503, 504})
"""What a proxy answers in a page of its own while the server behind it is gone."""
_LISTENING: Final = httpx.Timeout(connect=5.0, read=15.0, write=15.0, pool=15.0)
"""A server says every few seconds that it still tells."""


_IN_THE_DOCK: Final = {
    "token_missing": mark(
        "The server {address} wants a token: give the one that it showed when it was started."
    ),
    "token_wrong": mark(
        "The server {address} does not take this token. Give the one that it showed when it was "
        "started last."
    ),
    "other_model": mark(
        "The server {address} has another model now. Start it with the one that your project is "
        "for, or choose to run on this computer."
    ),
    "busy": mark("Too much is asked of the server {address} at once. Try again in a moment."),
    "too_many_questions": mark(
        "The server {address} is still answering earlier questions. Try again in a moment."
    ),
    "too_slow": mark("The server {address} did not come to this in time. Try again."),
    "out_of_memory": mark("The server {address} has too little memory for this now."),
    "disk_full": mark("The disk of the server {address} is full."),
    "round_unknown": mark(
        "The server {address} was started anew and has forgotten this round. Start it again."
    ),
    "round_under_way": mark(
        "A round of this project is under way on the server {address}. Wait for it or cancel it."
    ),
    "too_large": mark("This is more than the server {address} takes. It says: {message}"),
    "wrong_host": mark(
        "The server {address} answers to its own computer alone. Start it with --host to serve "
        "others."
    ),
    **dict.fromkeys(
        ("malformed", "unknown_place", "unknown_method", "other_kind", "no_candidate"),
        mark(
            "The server {address} does not understand this program: they are of different "
            "releases. Update both."
        ),
    ),
    "fault": mark("The server {address} met a fault of its own. Its log says where."),
}
"""By the server's word: what its sentence comes to for the person in the dock."""


class ServerGone(SamTuneError):
    """A server cannot be reached (any more); what was asked may be asked again."""


class ServerRefused(SamTuneError):
    """A server answered that it will not.

    Attributes:
        status: of HTTP.
        error: the server's word for programs.

    """

    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(message)
        self.status, self.error = status, error


class Connection:
    """Asks one server; any thread may.

    Args:
        address: "http://host:port" or "https://host".
        token: that it showed when it was started; "" on this computer.

    Raises:
        SamTuneError: that is no address, or no token.

    Attributes:
        address: as given.
        reached: fires with whether the server was reached, when that changes; on the asking thread.
        is_reached: the same; None before anything was asked.
        refused: fires with why the server will not work for this client, which somebody has to
            mend; with None when it does again.

    """

    reached = Signal(bool)
    refused = Signal(object)

    def __init__(self, address: str, token: str = "") -> None:
        self.address = checked_address(address)
        self._name = secrets.token_hex(8)
        self._client = self._made(token)
        self._before: list[httpx.Client] = []
        self._lock = threading.Lock()
        self.is_reached: bool | None = None
        self._refused: str | None = None

    def _made(self, token: str) -> httpx.Client:
        if not (token.isascii() and token.isprintable()):
            raise SamTuneError(
                tr("The token has letters that no token has. Copy it as it was shown.")
            )
        headers = {"X-Client": self._name}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        # redirects are not followed: the token is for this address alone
        return httpx.Client(base_url=self.address, headers=headers, timeout=_TIMEOUT)

    def change(self, address: str, token: str) -> None:
        """Ask at another address, or with another token, from now on.

        Raises:
            SamTuneError: that is no address, or no token.

        """
        self.address = checked_address(address)
        made = self._made(token)
        with self._lock:
            self._before.append(self._client)  # somebody may be listening yet
            self._client = made
        self.tell_refused(None)

    def describe(self) -> WeightsBody:
        """Ask which model there is; tells whether address and token are right.

        Raises:
            ServerGone, ServerRefused: see those.
            SamTuneError: whatever answers there is no server of this program.

        """
        answer = self.ask("GET", "/v1/weights")
        try:
            return WeightsBody.model_validate_json(answer.content)
        except ValueError as error:
            raise _other_server(self.address) from error

    def ask(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        said: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Ask, and return the answer.

        Args:
            method: of HTTP.
            path: on the server.
            content: the body; or
            said: the body as JSON values.
            params: of the address.

        Raises:
            ServerGone: it cannot be reached.
            ServerRefused: it will not.

        """
        if self._client.is_closed:
            raise self._gone()
        try:
            answer = self._client.request(method, path, content=content, json=said, params=params)
        except httpx.HTTPError as error:
            raise self._gone() from error
        if not answer.is_success:
            raise self._refusal(answer)
        self.tell_reached(True)
        return answer

    @contextlib.contextmanager
    def listen(self, path: str, after: str | None) -> Iterator[Iterator[tuple[str, str, str]]]:
        """Listen to events; the block is given them as (id, kind, data).

        Args:
            path: on the server.
            after: id of the last event heard; None from the beginning on.

        Raises:
            ServerGone: it cannot be reached; out of the iterator as well.
            ServerRefused: it will not.

        """
        headers = {} if after is None else {"Last-Event-ID": after}
        if self._client.is_closed:
            raise self._gone()
        try:
            with self._client.stream("GET", path, headers=headers, timeout=_LISTENING) as answer:
                if not answer.is_success:
                    answer.read()
                    raise self._refusal(answer)
                self.tell_reached(True)
                yield _events(answer.iter_lines())
        except httpx.HTTPError as error:
            raise self._gone() from error

    def close(self) -> None:
        """Let go of the server."""
        for client in (*self._before, self._client):
            client.close()

    def _refusal(self, answer: httpx.Response) -> SamTuneError:
        try:
            said = json.loads(answer.content)
            error, message = str(said["error"]), str(said["message"])
        except (ValueError, LookupError, TypeError):
            if answer.status_code in _PROXY_ALONE:
                return self._gone()
            return _other_server(self.address)
        self.tell_reached(True)
        said_here = _IN_THE_DOCK.get(error)  # the server's own sentence is for programs
        message = (
            heard(message)
            if said_here is None
            else tr(said_here, address=self.address, message=message)
        )
        return ServerRefused(answer.status_code, error, message)

    def _gone(self) -> ServerGone:
        self.tell_reached(False)
        return ServerGone(
            tr(
                "The server {address} does not answer. Check that it runs and that this computer "
                "can reach it.",
                address=self.address,
            )
        )

    def tell_reached(self, is_reached: bool) -> None:
        """Note whether the server does what it is asked, and tell where that has changed."""
        with self._lock:
            if self.is_reached is is_reached:
                return
            self.is_reached = is_reached
        self.reached.emit(is_reached)

    def tell_refused(self, why: str | None) -> None:
        """Note why the server will not work for this client, and tell where that has changed."""
        with self._lock:
            if self._refused == why:
                return
            self._refused = why
        self.refused.emit(why)


def checked_address(address: str) -> str:
    """Return an address as "http://host:port", however much of it was typed.

    Raises:
        SamTuneError: it is none.

    """
    text = address.strip().rstrip("/")
    typed = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(typed)
        is_whole = parts.scheme in {"http", "https"} and bool(parts.hostname)
        is_whole &= not any(map(str.isspace, typed))
        is_plain = not (parts.username or parts.query or parts.fragment or parts.path)
        port = parts.port
    except ValueError:
        is_whole = is_plain = False
        port = None
    if not (is_whole and is_plain):
        raise SamTuneError(
            tr(
                "“{address}” is no server's address. Write it as the server said it when it was "
                "started, such as http://workstation:8765.",
                address=address,
            )
        )
    return typed if port or parts.scheme == "https" else f"{typed}:8765"


def _events(lines: Iterator[str]) -> Iterator[tuple[str, str, str]]:
    """Read the event stream format (WHATWG HTML, server-sent events), as far as it is used here."""
    number, kind, data = "", "", ""
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            number = value
        elif name == "event":
            kind = value
        elif name == "data":
            data = value
        elif not line and data:
            yield number, kind, data
            kind, data = "", ""


def _other_server(address: str) -> SamTuneError:
    return SamTuneError(
        tr(
            "What answers at {address} is no server of napari-sam-tune. Check address and port.",
            address=address,
        )
    )
