"""From the object in progress to the record that is kept of it, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

from napari_sam_tune.core.errors import MaskError, ProjectError
from napari_sam_tune.core.geometry.given_masks import place_mask
from napari_sam_tune.core.project.annotations import NewAnnotation
from napari_sam_tune.core.prompts import Effort
from napari_sam_tune.core.session.correction import Correction
from napari_sam_tune.core.session.open_object import OpenObject
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from napari_sam_tune.core.answers.answerer import Answerer
    from napari_sam_tune.core.geometry.placed_mask import PlacedMask
    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.project.stored_annotation import Source
    from napari_sam_tune.core.session.objects import Objects
    from napari_sam_tune.core.session.suggested import Suggested
    from napari_sam_tune.core.state import SessionState


class Accepting:
    """Writes records of objects on the open image, takes them out, and takes them up again.

    Args:
        project: where records go.
        state: the session's; `masks_since_round` changes here.
        objects: what is worked at.
        suggested: what is worked at next.
        answerer: told which images matter and which guesses of a class were right.
        source: who accepts.

    Attributes:
        source: who accepts.
        changed: fires with the image id whose accepted masks changed.

    """

    changed = Signal(str)

    def __init__(
        self,
        project: Project,
        state: SessionState,
        objects: Objects,
        suggested: Suggested,
        answerer: Answerer,
        source: Source,
    ) -> None:
        self._project, self._state, self._objects = project, state, objects
        self._suggested, self._answerer, self.source = suggested, answerer, source

    def accept(self, mask: ArrayLike | PlacedMask | None, label: str | None) -> Annotation:
        """See `Session.accept`."""
        current = self._objects.current
        final = current.placed if mask is None else place_mask(mask, self._objects.shape)
        if final is None:
            raise MaskError(tr("There is nothing to accept yet: click on an object first."))
        correction = current.correction
        if mask is not None and current.proposal is not None:
            correction = Correction.between(current.proposal.placed, final)
        painted = 0 if correction is None else correction.painted_pixels
        effort = self._objects.effort.reading(painted)
        if current.suggestion is not None:
            effort += Effort(clicks=1)  # to look and say yes is an action, whatever comes first
        removed = self._living(_replaced(current))
        annotation = self._keep(current, final, label, correction, effort, self.source)
        if current.suggestion is not None:
            self._suggested.decide(current.suggestion, is_right=True)
        self._objects.effort.reset()
        following, classes = self._suggested.next(), self._objects.classes
        guess = current.class_guess
        if guess is not None and not guess.is_recalled and guess.label != classes.kept:
            self._answerer.classes.add(annotation.id, guess)
        self._objects.advance(following, added=annotation.id, removed=removed)
        classes.note_accepted()
        self.tell_changed(self._objects.image_id)
        return annotation

    def adopt(self, mask: ArrayLike | PlacedMask, label: str | None) -> Annotation:
        """See `Session.adopt`."""
        final = place_mask(mask, self._objects.shape)
        annotation = self._keep(OpenObject(), final, label, None, Effort(), "adopted")
        self._objects.advance(self._objects.current, added=annotation.id)
        self.tell_changed(self._objects.image_id)
        return annotation

    def _keep(
        self,
        current: OpenObject,
        mask: PlacedMask,
        label: str | None,
        correction: Correction | None,
        effort: Effort,
        source: Source,
    ) -> Annotation:
        reopened, suggestion = _replaced(current), current.suggestion
        new = record_of(
            current,
            mask,
            image_id=self._objects.image_id,
            label=label or self._state.label,
            version=self._state.weights_version,
            correction=correction,
            effort=effort,
            source=source,
            superseded=None if reopened is None else self._project.annotation(reopened),
        )
        return self.keep(new, thing=None if suggestion is None else suggestion.thing)

    def _living(self, annotation_id: str | None) -> str | None:
        """Return a record of the open image, unless it was deleted meanwhile: undo leaves it so."""
        if annotation_id is None:
            return None
        living = self._project.annotations(self._objects.image_id)
        return annotation_id if any(one.id == annotation_id for one in living) else None

    @property
    def label(self) -> str:
        """The class in use."""
        return self._state.label

    def keep(self, new: NewAnnotation, *, thing: str | None = None) -> Annotation:
        """Write one record, of a thing of a stack or of one of its own.

        Raises:
            MaskError, StorageError: as `Project.add`.

        """
        annotation = self._project.add(new, thing=thing)
        # From here on the record is on disk; nothing may raise before it is accounted for.
        self._state.masks_since_round += 1
        image = self._project.image(annotation.image_id)
        self._answerer.embeddings.pin([image.content_hash])
        return annotation

    def reopen(self, annotation_id: str) -> None:
        """See `Session.reopen`."""
        annotation = self._project.annotation(annotation_id)
        if annotation.image_id != self._state.image_id:
            raise ProjectError(
                tr(
                    "That object is on {image_id}: open that image first.",
                    image_id=annotation.image_id,
                )
            )
        self._objects.classes.lend(annotation.label)
        self._objects.advance(OpenObject(start=annotation.placed, reopened=annotation_id))

    def exchange(self, *, remove: str | None, restore: str | None) -> None:
        """Take one record out of the project and bring another back, if any."""
        if restore is not None and remove is not None:
            self._project.exchange(delete=remove, restore=restore)
        elif restore is not None:
            self._project.restore(restore)
        elif remove is not None:
            self._project.delete(remove)
        if remove is not None or restore is not None:
            self.tell_changed(self._objects.image_id)

    def tell_changed(self, *image_ids: str) -> None:
        """Tell whose accepted masks are others than before."""
        self._answerer.classes.judge_anew()
        for image_id in image_ids:
            self.changed.emit(image_id)


def _replaced(current: OpenObject) -> str | None:
    """Return the record in whose place an object comes."""
    suggested = None if current.suggestion is None else current.suggestion.replaces
    return current.reopened or suggested


def record_of(
    current: OpenObject,
    mask: PlacedMask,
    *,
    image_id: str,
    label: str,
    version: str,
    correction: Correction | None,
    effort: Effort,
    source: Source,
    superseded: Annotation | None,
) -> NewAnnotation:
    """Return what is to be kept of an object.

    Args:
        current: the object.
        mask: what the person settled on.
        image_id: where it is.
        label: its class.
        version: of the weights in use, for a mask that none proposed.
        correction: what the person changed in the proposal.
        effort: what it cost since the record it supersedes.
        source: who accepted it.
        superseded: the record taken up again, whose effort counts on.

    """
    proposal, suggestion = current.proposal, current.suggestion
    if superseded is not None:
        effort, version = superseded.effort + effort, superseded.weights_version
    return NewAnnotation(
        image_id=image_id,
        mask=mask,
        label=label,
        prompts=current.answered,
        weights_version=version if proposal is None else proposal.weights_version,
        proposal_mask=current.proposed,
        predicted_iou=proposal.iou if proposal and proposal.moved_from is None else None,
        locked=correction.locked if correction else None,
        effort=effort,
        supersedes=None if superseded is None else superseded.id,
        source=source,
        suggested_by=None if suggestion is None else suggestion.origin,
        recalled=proposal.recalled if proposal is not None and proposal.is_recalled else (),
    )
