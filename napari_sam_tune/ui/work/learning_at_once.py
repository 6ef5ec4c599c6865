"""Learning at every accept: from masks accepted or taken back, and in idle moments its worth."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari_sam_tune.ui.inference import Interrupted, Kind

if TYPE_CHECKING:
    from napari_sam_tune.ui.work.workplace import Workplace


def learn_at_once(place: Workplace) -> None:
    """Learn from what is accepted now, and when nothing else is asked how much that helps."""
    session, inference = place.session, place.inference

    def again(error: Exception) -> None:
        if isinstance(error, Interrupted):
            settle()
        else:
            place.complain(error)

    def settled(has_more: bool) -> None:
        if has_more:
            settle()

    def use_the_moment() -> bool:
        return session.answerer.settle(inference.give_way) or session.answerer.look_ahead()

    def settle() -> None:
        inference.submit(Kind.SETTLE, use_the_moment, settled, again)

    learn = partial(session.answerer.learn, inference.give_way)
    inference.submit(Kind.LEARN, learn, lambda _: settle(), again)
