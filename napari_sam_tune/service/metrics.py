"""Numbers of a running server, as Prometheus reads them."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ENDLESS: Final = b"text/event-stream"


class Metrics:
    """Counts and times of one server.

    Args:
        waiting: how many questions wait.
        images: how many images are kept.
        listeners: how many listen to events.

    Attributes:
        answers: requests answered, by operation and status.
        seconds: from a request to its answer, by operation.

    """

    def __init__(
        self,
        *,
        waiting: Callable[[], float],
        images: Callable[[], float],
        listeners: Callable[[], float],
    ) -> None:
        self._registry = CollectorRegistry()
        self.answers = Counter(
            "sam_tune_answers",
            "Requests answered.",
            ["operation", "status"],
            registry=self._registry,
        )
        self.seconds = Histogram(
            "sam_tune_answer_seconds",
            "From a request to its answer.",
            ["operation"],
            buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),
            registry=self._registry,
        )
        for name, text, read in (
            ("sam_tune_questions_waiting", "Questions that wait for the model.", waiting),
            ("sam_tune_images_kept", "Images kept.", images),
            ("sam_tune_listeners", "Connections that listen to events.", listeners),
        ):
            Gauge(name, text, registry=self._registry).set_function(read)

    def refused(self, status: int) -> None:
        """Count a request that was refused at the door, before it was any operation's."""
        self.answers.labels("door", status).inc()

    def text(self) -> bytes:
        """Return all of them in Prometheus' text format."""
        return generate_latest(self._registry)


class Measured:
    """ASGI middleware that counts answers, and times those that end by themselves.

    Args:
        app: what answers.
        metrics: where to count.

    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        began = perf_counter()

        async def count(message: Message) -> None:
            if message["type"] == "http.response.start":
                operation = getattr(scope.get("route"), "path", "none")
                self._metrics.answers.labels(operation, message["status"]).inc()
                if _ENDLESS not in dict(message["headers"]).get(b"content-type", b""):
                    self._metrics.seconds.labels(operation).observe(perf_counter() - began)
            await send(message)

        await self._app(scope, receive, count if scope["type"] == "http" else send)
