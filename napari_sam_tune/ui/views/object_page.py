"""The page of the masks: of the open image, of all, of those to look at again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QPoint, Signal
from qtpy.QtWidgets import QHBoxLayout, QMenu, QWidget

from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.ui.views.classes import ask_class, chip
from napari_sam_tune.ui.views.fields import ComboBox
from napari_sam_tune.ui.views.list_page import ListPage
from napari_sam_tune.ui.views.reviewing import STATES, ReviewView
from napari_sam_tune.ui.views.row import Row
from napari_sam_tune.ui.views.style import Bar, Button, KeyButton, OneLine, Text, on_a_button

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE, EVERYWHERE, DOUBTED = "here", "everywhere", "doubted"
_SCOPES: Final = {
    HERE: mark("Of this image"),
    EVERYWHERE: mark("Of all images"),
    DOUBTED: mark("To look at again"),
}
_STATES = ("accepted", "second_look", "approved", "excluded")


@dataclass(frozen=True)
class DoubtSnapshot:
    """How far accepted masks were compared with what the present weights would answer.

    Attributes:
        sentence: in one sentence.
        fraction: of the masks that were compared, from 0 to 1; None while nothing is under way.

    """

    sentence: str = ""
    fraction: float | None = None


class ObjectPage(ListPage):
    """The page.

    Attributes:
        review: what is said of the masks selected.
        scope_chosen: emitted when other masks are to be listed.
        action: emitted with "reopen" or "delete" for the masks selected, or "next_doubt".
        class_chosen: emitted with the class that the masks selected are to have.
        class_added: the same with one that is new.
        cancel: emitted to compare no more masks.

    """

    scope_chosen = Signal()
    action = Signal(str)
    class_chosen = Signal(str)
    class_added = Signal(str)
    cancel = Signal()

    def __init__(self) -> None:
        self._scopes = ComboBox({scope: tr(said) for scope, said in _SCOPES.items()})
        self._scopes.setToolTip(
            tr(
                "“To look at again”: the accepted masks that the weights in use would draw most "
                "differently"
            )
        )
        super().__init__(self._scopes, {s: tr(STATES[s]) for s in _STATES})
        self._scopes.activated.connect(lambda _: self.scope_chosen.emit())
        self._classes: dict[str, str] = {}
        self._correct = KeyButton("reopen", tr("Correct"), tr("Open the mask again"))
        self._delete = KeyButton(
            "delete", tr("Delete"), tr("Take the masks out; Undo brings them back")
        )
        for button in (self._correct, self._delete):
            button.clicked.connect(partial(self._on_pressed, button.action))
        self._class = Button(tr("Class…"))
        self._class.setToolTip(tr("Give the masks another class"))
        self._class_menu = QMenu(self._class)
        self._class.setMenu(self._class_menu)
        self._next = KeyButton("next_doubt", tr("Next"), tr("Go to the next mask to look at again"))
        self._next.clicked.connect(partial(self._on_pressed, "next_doubt"))
        self.above.addWidget(self._doubts())
        self._decisions = Row(self._correct, self._delete, self._class)
        self._what_to_do = Text(
            tr(
                "Click on a mask: it is shown, and you can correct it, delete it or give it "
                "another class."
            ),
            "quiet",
        )
        self.body.addWidget(self._what_to_do)
        self.body.addWidget(self._decisions)
        self.review = ReviewView()
        self.body.addWidget(self.review)
        self.view.menu_asked.connect(self._on_menu_asked)
        self.view.selected.connect(self.show_selected)
        self.show_selected(())
        self.show_doubts(DoubtSnapshot())

    def _doubts(self) -> QWidget:
        self._doubt_box = QWidget()
        line = QHBoxLayout(self._doubt_box)
        line.setContentsMargins(0, 0, 0, 0)
        self._doubt = OneLine("quiet")
        self._bar = Bar()
        self._cancel = Button(tr("Cancel"), "small")
        self._cancel.clicked.connect(self.cancel)
        self._bar.setMaximumWidth(60)
        line.addWidget(self._doubt, 1)
        line.addWidget(self._bar)
        line.addWidget(self._cancel)
        line.addWidget(self._next)
        return self._doubt_box

    @property
    def scope(self) -> str:
        """Which masks are listed."""
        return str(self._scopes.currentData())

    def choose_scope(self, scope: str) -> None:
        """Choose which masks are listed, as the person does."""
        self._scopes.setCurrentIndex(self._scopes.findData(scope))
        self.scope_chosen.emit()

    def show_keys(self, keys: Mapping[str, str]) -> None:
        """Write the keys on the buttons."""
        for button in (self._correct, self._delete, self._next):
            button.show_key(keys.get(button.action, ""))
        self.review.show_keys(keys)

    def said_of(self, count: int, total: int) -> str:
        """Say how many masks are listed."""
        if count == total:
            return tr("{n:,} masks", "1 mask", n=total)
        return tr("{count:,} of {n:,} masks", "{count:,} of 1 mask", n=total, count=count)

    def show_classes(self, classes: Mapping[str, str]) -> None:
        """Offer these classes, name to "#rrggbb"."""
        self.offer_labels(classes)
        if classes == self._classes:
            return
        self._classes = dict(classes)
        self._class_menu.clear()
        self._fill(self._class_menu)

    def list_rows(self, *_: object) -> None:
        """List anew, and say what a click on a mask does."""
        super().list_rows()
        self.show_selected(self.view.selection)

    def show_selected(self, ids: tuple[str, ...]) -> None:
        """Show what can be done with so many masks."""
        self._decisions.setVisible(bool(ids))
        self._what_to_do.setVisible(not ids and bool(self.view.rows))
        self._correct.allow(len(ids) == 1, tr("One mask at a time can be corrected."))

    def show_doubts(self, shown: DoubtSnapshot) -> None:
        """Show how far the comparing is."""
        self._doubt_box.setVisible(self.scope == DOUBTED)
        self._doubt.setText(shown.sentence)
        for widget in (self._bar, self._cancel):
            widget.setVisible(shown.fraction is not None)
        self._bar.show_fraction(shown.fraction or 0)

    def _fill(self, menu: QMenu) -> None:
        for name, colour in self._classes.items():
            chosen = partial(self.class_chosen.emit, name)
            menu.addAction(chip(colour), on_a_button(name), chosen)
        menu.addAction(tr("Add a class…"), self._on_add_clicked)

    def _on_add_clicked(self) -> None:
        if name := ask_class(self):
            (self.class_chosen if name in self._classes else self.class_added).emit(name)

    def _on_menu_asked(self, where: QPoint) -> None:
        ids = self.view.selection
        if not ids:
            return
        menu = QMenu(self)
        correct = menu.addAction(tr("Correct"), partial(self.action.emit, "reopen"))
        correct.setEnabled(len(ids) == 1)
        self._fill(menu.addMenu(tr("Class")))
        decisions = menu.addMenu(tr("Review"))
        for state in _STATES[1:]:
            decisions.addAction(tr(STATES[state]), partial(self.review.decided.emit, state))
        menu.addSeparator()
        menu.addAction(tr("Delete"), partial(self.action.emit, "delete"))
        menu.exec(where)
        menu.deleteLater()

    def _on_pressed(self, action: str, _: bool = False) -> None:
        self.action.emit(action)
