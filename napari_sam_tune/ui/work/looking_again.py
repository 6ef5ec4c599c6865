"""Compares accepted masks with what the weights in use answer, in idle moments."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_sam_tune.core.texts.wording import mark, tr
from napari_sam_tune.ui.inference import Kind
from napari_sam_tune.ui.views.object_page import DOUBTED, DoubtSnapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_sam_tune.core.answers.look_again import LookAgain, LookStep
    from napari_sam_tune.ui.work.opening import Opening
    from napari_sam_tune.ui.work.selecting import Selecting
    from napari_sam_tune.ui.work.workplace import Workplace

_ALL_COMPARED = mark("All are compared")


class LookingAgain(QObject):
    """The accepted masks that the weights in use disagree with most, and the way through them.

    Each mask is a task of its own on the inference thread, and the last in line there.

    Attributes:
        changed: emitted when more is known.
        actions: what can be done by key, by name.

    """

    changed = Signal()

    def __init__(
        self,
        place: Workplace,
        opening: Opening,
        selecting: Selecting,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._place, self._session, self._selecting = place, place.session, selecting
        self._page = place.panel.masks
        self._run: _Run | None = None
        self._step: LookStep | None = None
        self._asked = ""  # the weights
        self._seen: set[str] = set()  # gone to already
        self._is_awaited = False  # the next one is to be gone to as soon as it is listed
        self.actions: dict[str, Callable[[], None]] = {"next_doubt": self._ask_for_next}
        self._page.scope_chosen.connect(self.compare)
        self._page.cancel.connect(self._on_cancel)
        opening.ready.connect(self._on_image_ready)

    def close(self) -> None:
        """Expect nothing any more."""
        self._run = None

    # -------------------------------------------------------------- comparing

    def compare(self) -> None:
        """Compare what was not yet, where the list of these masks is asked for."""
        if self._page.scope == DOUBTED and self._run is None:
            self._run, self._step = _Run(self._session.answerer.look_again), None
            if self._asked != self._session.weights_version:  # others disagree with other masks
                self._asked = self._session.weights_version
                self._seen.clear()
            self._advance()
        self._show()

    def _advance(self) -> None:
        if self._run is not None:
            run = self._run
            self._place.inference.submit(
                Kind.DOUBT, run.advance, partial(self._on_step, run), self._on_failed
            )

    def _on_step(self, run: _Run, step: LookStep | None) -> None:
        if run is not self._run:
            return
        if step is None:
            self._run = None
        else:
            self._step = step
            self._advance()
        self._show()
        self.changed.emit()

    def _on_failed(self, error: Exception) -> None:
        self._on_cancel()
        self._place.complain(error)

    def _on_cancel(self) -> None:
        self._place.inference.forget(Kind.DOUBT)
        self._run = None
        self._show()

    def _on_image_ready(self) -> None:
        """Go on with what waited meanwhile, or ask weights that came into use since."""
        if self._run is not None:
            self._advance()
        else:
            self.compare()

    # ------------------------------------------------------------- going there

    def _ask_for_next(self) -> None:
        self._place.touch()
        if self._place.panel.shown_page is self._page and self._page.scope == DOUBTED:
            self._go_on()
            return
        self._is_awaited = True
        self._place.panel.show_page(self._page)
        self._page.choose_scope(DOUBTED)

    def note_listed(self) -> None:
        """The masks are listed; to be called by whoever lists them."""
        if self._is_awaited and self._page.scope == DOUBTED and self._page.view.rows:
            self._go_on()

    def _go_on(self) -> None:
        """Go to the mask agreed with least, of those listed and not gone to yet."""
        self._is_awaited = False
        left = (row.id for row in self._page.view.rows if row.id not in self._seen)
        target = next(left, None)
        if target is not None:
            self._seen.add(target)
            self._selecting.go_to(target)
        elif self._run is not None:
            self._place.tell(
                tr("The masks are still being compared: those found so far were shown.")
            )
        else:
            self._seen.clear()
            self._place.tell(tr("Every mask of this list was shown. The next one is its first."))

    def _show(self) -> None:
        step, is_running = self._step, self._run is not None
        fraction = None if not is_running else 0.0 if step is None else step.done / step.total
        said = tr(_ALL_COMPARED)
        if is_running:
            said = (
                tr("Comparing…")
                if step is None
                else tr("{done:,} of {total:,} compared", done=step.done, total=step.total)
            )
        self._page.show_doubts(DoubtSnapshot(said, fraction))


class _Run:
    """One way through the masks; begun and continued on the inference thread."""

    def __init__(self, looking: LookAgain) -> None:
        self._looking = looking
        self._steps: Iterator[LookStep] | None = None

    def advance(self) -> LookStep | None:
        """Compare the next mask; None where there is none."""
        if self._steps is None:
            self._steps = self._looking.steps()
        return next(self._steps, None)
