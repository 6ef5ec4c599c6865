"""Opening images: read, show, encode; and encoding the neighbours while nothing else is asked."""

from __future__ import annotations

import os
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import QObject, Signal

from napari_sam_tune.core.errors import SamTuneError, StorageError
from napari_sam_tune.core.images.large_image import LargeImage
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.ui.canvas.layers import not_selected
from napari_sam_tune.ui.canvas.looks import OWN, displayable, large_layer
from napari_sam_tune.ui.canvas.view import covering, fit
from napari_sam_tune.ui.inference import Kind
from napari_sam_tune.ui.queued_image import queued_layer
from napari_sam_tune.ui.turns import Turns
from napari_sam_tune.ui.views.labelling import ImageSnapshot
from napari_sam_tune.ui.views.notice import Notice
from napari_sam_tune.ui.views.style import on_a_button
from napari_sam_tune.ui.work.read_image import ReadImage, read_queued
from napari_sam_tune.ui.work.stages import Stages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from napari_sam_tune.core.session.session import Session
    from napari_sam_tune.ui.queued_image import QueuedImage
    from napari_sam_tune.ui.work.workplace import Workplace

# With so few cores, encoding ahead would take from the round and from the clicks.
_FEW_CORES = 2
# Of those preferred, so many are encoded ahead: the order changes with every mask.
_PREFERRED = 1


