"""The class of an object from the first click on it, said only where that was right before.

How far a class leads tells little by itself: a classifier that has not seen a surface calls what
lies on it by the class it knows from one like it, and is sure. So guesses that would change the
class are kept, each made before its object was learnt ("test then train"), and what they led by
then is how far a class must lead now.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from napari_sam_tune.core.prompts import ClassGuess
from napari_sam_tune.core.storage.side_log import SideLog

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_tune.core.answers.instant_learning import InstantLearning
    from napari_sam_tune.core.geometry.placed_mask import PlacedMask
    from napari_sam_tune.core.project.project import Project

_LEADS: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
"""Those that the least one is chosen from; scores are -1 outside a class and 1 in it."""
_JUDGING: Final = 60
"""Guesses that it is chosen by, the newest."""
_FEWEST: Final = 8
"""Guesses that must have led by so much before one like them is said."""
_RIGHT: Final = 0.9
"""Share of them that must have been right."""


class LikelyClasses:
    """Guesses classes, and knows how its guesses fared.

    Args:
        project: whose masks are accepted.
        instant: what was learnt from them.
        path: where guesses are kept.

    """

    def __init__(self, project: Project, instant: InstantLearning, path: Path) -> None:
        self._project, self._instant = project, instant
        self._file = SideLog(path)
        self._guesses = dict(self._file.read(_parsed))
        self._least: float | None = None
        self._is_judged = False

    def guess(self, mask: PlacedMask) -> ClassGuess | None:
        """Return the class that a mask on the open image most likely has.

        To be called by whoever owns the predictor. None where fewer than two classes are known, or
        too little was learnt.

        """
        found = self._instant.leading_class(mask)
        if found is None:
            return None
        guess = ClassGuess(*found)
        if not self._is_judged:  # not with every click: it asks for all annotations
            self._is_judged = True
            self._least = self._least_lead()
        least = self._least
        return replace(guess, is_clear=least is not None and guess.lead >= least)

    def add(self, annotation_id: str, guess: ClassGuess) -> None:
        """Keep a guess that would have changed the class an object was about to get.

        Args:
            annotation_id: the object as it was accepted; its class tells whether that was right.
            guess: made before.

        """
        self._guesses = {**self._guesses, annotation_id: guess}
        entry = {"annotation": annotation_id, "label": guess.label, "lead": guess.lead}
        self._file.append(entry)

    def judge_anew(self) -> None:
        """Look again at which guesses were right: accepted objects are others than before."""
        self._is_judged = False

    def _least_lead(self) -> float | None:
        """Return what a class must lead by; None where no lead is known to be enough."""
        accepted = {a.id: a for a in self._project.counting()}
        classes = {name: accepted[name].label for name in self._guesses if name in accepted}
        known = [name for name in self._guesses if name in classes][-_JUDGING:]
        guessed = {  # as the class is called now
            name: self._project.class_now(self._guesses[name].label, accepted[name].created)
            for name in known
        }
        for lead in _LEADS:
            right = [
                guessed[name] == classes[name] for name in known if self._guesses[name].lead >= lead
            ]
            if len(right) >= _FEWEST and sum(right) >= _RIGHT * len(right):
                return lead
        return None


def _parsed(entry: dict[str, Any]) -> tuple[str, ClassGuess]:
    return str(entry["annotation"]), ClassGuess(str(entry["label"]), float(entry["lead"]))
