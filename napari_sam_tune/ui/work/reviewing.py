"""Binds what is said of masks and images: decisions by key and button, notes, tags, attributes."""

from __future__ import annotations

from functools import partial
from time import localtime, strftime
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.ui.views.reviewing import Field, ReviewSnapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from napari_sam_tune.core.project.review import Attribute, Review
    from napari_sam_tune.ui.work.opening import Opening
    from napari_sam_tune.ui.work.selecting import Selecting
    from napari_sam_tune.ui.work.workplace import Workplace

_KEYS = {"approve": "approved", "second_look": "second_look", "exclude": "excluded"}
_NUMBER = mark("A number")
_DECIDED = {
    "to_do": mark("{what}: to do."),
    "accepted": mark("{what}: accepted."),
    "done": mark("{what}: done."),
    "second_look": mark("{what}: second look."),
    "approved": mark("{what}: approved."),
    "excluded": mark("{what}: excluded."),
}
"""What is said of a decision, by the state it led to."""
_FEW = 20
"""Masks that are asked for one by one; more of them all at once."""


class Reviewing(QObject):
    """What is said of the masks selected, and of the images selected.

    By key it is said of the masks selected; where none is, of the mask under the mouse; and where
    there is none, of the open image. Said again, it is taken back.

    Attributes:
        actions: what can be done by key, by name.

    """

    def __init__(
        self,
        place: Workplace,
        opening: Opening,
        selecting: Selecting,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._place, self._session, self._selecting = place, place.session, selecting
        self._opening = opening
        self._masks, self._images = place.panel.masks.review, place.panel.images.review
        self.actions: dict[str, Callable[[], None]] = {
            action: partial(self._decide_by_key, state) for action, state in _KEYS.items()
        }
        for view, say in ((self._masks, self._say_of_masks), (self._images, self._say_of_images)):
            view.decided.connect(partial(self._decide, say))
            view.noted.connect(partial(self._say, say, "note"))
            view.tagged.connect(partial(self._on_tagged, say))
        self._masks.filled.connect(self._on_filled)
        place.panel.images.view.changed.connect(self.show)
        selecting.changed.connect(self.show)
        opening.opened.connect(self.show)
        self._session.reviews_changed.connect(self.show)
        self._session.classes_changed.connect(self.show)

    def close(self) -> None:
        """Stop listening."""
        self._session.reviews_changed.disconnect(self.show)
        self._session.classes_changed.disconnect(self.show)

    # ------------------------------------------------------------------ saying

    def _decide_by_key(self, state: str) -> None:
        layers = self._place.layers
        if not self._selecting.ids and layers.is_open:
            under = layers.id_at(self._place.viewer.cursor.position)
            if under is not None:
                self._selecting.select((under,))
        if self._selecting.ids:
            self._decide(self._say_of_masks, state)
        elif self._opening.is_shown:
            self._place.panel.images.view.select((self._place.queue.current.id,))
            self._decide(self._say_of_images, state)

    def _decide(self, say: Callable[..., None], state: str) -> None:
        of_masks = say == self._say_of_masks
        things = self._reviews_of_masks() if of_masks else self._reviews_of_images()
        if not things:
            return
        is_said = all(one.state == state for one in things)
        fresh = ("accepted" if of_masks else "to_do") if is_said else state
        if not self._say(say, "state", fresh):
            return
        what = self._what(len(things), of_masks)
        self._place.tell(tr(_DECIDED[fresh], what=what))

    def _on_tagged(self, say: Callable[..., None], text: str) -> None:
        self._say(say, "tags", tuple(filter(None, (tag.strip() for tag in text.split(",")))))

    def _on_filled(self, name: str, text: str) -> None:
        found = (a for a in self._attributes() if a.name == name)
        is_number = any(attribute.kind == "number" for attribute in found)
        self._say(self._say_of_masks, "values", {name: _value(text, is_number)})

    def _say(self, say: Callable[..., None], field: str, value: object) -> bool:
        self._place.touch()
        try:
            say(**{field: value})
        except SamTuneError as error:
            self._place.complain(error)
            self.show()
            return False
        self._place.settle()
        self.show()
        return True

    def _say_of_masks(self, **what: Any) -> None:
        self._session.set_review(self._selecting.ids, **what)

    def _say_of_images(self, **what: Any) -> None:
        self._session.set_image_review(self._known_images(), **what)
        self._opening.show_place()

    # ----------------------------------------------------------------- showing

    def show(self, *_: object) -> None:
        """Show what is said of what is selected."""
        masks = self._reviews_of_masks()
        said = _together(masks, self._what(len(masks), True), self._attributes())
        self._masks.show_review(said)
        images = self._reviews_of_images()
        self._images.show_review(_together(images, self._what(len(images), False), ()))

    def _reviews_of_masks(self) -> list[Review]:
        project, ids = self._session.project, self._selecting.ids
        if len(ids) < _FEW:
            return [project.review(i) for i in ids]
        every = project.reviews()
        return [every[i] for i in ids if i in every]

    def _reviews_of_images(self) -> list[Review]:
        return [self._session.project.image_review(i) for i in self._known_images()]

    def _known_images(self) -> list[str]:
        """Return the images selected that the project knows: those that were opened."""
        known = {record.id for record in self._session.project.images()}
        return [i for i in self._place.panel.images.view.selection if i in known]

    def _attributes(self) -> tuple[Attribute, ...]:
        """Return what is noted of the masks selected, where they are of one class."""
        project, ids = self._session.project, self._selecting.ids
        if len(ids) < _FEW:
            labels = {project.annotation(i).label for i in ids}
        else:
            wanted = set(ids)
            labels = {a.label for a in project.annotations() if a.id in wanted}
        return project.attributes(labels.pop()) if len(labels) == 1 else ()

    def _what(self, count: int, of_masks: bool) -> str:
        if of_masks:
            return tr("{n:,} masks", "1 mask", n=count) if count else ""
        if count > 1:
            return tr("{n:,} images", "1 image", n=count)
        return (self._known_images() or [""])[0]


def _together(
    reviews: Sequence[Review], what: str, attributes: Sequence[Attribute]
) -> ReviewSnapshot:
    """Return what several reviews have in common."""
    if not reviews:
        return ReviewSnapshot()
    first = reviews[0]
    same_values: Mapping[str, Any] = {
        a.name: first.values.get(a.name)
        for a in attributes
        if all(one.values.get(a.name) == first.values.get(a.name) for one in reviews)
    }
    said = ""
    if len(reviews) == 1 and first.by is not None and first.when is not None:
        said = f"{first.by}, {strftime('%Y-%m-%d %H:%M', localtime(first.when))}"
    return ReviewSnapshot(
        what=what,
        state=first.state if all(one.state == first.state for one in reviews) else "",
        said=said,
        note=first.note if all(one.note == first.note for one in reviews) else "",
        tags=", ".join(first.tags) if all(one.tags == first.tags for one in reviews) else "",
        fields=tuple(_field(a, same_values.get(a.name)) for a in attributes),
    )


def _field(attribute: Attribute, value: object) -> Field:
    text = "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    hint = tr(_NUMBER) if attribute.kind == "number" else ""
    return Field(attribute.name, attribute.choices, text, hint)


def _value(text: str, is_number: bool) -> str | float | None:
    """Return what was filled in as it is kept; what is no number is left to be refused."""
    if not text.strip():
        return None
    try:
        return float(text.replace(",", ".")) if is_number else text.strip()
    except ValueError:
        return text