class Opening(QObject):
    """Keeps the open image, its layers and the predictor together.

    Attributes:
        leaving: emitted before another image, or the same one again, is read.
        opened: emitted with a `ReadImage` when it is on the screen and can be clicked.
        ready: emitted when the model has it too.
        is_ready: the model has the open image.
        preferred: returns ids of images to go to before others that are not done.

    """

    leaving = Signal()
    opened = Signal(object)
    ready = Signal()

    def __init__(self, place: Workplace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._place = place
        self._shown: Image | None = None
        self._read: ReadImage | None = None  # what is on the screen
        self._was_fitted = False
        self._stages = Stages(place.panel.notice, self)
        self._turns = Turns(self)
        self.is_ready = False
        self._ahead: set[tuple[str, str]] = set()
        self.preferred: Callable[[], Iterable[str]] = tuple
        place.inference.idle.connect(self._on_inference_idle)
        place.viewer.dims.events.current_step.connect(self._on_slider_moved)

    def open_current(self) -> None:
        """Open the queue's current image."""
        place = self._place
        self._turns.finish()
        queued = place.queue.current
        self.is_ready = False
        self.leaving.emit()
        place.inference.forget(Kind.ENCODE, Kind.PROPOSE, Kind.CLOSER, Kind.PREVIEW, Kind.AHEAD)
        self._stages.begin()
        place.inference.submit(
            Kind.READ,
            partial(read_queued, place.session, queued),
            self._on_read,
            self._on_read_failed,
        )

    @property
    def is_shown(self) -> bool:
        """Whether the image on the screen is the queue's current one: none is being read."""
        return self._place.session.state.image_id == self._place.queue.current.id

    def go(self, by: int) -> bool:
        """Open the image `by` places on; False at the end of the queue."""
        if not self._place.queue.step(by):
            return False
        self.open_current()
        return True

    def go_to_unfinished(self) -> bool:
        """Open the next image that is not done; False if there is none.

        The first of those preferred, else from here on and around.
        """
        queue, project = self._place.queue, self._place.session.project
        count, finished = len(queue.images), project.done_images()
        for image_id in self.preferred():
            if image_id not in finished and self.open_by_id(image_id):
                return True
        for by in range(1, count):
            position = (queue.position + by) % count
            if queue.images[position].id not in finished:
                queue.position = position
                self.open_current()
                return True
        return False

    def open_by_id(self, image_id: str) -> bool:
        """Open an image of the queue that is not open; False if there is no such image."""
        queue = self._place.queue
        if image_id == queue.current.id or not queue.go_to(image_id):
            return False
        self.open_current()
        return True

    def is_seen(self, world: Sequence[float]) -> bool:
        """Whether what is seen at a world position is the open image."""
        layers = self._place.layers
        shown = covering(self._place.viewer.layers, layers.image, world)
        return bool(shown is None and layers.image.visible)

    def require_seen(self, world: Sequence[float]) -> bool:
        """Whether the open image is seen at a world position; if not, say what is, and offer it.

        Nothing is asked about an image that is not seen.
        """
        layers = self._place.layers
        cover = covering(self._place.viewer.layers, layers.image, world)
        if cover is not None:
            name = cover.name
            text = tr(
                "Here “{name}” lies over the image that is open. Label this image?", name=name
            )
            self._offer(text, tr("Label “{name}”", name=name), partial(self.open_layer, cover))
        elif not layers.image.visible:
            text = tr(
                "“{name}” is hidden, so a click on it would not be seen.", name=layers.image.name
            )
            self._offer(text, tr("Show it"), partial(setattr, layers.image, "visible", True))
        else:
            return True
        return False

    def _offer(self, text: str, remedy: str, act: Callable[[], object]) -> None:
        self._place.panel.notice.show_notice(Notice(text, remedy=on_a_button(remedy), act=act))

    def open_layer(self, layer: Image) -> None:
        """Open an image of the viewer; it joins the queue where it is new there."""
        if layer not in self._place.viewer.layers:
            return
        joined = [queued for queued in self._place.queue.images if queued.layer is layer]
        if joined:
            self._join(joined)
            return
        self._place.inference.submit(
            Kind.READ, partial(queued_layer, layer), self._join, self._place.complain
        )

    def _join(self, images: list[QueuedImage]) -> None:
        self._place.queue.join(images)
        self.open_current()

    def show_place(self) -> None:
        """Show which image is open and whether it is done."""
        queue, project = self._place.queue, self._place.session.project
        image_id = queue.current.id
        known = {record.id for record in project.images()}
        is_known = image_id in known
        finished = project.done_images()
        self._place.panel.image.show_image(
            ImageSnapshot(
                name=image_id,
                position=queue.position + 1,
                count=len(queue.images),
                finished=sum(q.id in known and q.id in finished for q in queue.images),
                done=is_known and image_id in finished,
                empty=is_known and project.is_empty(image_id),
                objects=len(project.annotations(image_id)) if is_known else 0,
            )
        )

    def close(self) -> None:
        """Take the plugin's layers off the viewer."""
        self._turns.drop()
        self._stages.end()
        self._place.inference.idle.disconnect(self._on_inference_idle)
        self._place.viewer.dims.events.current_step.disconnect(self._on_slider_moved)
        self._place.layers.close()
        self._remove_shown()

    def _on_slider_moved(self, _: object) -> None:
        """Of a stack, the plane on the screen is the one that is labelled."""
        queue = self._place.queue
        plane = queue.current.plane
        image = self._place.layers.image
        if image is None or image.ndim != len(plane) + 2:
            return  # a large plane is shown by itself
        shown = tuple(self._place.viewer.dims.current_step[: len(plane)])
        if shown != plane and queue.go_to_plane(shown):
            self.open_current()

    def _on_read(self, read: ReadImage) -> None:
        self._turns.begin(self._show(read))

    def _show(self, read: ReadImage) -> Iterator[None]:
        """Show an image; yields after each layer that had to be made."""
        self._place.queue.know(read.queued, read.record.id)
        layer, is_new = self._layer_of(read)
        if is_new:
            yield
        yield from self._place.layers.open(layer, read.record.shape)
        self._read = read
        if not self._place.preferences.keep_zoom or not self._was_fitted:
            self._was_fitted = True
            fit(self._place.viewer, layer, read.record.shape)
        self._place.layers.follow_view()
        yield  # the image is drawn in one turn, what is on it in another
        self._place.session.show(read.record.id)
        self._place.settle()
        self._correct_layer(read)
        self.show_place()
        self.opened.emit(read)
        self._encode(read)

    def _on_read_failed(self, error: Exception) -> None:
        self._stages.end()
        queue, image_id = self._place.queue, self._place.session.state.image_id
        onward = partial(self._go_to, queue.position + 1)
        if self._read is not None and image_id is not None and queue.go_to(image_id):
            self._encode(self._read)  # the image on the screen stays the open one
        self.show_place()
        self._place.complain(error, tr("Next image"), onward)

    def _go_to(self, position: int) -> None:
        if position < len(self._place.queue.images):
            self._place.queue.position = position
            self.open_current()

    def _encode(self, read: ReadImage) -> None:
        self._place.inference.submit(
            Kind.ENCODE,
            partial(self._encode_on_thread, read),
            self._on_encoded,
            self._on_encode_failed,
        )

    def _encode_on_thread(self, read: ReadImage) -> StorageError | None:
        session = self._place.session
        session.answerer.apply_swap()
        problem = None
        with session.learner.runner.stepping_aside():
            try:
                session.answerer.encode(read.pixels, read.record, self._stages.look)
            except StorageError as error:
                # The model has the image all the same; only the cache does not.
                problem = error
        return problem

    def _on_encoded(self, problem: StorageError | None) -> None:
        self.is_ready = True
        self._stages.end()
        if problem is not None:
            self._place.complain(problem)
        self.ready.emit()

    def _on_encode_failed(self, error: Exception) -> None:
        self._stages.end()
        self._place.complain(error, tr("Try again"), self.open_current)

    def _layer_of(self, read: ReadImage) -> tuple[Image, bool]:
        """Return the layer that shows an image, and whether it was made for it."""
        viewer, queued = self._place.viewer, read.queued
        for other in self._place.queue.images:
            if other.layer is not None:
                _show_or_hide(other.layer, visible=other.layer is queued.layer)
        if self._shown is not None:
            _show_or_hide(self._shown, visible=queued.layer is None)
        if queued.layer is not None:
            self._go_to_step(queued.plane)
            return queued.layer, False
        before = self._shown
        if queued.stack is not None and not isinstance(read.pixels, LargeImage):
            layer = queued.stack.layer
            if layer is None or layer not in viewer.layers:
                self._show_in(queued.stack.show(read.pixels))
            self._go_to_step(queued.plane)
        elif isinstance(read.pixels, LargeImage):
            self._show_in(large_layer(read.pixels, queued.id))
        else:
            self._show_pixels(displayable(read.pixels), queued.id)
        return self._shown, self._shown is not before

    def _go_to_step(self, plane: tuple[int, ...]) -> None:
        """Have a plane of a stack on the screen."""
        if plane:
            dims = self._place.viewer.dims
            dims.current_step = (*plane, *dims.current_step[len(plane) :])

    def _correct_layer(self, read: ReadImage) -> None:
        """Show a picture as its file says where napari's own readers did not."""
        layer = read.queued.layer
        if layer is not None and read.is_otherwise:
            layer.data = read.pixels
            self._place.tell(
                tr(
                    "{name} is now shown as its file says: upright, and black as black. Masks are "
                    "made on it as every other program shows it.",
                    name=layer.name,
                )
            )

    def _show_pixels(self, pixels: NDArray[Any], name: str) -> None:
        """Show the pixels in the layer of the image before, if it is of the same kind."""
        shown, rgb = self._shown, pixels.ndim == 3
        is_there = shown is not None and shown in self._place.viewer.layers
        is_like = shown is not None and shown.ndim == 2 and not shown.multiscale
        if shown is None or not (is_there and is_like) or shown.rgb != rgb:
            self._show_in(Image(pixels, name=name, rgb=rgb, metadata={OWN: "image"}))
            return
        shown.data, shown.name = pixels, name
        if not shown.rgb:
            shown.reset_contrast_limits()

    def _show_in(self, new: Image) -> None:
        """Let a layer take the place of the one before."""
        shown, layers = self._shown, self._place.viewer.layers
        is_there = shown is not None and shown in layers
        with not_selected(self._place.viewer):
            layers.insert(layers.index(shown) if is_there else 0, new)
        self._shown = new
        if is_there:
            self._place.layers.image = new  # the old one goes on purpose
            layers.remove(shown)

    def _remove_shown(self) -> None:
        if self._shown is not None and self._shown in self._place.viewer.layers:
            self._place.viewer.layers.remove(self._shown)
        self._shown = None

    # ----------------------------------------------------------- encoding ahead

    def _on_inference_idle(self) -> None:
        session = self._place.session
        few = (os.cpu_count() or 1) <= _FEW_CORES
        if not self.is_ready or (session.state.training and few):
            return
        queue = self._place.queue
        preferred = [queue.find(image_id) for image_id in islice(self.preferred(), _PREFERRED)]
        for queued in (*filter(None, preferred), *queue.neighbours()):
            # a round may have taught the encoder: what was encoded before is stale then
            job = session.weights_version, queued.id
            if job not in self._ahead:
                self._ahead.add(job)
                work = partial(_encode_ahead, session, queued)
                self._place.inference.submit(Kind.AHEAD, work, _ignore, _ignore)
                return


def _encode_ahead(session: Session, queued: QueuedImage) -> None:
    try:
        session.answerer.encode_ahead(queued.read())
    except SamTuneError:
        # It will be said when the image is really opened; ahead of that it bothers nobody.
        return


def _ignore(_: object) -> None:
    """Encoding ahead ends without a word, well or badly."""


def _show_or_hide(layer: Image, *, visible: bool) -> None:
    """Set whether a layer is visible; napari draws it anew where it was so already."""
    if layer.visible != visible:
        layer.visible = visible
