"""Binds what a stack is: its axes and the mix of its channels, as a person says them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.project.stacks import Stack
from napari_sam_tune.core.texts.wording import join_sentences, tr
from napari_sam_tune.ui.inference import Kind
from napari_sam_tune.ui.queued_image import others_in_file

if TYPE_CHECKING:
    from napari_sam_tune.core.images.axes import Axis, Role
    from napari_sam_tune.core.images.planes import StackFile
    from napari_sam_tune.ui.queued_image import QueuedImage
    from napari_sam_tune.ui.stack_queue import StackInQueue
    from napari_sam_tune.ui.work.opening import Opening
    from napari_sam_tune.ui.work.read_image import ReadImage
    from napari_sam_tune.ui.work.workplace import Workplace


class StackAxes(QObject):
    """Has the stack of the open image known to the project, with its axes and its mix.

    Attributes:
        changed: emitted when a person said them otherwise.

    """

    changed = Signal()

    def __init__(self, place: Workplace, opening: Opening, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._place, self._opening, self._project = place, opening, place.session.project
        self._told: set[str] = set()  # names of stacks
        opening.opened.connect(self._on_opened)
        place.panel.stack.axes_chosen.connect(self._on_axes_chosen)
        place.panel.stack.mix_chosen.connect(self._on_mix_chosen)

    @property
    def stack(self) -> Stack | None:
        """The stack that the open image is a plane of."""
        image_id = self._place.session.state.image_id
        stack = None if image_id is None else self._project.stack_of(image_id)
        return stack if stack is not None and image_id in stack.planes else None

    @property
    def _in_queue(self) -> StackInQueue | None:
        """The file with several planes that is open; None of a layer's planes."""
        return self._place.queue.current.stack

    def choices(self) -> tuple[tuple[str, int, str], ...]:
        """Return (name, size, role or "") of each axis that a person may say."""
        return tuple((_said(axis.name), axis.size, axis.role or "") for axis in self._open_axes())

    def channels(self) -> tuple[int, tuple[int, ...]]:
        """Return how many channels the picture is mixed of, 0 of one, and which are in it."""
        queued = self._in_queue
        if queued is None or queued.file.channels == 1 or queued.file.mix is None:
            return 0, ()
        return queued.file.channels, queued.file.mix.channels

    def _open_axes(self) -> list[Axis]:
        stack = self.stack
        if stack is None:
            return []
        fixed = ("rows", "columns", "colours")
        return [axis for axis in stack.axes if axis.size > 1 and axis.role not in fixed]

    # ----------------------------------------------------------------- opening

    def _on_opened(self, read: ReadImage) -> None:
        """Have the stack known to the project as soon as one of its planes is."""
        queued = read.queued
        if not queued.plane or (queued.layer is None and queued.stack is None):
            return
        stack = self._of_layer(queued) if queued.stack is None else self._of_file(queued.stack)
        if stack is None:
            return
        try:
            self._project.set_stack(stack)
        except SamTuneError as error:
            self._place.complain(error)
            return
        if stack.name not in self._told:
            self._told.add(stack.name)
            self._tell(stack)

    def _tell(self, stack: Stack) -> None:
        """Say once what is not known of a stack, or was chosen: the section may be hidden."""
        if stack.axes.question is not None:
            where = tr("Choose it under “Stack”.")
            self._place.tell(join_sentences(stack.axes.question, where))
        elif stack.mix is not None:
            channels = ", ".join(map(str, stack.mix.channels))
            self._place.tell(
                tr(
                    "Channels {channels} of the file make the picture: “Stack” has the choice of "
                    "others.",
                    "Channel {channels} of the file makes the picture: “Stack” has the choice of "
                    "others.",
                    n=len(stack.mix.channels),
                    channels=channels,
                )
            )

    def _of_file(self, queued: StackInQueue) -> Stack:
        planes = queued.planes()
        known = next((s for s in map(self._project.stack_of, planes) if s is not None), None)
        name = self._free_name(queued.file) if known is None else known.name
        return Stack(name, queued.file.axes, planes, queued.file.mix)

    def _free_name(self, file: StackFile) -> str:
        """Return the file's name, or one like it where another stack is called that."""
        taken = {stack.name for stack in self._project.stacks()}
        names = (file.path.name, *(f"{file.path.name} ({n})" for n in range(2, len(taken) + 3)))
        return next(name for name in names if name not in taken)

    def _of_layer(self, queued: QueuedImage) -> Stack | None:
        queue, layer, axes = self._place.queue, queued.layer, queued.layer_axes
        if layer is None or axes is None:
            return None
        known = {record.id for record in self._project.images()}
        for other in [q for q in queue.images if q.layer is layer]:
            if other.former in known:
                queue.know(other, other.former)
        planes = {q.id: q.plane for q in queue.images if q.layer is layer}
        before = next((s for s in map(self._project.stack_of, planes) if s is not None), None)
        if before is not None and before.axes.shape == axes.shape:
            axes = before.axes
        name = layer.name if before is None else before.name
        if any(len(plane) != len(axes.along) for plane in planes.values()):
            return None
        return Stack(name, axes, planes)

    # ---------------------------------------------------------------- choosing

    def _on_axes_chosen(self, roles: list[Role | None]) -> None:
        stack, open_axes = self.stack, self._open_axes()
        if stack is None or len(roles) != len(open_axes):
            return
        self._place.touch()
        said = iter(roles)
        every = [next(said) if axis in open_axes else axis.role for axis in stack.axes]
        try:
            axes = stack.axes.with_roles(every)
            if axes.along == stack.axes.along:
                self._project.set_stack(replace(stack, axes=axes))
        except SamTuneError as error:
            self._place.complain(error)
            self.changed.emit()
            return
        queued = self._in_queue
        if queued is not None:
            is_laid_out_anew = axes.along != stack.axes.along
            mix = None if is_laid_out_anew else queued.file.mix
            queued.change(replace(queued.file, axes=axes, mix=mix))
            if is_laid_out_anew:
                # which stack it was is said by its planes: they are others from here on
                self._rename(queued, stack)
        self.changed.emit()

    def _rename(self, queued: StackInQueue, before: Stack) -> None:
        """Have other planes, as where channels make one picture: masks stay where they are."""
        stack = Stack(before.name, queued.file.axes, queued.planes(), None)
        try:
            self._project.set_stack(stack)
        except SamTuneError as error:
            self._place.complain(error)
            return
        self._place.queue.lay_out(queued, others_in_file(self._project, queued))
        self._opening.open_current()

    def _on_mix_chosen(self, channels: tuple[int, ...]) -> None:
        """Read the channels anew, on the model's thread: all planes that are known change."""
        queued, stack = self._in_queue, self.stack
        if queued is None or stack is None or channels == self.channels()[1]:
            return
        self._place.touch()
        self._place.tell(tr("Mixing the channels of all planes that were opened…"))

        def mix() -> StackFile:
            mixed = queued.file.mixed(channels)
            self._project.set_stack(replace(stack, mix=mixed.mix))
            return mixed

        self._place.inference.submit(
            Kind.MIX, mix, partial(self._on_mixed, queued), self._on_not_mixed
        )

    def _on_mixed(self, queued: StackInQueue, mixed: StackFile) -> None:
        queued.change(mixed)
        self._place.tell("")
        self.changed.emit()
        self._opening.open_current()

    def _on_not_mixed(self, error: Exception) -> None:
        self._place.complain(error)
        self.changed.emit()


def _said(name: str) -> str:
    """Return an axis's name, but for napari's own, which only count."""
    counts = name.startswith("axis") or name.lstrip("-").isdigit()
    return "" if counts else name
