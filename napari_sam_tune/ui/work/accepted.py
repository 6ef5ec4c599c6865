"""Binds accepted objects: their classes, how they are shown, and adopting masks made elsewhere."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from napari.layers import Labels
from qtpy.QtCore import QObject, Qt, QTimer

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.project.class_colours import CLASS_COLOURS, free_colour
from napari_sam_tune.core.project.review import ATTRIBUTE_KINDS, Attribute
from napari_sam_tune.core.texts.wording import join_sentences, tr
from napari_sam_tune.ui.canvas.painted import AcceptedObject
from napari_sam_tune.ui.canvas.taking_over import labels_over, labels_to_masks
from napari_sam_tune.ui.views.attribute_editor import AttributeEditor, AttributeRow
from napari_sam_tune.ui.views.classes import ClassSnapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.prompts import Mask
    from napari_sam_tune.core.session.open_object import OpenObject
    from napari_sam_tune.ui.work.opening import Opening
    from napari_sam_tune.ui.work.read_image import ReadImage
    from napari_sam_tune.ui.work.selecting import Selecting
    from napari_sam_tune.ui.work.workplace import Workplace

_CLASS_KEYS = range(1, 10)


class Accepted(QObject):
    """The accepted objects of the open image, and the list of classes.

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
        self._place, self._opening, self._session = place, opening, place.session
        self._selecting = selecting
        selecting.crop_of = self._crop_of
        self._crops: dict[str, Mask] = {}
        self._hidden: str | None = None  # the one that is taken up for correction
        self._adopting: deque[Mask] = deque()
        self._adopted = ""  # what is said of them in the end
        self.actions: dict[str, Callable[[], None]] = {
            "next_class": self._choose_next_class,
            **{f"class_{n}": partial(self._choose_class_at, n - 1) for n in _CLASS_KEYS},
        }
        opening.opened.connect(self._on_image_opened)
        place.panel.classes.chosen.connect(self.choose_class)
        place.panel.classes.edited.connect(self.edit_class)
        place.panel.classes.renamed.connect(self.rename_class)
        place.panel.classes.removed.connect(self.remove_class)
        place.panel.classes.attributes_asked.connect(self.edit_attributes)
        place.panel.masks.class_chosen.connect(self.choose_class)
        place.panel.masks.class_added.connect(partial(self.edit_class, colour=""))
        place.panel.object.adopt.connect(self.adopt)
        place.panel.object.adopt_parts.connect(partial(self.adopt, parts=True))
        self._session.object_changed.connect(self._on_session_object_changed)
        self._session.annotations_changed.connect(self._on_session_annotations_changed)
        self._session.classes_changed.connect(self._on_session_classes_changed)
        self._session.state.events.label.connect(self.show_classes)

    def close(self) -> None:
        """Stop listening."""
        self._session.object_changed.disconnect(self._on_session_object_changed)
        self._session.annotations_changed.disconnect(self._on_session_annotations_changed)
        self._session.classes_changed.disconnect(self._on_session_classes_changed)
        self._session.state.events.label.disconnect(self.show_classes)
        self._adopting.clear()

    # --------------------------------------------------------------- classes

    def edit_class(self, name: str, colour: str) -> None:
        """Add a class (an empty colour takes the next free one) or change its colour."""
        known = self._session.project.classes()
        try:
            self._session.project.set_class(name, colour or known.get(name) or self._free_colour())
        except SamTuneError as error:
            self._place.complain(error)
            return
        if name not in known:
            self.choose_class(name)
        self.show_classes()
        self.show()

    def rename_class(self, name: str, new: str) -> None:
        """Call a class otherwise everywhere; one that is called so already takes its masks."""
        is_merge = new in self._session.project.classes()
        told = (
            tr("“{name}” is merged into “{new}”.", name=name, new=new)
            if is_merge
            else tr("“{name}” is “{new}” now.", name=name, new=new)
        )
        self._change(partial(self._session.rename_class, name, new), told)

    def remove_class(self, name: str) -> None:
        """Take a class that has no masks out of the list."""
        self._change(
            partial(self._session.remove_class, name), tr("The class “{name}” is gone.", name=name)
        )

    def edit_attributes(self, name: str) -> None:
        """Ask what is noted of every mask of a class."""
        project = self._session.project
        before = project.attributes(name)
        rows = [AttributeRow(a.name, a.kind, ", ".join(a.choices)) for a in before]

        def keep(edited: list[AttributeRow]) -> str:
            try:
                self._session.set_attributes(name, [_attribute(row) for row in edited])
            except SamTuneError as error:
                return str(error)
            if project.attributes(name) != before:
                told = tr("The attributes of “{name}” are changed.", name=name)
                self._place.tell(join_sentences(told, tr("Undo takes it back.")))
            return ""

        editor = AttributeEditor(name, rows, keep, self._place.panel)
        editor.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        editor.open()

    def _change(self, change: Callable[[], object], told: str) -> bool:
        self._place.touch()
        try:
            change()
        except SamTuneError as error:
            self._place.complain(error)
            return False
        self._place.tell(join_sentences(told, tr("Undo takes it back.")))
        return True

    def choose_class(self, name: str) -> None:
        """Give the masks selected this class; where none is, the next one to be accepted."""
        self._place.touch()
        if ids := self._selecting.ids:
            told = tr(
                "{n:,} masks are “{name}” now.", "The mask is “{name}” now.", n=len(ids), name=name
            )
            self._change(partial(self._session.relabel, ids, name), told)
            return
        self._session.choose_class(name)
        try:
            self._session.project.remember(label=name)
        except SamTuneError as error:
            self._place.complain(error)
        self.show_classes()

    def _choose_next_class(self) -> None:
        names = list(self._session.project.classes())
        current = self._current()
        # A class that could not be saved is not among them.
        after = names.index(current) + 1 if current in names else 0
        self._choose_class_at(after % max(1, len(names)))

    def _current(self) -> str:
        """Return the class of the mask selected; where none is, that of the next one."""
        if self._selecting.ids:
            return self._session.project.annotation(self._selecting.ids[0]).label
        return self._session.state.label

    def _choose_class_at(self, index: int) -> None:
        names = list(self._session.project.classes())
        if index < len(names):
            self.choose_class(names[index])

    def _free_colour(self) -> str:
        return free_colour(self._session.project.classes())

    def show_classes(self, *_: object) -> None:
        """Show the classes; the current one is always among them."""
        self._session.follow()  # a class that was renamed elsewhere must not be made again
        project, current = self._session.project, self._session.state.label
        if current not in project.classes():
            try:
                project.set_class(current, self._free_colour())
            except SamTuneError as error:
                self._place.complain(error)
        keys = self._place.panel.keys
        rows = tuple(
            (name, colour, keys.get(f"class_{n}", ""))
            for n, (name, colour) in enumerate(project.classes().items(), start=1)
        )
        is_guess = self._session.suggested_class is not None
        self._place.panel.classes.show_classes(
            ClassSnapshot(rows, current, is_guess, keys["next_class"])
        )

    # -------------------------------------------------------------- adopting

    def adoptable(self) -> list[Labels]:
        """Return the person's own Labels layers; whether one fits is said when it is chosen."""
        layers = self._place.layers
        if not layers.is_open:
            return []
        return [
            layer
            for layer in self._place.viewer.layers
            if isinstance(layer, Labels) and not layers.is_own(layer)
        ]

    def adopt(self, name: str, *, parts: bool = False) -> None:
        """Take every label of a Labels layer over as an accepted object of the current class.

        Args:
            name: of the layer.
            parts: each connected part of a label becomes an object of its own.

        """
        layer = next((x for x in self.adoptable() if x.name == name), None)
        if layer is None or self._adopting:
            return
        place = self._place
        try:
            labels = labels_over(
                place.layers.image, place.layers.shape, layer, place.queue.current.plane
            )
        except SamTuneError as error:
            place.complain(error)
            return
        layer.visible = False
        self._adopting.extend(labels_to_masks(labels, parts=parts))
        self._adopted = tr(
            "{n:,} masks taken over from “{name}”, as “{label}”.",
            "1 mask taken over from “{name}”, as “{label}”.",
            n=len(self._adopting),
            name=layer.name,
            label=self._session.state.label,
        )
        self._adopt_next()

    def _adopt_next(self) -> None:
        if not self._adopting:
            self.show()
            self._place.tell(self._adopted)
            return
        try:
            self._session.adopt(self._adopting[0])
        except SamTuneError as error:
            # What is left waits for the retry; nothing of it is taken over twice.
            self._place.complain(error, tr("Go on"), self._adopt_next)
            self.show()
            return
        self._adopting.popleft()
        # One at a time, so that the viewer stays alive.
        QTimer.singleShot(0, self._adopt_next)

    # --------------------------------------------------------------- showing

    def _on_image_opened(self, read: ReadImage) -> None:
        self._crops = dict(read.crops)
        self._adopting.clear()
        self.show_classes()
        self.show()

    def _on_session_object_changed(self, current: OpenObject) -> None:
        if current.reopened != self._hidden:
            self.show()

    def _on_session_annotations_changed(self, _: str) -> None:
        if not self._adopting:
            self.show()
        self._opening.show_place()

    def _on_session_classes_changed(self) -> None:
        self.show_classes()
        self.show()

    def show(self) -> None:
        """Show the accepted objects, but for the one that is being corrected."""
        session, layers = self._session, self._place.layers
        if not layers.is_open or session.state.image_id is None:
            return
        colours = session.project.classes()
        self._hidden = session.open_object.reopened
        shown = []
        for annotation in session.project.annotations(session.state.image_id):
            if annotation.id == self._hidden:
                continue
            mask = self._crop_of(annotation)
            corner = (annotation.bbox[0], annotation.bbox[1])
            colour = colours.get(annotation.label, CLASS_COLOURS[0])
            shown.append(AcceptedObject(annotation.id, mask, corner, colour))
        layers.show_accepted(shown, cover=self._place.preferences.cover_neighbours)

    def _crop_of(self, annotation: Annotation) -> Mask:
        if annotation.id not in self._crops:
            self._crops[annotation.id] = annotation.cropped_mask
        return self._crops[annotation.id]


def _attribute(row: AttributeRow) -> Attribute:
    choices = (choice.strip() for choice in row.choices.split(","))
    kind = next(known for known in ATTRIBUTE_KINDS if known == row.kind)
    return Attribute(row.name, kind, tuple(filter(None, choices)))
