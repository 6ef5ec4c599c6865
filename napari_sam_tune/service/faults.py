"""What is answered where a request cannot be: a status, a word for programs, a sentence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from napari_sam_tune.core.errors import CheckpointError, SamTuneError, is_out_of_memory
from napari_sam_tune.core.storage.durable import DISK_FULL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI
    from starlette.requests import Request


class FaultBody(BaseModel):
    """The body of every answer that is a refusal."""

    error: str = Field(description="A word for programs.")
    message: str = Field(description="What was wrong and what to do.")


class Fault(SamTuneError):
    """A request that cannot be answered.

    Args:
        status: of HTTP.
        error: a word for programs.
        message: what was wrong and what to do.
        headers: that go with the answer.

    """

    def __init__(
        self, status: int, error: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.error, self.headers = status, error, headers


def answer_of(fault: Fault) -> JSONResponse:
    """Return the answer that says a fault."""
    body = {"error": fault.error, "message": str(fault)}
    return JSONResponse(body, fault.status, headers=dict(fault.headers or {}))


def too_large(what: str, most: str) -> Fault:
    """Return the fault of something over its limit."""
    return Fault(413, "too_large", f"{what} than the {most} that this server takes.")


def unknown_image() -> Fault:
    """Return the fault of an image that is not kept."""
    return Fault(
        404,
        "image_unknown",
        "This image is not here (any more): send it again by POST /v1/images. No prompt is lost, "
        "for each question holds the whole prompt.",
    )


DESCRIPTIONS: Final[dict[int, str]] = {
    400: "The request cannot be read.",
    401: "The token is missing or wrong.",
    403: "The request comes from a page of another site.",
    404: "The image, the weights or the round is not here (any more).",
    408: "The request did not arrive in time.",
    409: "Things are not as the request takes them to be.",
    413: "Larger than this server takes.",
    415: "Another kind of body than this asks for.",
    421: "The request was sent to another host's name.",
    422: "Well-formed, and cannot be answered; the sentence says why.",
    429: "This client has too many questions waiting.",
    503: "Too many questions wait for the model; try again in a moment.",
    504: "The answer took too long.",
    507: "The server's disk is full.",
}


_WORDS: Final[dict[int, str]] = {
    400: "malformed",
    401: "token_missing",
    403: "foreign_page",
    404: "image_unknown",
    408: "too_slow",
    409: "no_candidate",
    413: "too_large",
    415: "other_kind",
    421: "wrong_host",
    422: "unanswerable",
    429: "too_many_questions",
    503: "busy",
    504: "too_slow",
    507: "disk_full",
}


def faults(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what the OpenAPI description says of an operation's refusals."""
    always = (400, 401, 403, 408, 413, 421)
    return {
        status: {
            "model": FaultBody,
            "description": DESCRIPTIONS[status],
            "content": {
                "application/json": {
                    "example": {"error": _WORDS[status], "message": DESCRIPTIONS[status]}
                }
            },
        }
        for status in sorted({*always, *statuses})
    }


def fault_of(error: Exception) -> Fault:
    """Return how an error of the core is said to a client."""
    if isinstance(error, Fault):
        return error
    if is_out_of_memory(error):
        return Fault(503, "out_of_memory", "The server has too little memory for this now.", _SOON)
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        sentence = "The server's disk is full. Nothing is half-written; ask again later."
        return Fault(507, "disk_full", sentence)
    word = "weights_unfit" if isinstance(error, CheckpointError) else "unanswerable"
    return Fault(422, word, without_places(str(error)))


def client_left() -> Fault:
    """Return why nothing is done for who has hung up; 499 as nginx calls it."""
    return Fault(499, "client_left", "Whoever asked has left.")


def without_places(text: str) -> str:
    """Return what an error says without paths: where things lie here is nobody's business."""
    return _PLACE.sub("…", text)


_SOON: Final = {"Retry-After": "1"}
_PLACE: Final = re.compile(
    r"(?<![\w/.])(?:[A-Za-z]:)?[/\\](?!v1/)[^\s,;()\"'“”]+"
    r"(?: [^\s,;()\"'“”/\\]+[/\\][^\s,;()\"'“”]*)*"
)
"""An absolute path of a file, as errors name them; a folder's name may be two words."""


def say_faults(app: FastAPI) -> None:
    """Have an app answer every error with a `FaultBody`."""

    async def core_error(request: Request, error: Exception) -> JSONResponse:
        return answer_of(fault_of(error))

    async def malformed(request: Request, error: Exception) -> JSONResponse:
        if not isinstance(error, RequestValidationError):
            raise error
        first = error.errors()[0]
        where = " → ".join(str(part) for part in first["loc"])
        return answer_of(Fault(422, "malformed", f"{where}: {first['msg']}."))

    async def of_http(request: Request, error: Exception) -> JSONResponse:
        if not isinstance(error, HTTPException):
            raise error
        words = {404: "unknown_place", 405: "unknown_method"}
        word = words.get(error.status_code, "refused")
        headers = error.headers
        return answer_of(Fault(error.status_code, word, f"{error.detail}.", headers))

    async def left(request: Request, error: Exception) -> JSONResponse:
        return answer_of(client_left())  # nobody hears it; it is counted, and no fault of ours

    async def ours(request: Request, error: Exception) -> JSONResponse:
        if is_out_of_memory(error) or getattr(error, "errno", None) in DISK_FULL:
            return answer_of(fault_of(error))
        sentence = "This is a fault of the server, not yours. Its log says where it happened."
        return answer_of(Fault(500, "fault", sentence))

    app.add_exception_handler(SamTuneError, core_error)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(ClientDisconnect, left)
    app.add_exception_handler(Exception, ours)
