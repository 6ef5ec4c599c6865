"""The one round that a runner has under way."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_sam_tune.core.errors import TrainingError
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam_tune.core.rounds.messages import Message


@dataclass(eq=False)
class UnderWay:
    """A round under way.

    Attributes:
        listen: is told of it.
        cancelled: set once somebody asked for it to stop.
        over: set once its terminal message was listened to.

    """

    listen: Callable[[Message], None]
    cancelled: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)


def require_idle(under_way: object, *, is_closed: bool = False) -> None:
    """Make sure that a runner may begin a round.

    Args:
        under_way: the round that it has under way, if any.
        is_closed: nothing more may begin.

    Raises:
        TrainingError: it may not.

    """
    if is_closed:
        raise TrainingError(tr("What trains was closed with its project; open that again."))
    if under_way:
        raise TrainingError(tr("A round is already under way; wait for it or cancel it."))
