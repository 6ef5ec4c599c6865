"""Binds the object in progress: mouse and keys to `Session`, and `Session` to layers and panel."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from napari.layers import Image
from qtpy.QtCore import QObject

from napari_sam_tune.core.errors import PromptError, SamTuneError, StorageError
from napari_sam_tune.core.prompts import Prompt
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.ui.views.labelling import ObjectSnapshot, Tool
from napari_sam_tune.ui.work.asking import Asking
from napari_sam_tune.ui.work.drawing import Drawing
from napari_sam_tune.ui.work.learning_at_once import learn_at_once
from napari_sam_tune.ui.work.object_words import headline, not_ready, too_far_to_paint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from psygnal import SignalInstance

    from napari_sam_tune.core.session.deeds import Undone
    from napari_sam_tune.core.session.open_object import OpenObject
    from napari_sam_tune.ui.work.opening import Opening
    from napari_sam_tune.ui.work.read_image import ReadImage
    from napari_sam_tune.ui.work.workplace import Workplace

_MODES = {"click": "pan_zoom", "stroke": "pan_zoom", "brush": "paint", "eraser": "erase"}
_PICKS: dict[str, Literal["reopen", "delete"]] = {"reopen": "reopen", "delete": "delete"}
_TOOLS: dict[str, Tool] = {"paint": "brush", "erase": "eraser"}


class Annotating(QObject):
    """Clicks, boxes and strokes in; masks and decisions out.

    Attributes:
        asking: the model's answers.
        drawing: strokes.
        actions: what can be done by key or button, by name.

    """

    def __init__(self, place: Workplace, opening: Opening, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._place, self._opening, self._session = place, opening, place.session
        self._negative = False
        self._accepted = 0  # on the open image
        self._picking: Literal["reopen", "delete"] | None = None
        self._undone = ""
        self.asking = Asking(place, opening, self)
        self.drawing = Drawing(place, opening, self.asking, self)
        self.actions: dict[str, Callable[[], None]] = {
            "accept": self._accept_open,
            "sign": self._switch_sign,
            "candidate": partial(
                self.asking.after_answer, partial(self._do, self._session.cycle_candidate)
            ),
            "reject": partial(self._dropping_answer, self._session.reject),
            "clear": partial(self._dropping_answer, self._clear),
            "undo": partial(self._retrace, self._session.undo),
            "redo": partial(self._retrace, self._session.redo),
            "earlier": self._switch_earlier,
            "reopen": partial(self._pick_under_mouse, "reopen"),
            "delete": partial(self._pick_under_mouse, "delete"),
            "click": partial(self.set_tool, "click"),
            "stroke": self._switch_stroke,
            "done": partial(self._finish_image, empty=False),
            "no_defect": partial(self._finish_image, empty=True),
            "previous_image": partial(self._go, -1),
            "next_image": partial(self._go, 1),
        }
        for leave in (self.asking.drop, self.refresh):
            opening.leaving.connect(leave)
        opening.opened.connect(self._on_image_opened)
        for begin in (self.asking.mend, self.refresh, self._learn_at_once):
            opening.ready.connect(begin)
        self.asking.changed.connect(self.refresh)
        self._session.object_changed.connect(self._on_session_object_changed)
        for signal in self._learning_signals():
            signal.connect(self._learn_at_once)
        self._session.annotations_changed.connect(self._count_accepted)
        for view in (place.panel.image, place.panel.object):
            view.action.connect(self.act)
        place.panel.object.tool_chosen.connect(self.set_tool)

    def _learning_signals(self) -> tuple[SignalInstance, ...]:
        session = self._session
        return session.annotations_changed, session.classes_changed, session.reviews_changed

    def _learn_at_once(self, *_: object) -> None:
        learn_at_once(self._place)

    def act(self, action: str) -> None:
        """Do what a button says; which mask it is for, the next click says."""
        if action in _PICKS:
            self._place.touch()
            self._picking = None if self._picking == action else _PICKS[action]
            self.refresh()
        else:
            self.actions[action]()

    def close(self) -> None:
        """Stop listening."""
        self._session.object_changed.disconnect(self._on_session_object_changed)
        for signal in self._learning_signals():
            signal.disconnect(self._learn_at_once)
        self._session.annotations_changed.disconnect(self._count_accepted)

    # ------------------------------------------------------------- the mouse

    def is_prompting(self) -> bool:
        """Whether a click on the canvas is a prompt now."""
        viewer, layers = self._place.viewer, self._place.layers
        if not (layers.is_open and self._opening.is_shown) or viewer.dims.ndisplay != 2:
            return False
        active = viewer.layers.selection.active
        is_ours = active is None or layers.is_own(active) or isinstance(active, Image)
        return is_ours and (active is None or str(active.mode) == "pan_zoom")

    def on_click(self, world: Sequence[float], *, negative: bool) -> None:
        """A point, or the choice of an accepted object."""
        self._place.touch()
        if not self._opening.require_seen(world):
            return
        if self._picking is not None:
            self._pick_at(self._picking, world)
            return
        xy = self._place.layers.xy_at(world)
        if xy is None:
            return
        label = 0 if negative != self._negative else 1
        prompt = self.asking.said
        if label == 0 and prompt is None and self._session.open_object.placed is None:
            self._place.tell(tr("Click on the defect first; then take away what does not belong."))
            return
        self.asking.ask(
            Prompt(points=[xy], labels=[label]) if prompt is None else prompt.add_point(*xy, label)
        )

    def on_box_drawing(self, start: Sequence[float], end: Sequence[float]) -> None:
        """Show the box while it is drawn."""
        self._place.layers.show_box(self._place.layers.box_between(start, end))

    def on_box(self, start: Sequence[float], end: Sequence[float]) -> None:
        """A box around the object; it replaces an earlier one."""
        self._place.touch()
        said = self.asking.said
        if not self._opening.require_seen(start):
            self._place.layers.show_prompt(said)
            return
        points, labels = (said.points, said.labels) if said is not None else ((), ())
        try:
            box = self._place.layers.box_between(start, end)
            prompt = Prompt(points=points, labels=labels, box=box)
        except PromptError as error:
            self._place.layers.show_prompt(said)
            self._place.complain(error)
            return
        self.asking.ask(prompt)

    # ------------------------------------------------------------- decisions

    def _dropping_answer(self, action: Callable[[], Any]) -> None:
        self.asking.drop()
        self._do(action)
        self.asking.mend()

    def _retrace(self, step: Callable[[], Undone | Literal[False]]) -> None:
        """Undo or redo; where that concerns another image, that one comes."""
        said: list[Undone | Literal[False]] = []
        self._dropping_answer(lambda: said.append(step()))
        for undone in said:
            if not undone or not undone.text:
                continue
            self._opening.show_place()
            if undone.image_id is not None and self._opening.open_by_id(undone.image_id):
                self._undone = undone.text  # said when the image is there
            else:
                self._place.tell(undone.text)

    def _do(self, action: Callable[[], Any]) -> bool:
        self._place.touch()
        self.asking.compared = None
        succeeded = False
        try:
            action()
        except StorageError as error:
            self._place.complain(error, tr("Try again"), partial(self._do, action))
        except SamTuneError as error:
            self._place.complain(error)
        else:
            succeeded = True
            self._place.settle()
        self.refresh()
        return succeeded

    def _accept_open(self) -> None:
        """Accept the open object, or the mask on its way; without either leave what was begun."""
        if self._picking is not None:
            self._picking = None
            self.refresh()
            if not self.asking.is_asking and self._session.open_object.placed is None:
                return
        self.asking.after_answer(self._accept_what_is_seen)

    def _accept_what_is_seen(self) -> bool:
        mask, layers = self._session.open_object.placed, self._place.layers
        if mask is not None and not self._opening.require_seen(layers.world_of(mask)):
            return False
        return self._do(self._accept)

    def _accept(self) -> None:
        self._session.accept()
        self._set_tool("stroke" if self.drawing.is_on else "click")

    def _clear(self) -> None:
        """Start the object again; one that was taken up or suggested is there as it was."""
        if self._session.open_object.suggestion is not None:
            self._session.suggested.restart()
            return
        reopened = self._session.open_object.reopened
        self._session.reject()
        if reopened is not None:
            self._session.reopen(reopened)

    def _switch_sign(self) -> None:
        self._negative = not self._negative
        self.refresh()

    def _switch_earlier(self) -> None:
        shown = self.asking.compared
        if shown is None or self.asking.is_asking:
            return
        objects = self._session.objects
        self._do(objects.take_back if shown == "new" else objects.repeat)
        self.asking.compared = "old" if shown == "new" else "new"
        self.refresh()

    def _pick_under_mouse(self, what: Literal["reopen", "delete"]) -> None:
        """By key: the object under the mouse; without one there, the next click chooses."""
        self._place.touch()
        if self._picking is None and self._place.layers.is_open:
            under = self._place.layers.id_at(self._place.viewer.cursor.position)
            if under is not None:
                self.take(what, under)
                return
        self._picking = None if self._picking == what else what
        self.refresh()

    def leave_modes(self) -> None:
        """Go back to clicking, whatever the mouse did; a box that is being drawn goes."""
        self._place.touch()
        self._negative = False
        if self._place.layers.is_open:
            self._place.layers.show_prompt(self.asking.said)
            self._place.layers.show_preview(None)
        self._set_tool("click")

    def _pick_at(self, what: Literal["reopen", "delete"], world: Sequence[float]) -> None:
        self._picking = None
        annotation_id = self._place.layers.id_at(world)
        if annotation_id is None:
            self._place.tell(tr("There is no accepted mask at that place."))
            self.refresh()
            return
        self.take(what, annotation_id)

    def take(self, what: Literal["reopen", "delete"], *ids: str) -> None:
        """Take an accepted object of the open image up again, or one or several out."""
        self._picking = None
        if what == "delete":
            self._dropping_answer(partial(self._session.delete, ids))
        elif self._session.open_object.is_empty:
            self._dropping_answer(partial(self._session.reopen, ids[0]))
        else:
            self._place.tell(tr("First accept or reject the object that is open."))
            self.refresh()

    def _finish_image(self, *, empty: bool) -> None:
        if self.asking.after_others(partial(self._finish_image, empty=empty)):
            return
        project, image_id = self._session.project, self._session.state.image_id
        if image_id is None or not self._opening.is_shown:
            return
        was = project.is_empty(image_id) if empty else project.is_done(image_id)
        done = self._do(partial(self._session.mark_done, done=not was, empty=empty and not was))
        self._opening.show_place()
        if done and not was and not self._opening.go_to_unfinished():
            self._place.tell(tr("Every image is done. “Export…” takes the masks out."))

    def _go(self, by: int) -> None:
        self._place.touch()
        if self.asking.after_others(partial(self._go, by)):
            return  # a mask accepted before it was there is not left behind
        if not self._opening.go(by):
            self._place.tell(
                tr("This is the last image.") if by > 0 else tr("This is the first image.")
            )

    def set_tool(self, tool: str) -> None:
        """Let the mouse click, draw strokes, paint or erase."""
        self._place.touch()
        if tool in _TOOLS.values() and (far := too_far_to_paint(self._place.layers)):
            self._place.tell(far)
            return
        self._set_tool(tool)

    def _switch_stroke(self) -> None:
        self.set_tool("click" if self.drawing.is_on else "stroke")

    def _set_tool(self, tool: str) -> None:
        self._picking = None
        self.drawing.is_on = tool == "stroke"
        self.refresh()
        if not self._place.layers.is_open:
            return
        proposal = self._place.layers.proposal
        self._place.viewer.layers.selection.active = proposal
        proposal.selected_label = 1
        proposal.mode = _MODES[tool]

    # --------------------------------------------------------------- showing

    def _on_image_opened(self, _: ReadImage) -> None:
        self.asking.drop()
        self._picking = self.asking.compared = None
        proposal = self._place.layers.proposal
        proposal.events.paint.connect(self._on_proposal_painted)
        proposal.events.mode.connect(self._on_mode_changed)
        self._on_session_object_changed(self._session.open_object)
        self._count_accepted()
        self.asking.mend()
        if self._undone:
            self._place.tell(self._undone)
            self._undone = ""

    def _on_mode_changed(self, _: object = None) -> None:
        self._picking = None
        self.drawing.is_on &= str(self._place.layers.proposal.mode) == "pan_zoom"
        self.refresh()

    def _on_proposal_painted(self, _: object = None) -> None:
        self._place.touch()
        self._do(partial(self._session.paint, self._place.layers.proposed_mask()))

    def _on_session_object_changed(self, current: OpenObject) -> None:
        layers = self._place.layers
        if not layers.is_open:
            return
        layers.show_prompt(current.prompt)
        layers.show_proposal(current.placed)
        self.refresh()

    def refresh(self, *_: object) -> None:
        """Show the object in progress on the panel."""
        layers, state, current = self._place.layers, self._session.state, self._session.open_object
        mode = str(layers.proposal.mode) if layers.is_open else "pan_zoom"
        tool: Tool = _TOOLS.get(mode, "stroke" if self.drawing.is_on else "click")
        candidates = 0 if current.proposal is None else len(current.proposal.candidates)
        self._place.panel.object.show_object(
            ObjectSnapshot(
                headline=self._headline(current, tool),
                can_accept=self.asking.is_asking or self._can_accept(current),
                is_open=not current.is_empty,
                candidates=candidates,
                negative=self._negative,
                has_earlier=self.asking.compared is not None and not self.asking.is_asking,
                can_undo=state.can_undo,
                can_redo=state.can_redo,
                tool=tool,
                picking=self._picking,
                has_image=layers.is_open and state.image_id is not None,
                accepted=self._accepted,
            )
        )

    def _can_accept(self, current: OpenObject) -> bool:
        """Whether there is a mask, and it is seen."""
        layers = self._place.layers
        if current.placed is None or not current.placed.any() or not layers.is_open:
            return False
        return self._opening.is_seen(layers.world_of(current.placed))

    def _count_accepted(self, *_: object) -> None:
        image_id, project = self._session.state.image_id, self._session.project
        self._accepted = 0 if image_id is None else len(project.annotations(image_id))
        self.refresh()

    def _headline(self, current: OpenObject, tool: Tool) -> str:
        if self._picking is not None:
            if self._picking == "reopen":
                return tr("Click on the accepted mask to correct.")
            return tr("Click on the accepted mask to delete.")
        if not (opening := self._opening).is_ready:
            return not_ready(is_shown=opening.is_shown)
        session, keys = self._session, self._place.panel.keys
        return headline(current, session.project, session.state.image_id, tool, keys)
