"""The class the next accepted mask gets: the person's, or one lent to the object in progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam_tune.core.project.naming import checked_label

if TYPE_CHECKING:
    from napari_sam_tune.core.prompts import ClassGuess
    from napari_sam_tune.core.state import SessionState


class ClassInUse:
    """Knows which class is the person's own while the object in progress has another.

    An accepted object taken up again, a suggestion and a guess each bring a class of their own;
    with the object that class goes, and the person's comes back.

    Args:
        state: whose `label` is the class in use.

    Attributes:
        kept: the person's class by the last accept.

    """

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self._before: str | None = None  # the person's, while the object has its own
        self._guessed: str | None = None  # the class lent, where it is a guess
        self._left_with: dict[str, tuple[str, bool]] = {}  # classes lent on images not open
        self.kept = state.label
        self._has_chosen = False  # since the last accept, be it the same
        self._renamed: dict[str, str] = {}  # classes that are called otherwise now

    @property
    def guessed(self) -> str | None:
        """The class of the object in progress, where nobody chose it."""
        return self._guessed if self._guessed == self._state.label else None

    @property
    def own(self) -> str:
        """The class the person works with, whatever the object in progress was lent."""
        was_overruled = self._guessed is not None and self.guessed is None
        before = self._before
        return self._state.label if before is None or was_overruled else before

    def choose(self, label: str, *, instead_of_a_guess: bool) -> None:
        """Take the person's word for the object in progress and the next ones.

        For it alone where it brought a class of its own that is no guess.

        Raises:
            MaskError: the class is no text.

        """
        checked_label(label)
        self._renamed.pop(label, None)  # there is one of that name again
        self._has_chosen = True
        if instead_of_a_guess:
            self._guessed = self._before = None
        self._state.label = label

    def suggest(self, guess: ClassGuess | None) -> None:
        """Lend the class guessed, if that is clear and none was chosen since the last accept."""
        own = self.own
        has_chosen = self._has_chosen or own != self.kept
        if guess is not None and guess.is_clear and guess.label != own and not has_chosen:
            self.lend(guess.label, guessed=True)

    def lend(self, label: str | None, *, guessed: bool = False) -> None:
        """Give the next accepted mask a class of its own; the person's comes back with None."""
        if label is None or self._guessed is not None:
            self.give_back()
        if label is not None:
            label = self._renamed.get(label, label)
            if self._before is None:
                self._before = self._state.label
            self._guessed = label if guessed else None
            self._state.label = label

    def give_back(self) -> None:
        """Bring the person's class back; one chosen in place of a guess is theirs from then on."""
        own, self._before, self._guessed = self.own, None, None
        self._state.label = own

    def leave(self, image_id: str | None) -> None:
        """Remember the class lent to the object on the image that is left."""
        if image_id is not None and self._before is not None:
            self._left_with[image_id] = self._state.label, self.guessed is not None
            self.give_back()

    def come_back(self, image_id: str) -> None:
        """Lend the object on an image the class it was left with."""
        label, guessed = self._left_with.pop(image_id, (None, False))
        if label is not None:
            self.lend(label, guessed=guessed)

    def rename(self, old: str, new: str) -> None:
        """Follow a class that is called otherwise now."""
        names = {name: new if now == old else now for name, now in self._renamed.items()}
        self._renamed = {**names, old: new}
        self._renamed.pop(new, None)
        self.replace(old, new)

    def replace(self, old: str, new: str) -> None:
        """Go on with one class where another was in use."""
        self.kept = new if self.kept == old else self.kept
        self._before = new if self._before == old else self._before
        self._guessed = new if self._guessed == old else self._guessed
        self._left_with = {
            image_id: (new if label == old else label, guessed)
            for image_id, (label, guessed) in self._left_with.items()
        }
        if self._state.label == old:
            self._state.label = new

    def note_accepted(self) -> None:
        """The person's class is now the one that a mask was accepted with."""
        self.kept, self._has_chosen = self.own, False
