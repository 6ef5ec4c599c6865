"""How much one server does for whoever asks: bounds on sizes, numbers and times."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds of a server; what goes beyond one is refused with a sentence and its status.

    Attributes:
        upload_bytes: of one picture or weights file sent.
        text_bytes: of any other request's body.
        pixels: of one picture.
        points: of one prompt.
        kept_images: how many pictures are kept, the least recently asked about going first.
        kept_bytes: of pictures kept; as many of what the model saw in them.
        answers_bytes: of answers kept because the next question may go on from them; what went
            is worked out again.
        waiting: questions that may wait for the model, all clients together.
        waiting_each: the same, of one client.
        answer_seconds: after so long a question is given up.
        receive_seconds: after so long without another byte of a request it is given up.
        upload_seconds: all of a request may take.
        requests: under way at a time, those that listen to events included.
        bytes_under_way: of the bodies of all of them.
        decoding: pictures decoded at a time.
        waiting_rounds: rounds of fine-tuning that may wait for those before them.
        round_seconds: one may take.
        round_steps: one may be asked to take.
        mirrors: projects whose images and masks are kept for their rounds.
        mirrors_bytes: on disk, of all of them.
        listeners: connections that may listen to events at a time.

    """

    upload_bytes: int = 256 << 20
    text_bytes: int = 8 << 20
    pixels: int = 150_000_000
    points: int = 256
    kept_images: int = 256
    kept_bytes: int = 1 << 30
    answers_bytes: int = 128 << 20
    waiting: int = 64
    waiting_each: int = 8
    answer_seconds: float = 120.0
    receive_seconds: float = 30.0
    upload_seconds: float = 600.0
    requests: int = 256
    bytes_under_way: int = 1 << 30
    decoding: int = 4
    waiting_rounds: int = 16
    round_seconds: float = 3600.0
    round_steps: int = 10_000
    mirrors: int = 32
    mirrors_bytes: int = 32 << 30
    listeners: int = 64
