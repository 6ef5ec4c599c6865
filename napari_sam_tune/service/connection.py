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
from napari_sam_tune.service.bodies import WeightsBody

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TIMEOUT: Final = httpx.Timeout(connect=5.0, read=30.0, write=30.0, pool=30.0)

_PROXY_ALONE: Final = frozenset({502, 503, 504})
"""What a proxy answers in a page of its own while the server behind it is gone."""
_LISTENING: Final = httpx.Timeout(connect=5.0, read=15.0, write=15.0, pool=15.0)
"""A server says every few seconds that it still tells."""


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

    """

    reached = Signal(bool)

    def __init__(self, address: str, token: str = "") -> None:
        self.address = checked_address(address)
        if not (token.isascii() and token.isprintable()):
            raise SamTuneError("The token has letters that no token has. Copy it as it was shown.")
        headers = {"X-Client": secrets.token_hex(8)}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        # redirects are not followed: the token is for this address alone
        self._client = httpx.Client(base_url=self.address, headers=headers, timeout=_TIMEOUT)
        self._lock = threading.Lock()
        self._is_reached: bool | None = None

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
        self._client.close()

    def _refusal(self, answer: httpx.Response) -> SamTuneError:
        try:
            said = json.loads(answer.content)
            error, message = str(said["error"]), str(said["message"])
        except (ValueError, LookupError, TypeError):
            if answer.status_code in _PROXY_ALONE:
                return self._gone()
            return _other_server(self.address)
        self.tell_reached(True)
        if error in {"token_missing", "token_wrong"}:  # the server's sentence is for programs
            message = (
                f"The server {self.address} does not take this token. Choose “A server…” again and "
                "give the token that it showed when it was started last."
            )
        return ServerRefused(answer.status_code, error, message)

    def _gone(self) -> ServerGone:
        self.tell_reached(False)
        return ServerGone(
            f"The server {self.address} does not answer. Check that it runs and that this computer "
            "can reach it."
        )

    def tell_reached(self, is_reached: bool) -> None:
        """Note whether the server does what it is asked, and tell where that has changed."""
        with self._lock:
            if self._is_reached is is_reached:
                return
            self._is_reached = is_reached
        self.reached.emit(is_reached)


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
        is_plain = not (parts.username or parts.query or parts.fragment or parts.path)
        port = parts.port
    except ValueError:
        is_whole = is_plain = False
        port = None
    if not (is_whole and is_plain):
        raise SamTuneError(
            f"“{address}” is no server's address. Write it as the server said it when it was "
            "started, such as http://workstation:8765."
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
        f"What answers at {address} is no server of napari-sam-tune. Check address and port."
    )
