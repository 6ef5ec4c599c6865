"""What the lists show of a project: a row for each accepted mask, and one for each image."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.project.class_colours import CLASS_COLOURS
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.ui.views.reviewing import STATE_COLOURS, STATES
from napari_sam_tune.ui.views.rows import ListRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_sam_tune.core.answers.look_again import LookAgain
    from napari_sam_tune.core.project.annotations import Annotation
    from napari_sam_tune.core.project.noted import Noted
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.project.review import Review
    from napari_sam_tune.core.suggestions.review import Review as Suggestions
    from napari_sam_tune.ui.queued_image import QueuedImage

_RANKED: Final = 100
"""Images put into the order of need; that of all thousands takes seconds, and nobody goes on."""
_LAST: Final = float("inf")


def rows_of_masks(project: Project, image_id: str | None) -> list[ListRow]:
    """Return a row for each accepted mask of an image, or (None) of all, the newest first."""
    colours, found = project.classes(), reversed(project.reviewed(image_id))
    return [_row_of_mask(mask, colours, said, image_id is None) for mask, said in found]


def rows_of_doubts(project: Project, looking: LookAgain) -> list[ListRow]:
    """Return a row for each mask that the weights in use were asked for, least agreed with first.

    Args:
        project: whose.
        looking: what they answered.

    """
    colours, doubts = project.classes(), looking.most_doubtful()
    reviewed = {mask.id: (mask, said) for mask, said in project.reviewed()}
    return [
        _row_of_mask(mask, colours, said, True, tr("{score:.0%} alike", score=score))
        for name, score in doubts
        for mask, said in filter(None, [reviewed.get(name)])  # it may be gone meanwhile
    ]


def _row_of_mask(
    mask: Annotation, colours: Mapping[str, str], said: Review, names_image: bool, first: str = ""
) -> ListRow:
    y0, x0, y1, x1 = mask.bbox
    size = tr(
        "{width} × {height} px, area {area:,} px", width=x1 - x0, height=y1 - y0, area=mask.area
    )
    detail = (first, mask.image_id if names_image else "", size, *said.tags, said.note)
    values = " ".join(str(value) for value in said.values.values())
    words = (mask.label, mask.image_id, said.note, *said.tags, values)
    return ListRow(
        id=mask.id,
        title=mask.label,
        detail=" · ".join(filter(None, detail)),
        colour=colours.get(mask.label, CLASS_COLOURS[0]),
        mark=tr(STATES[said.state]) if said.state in STATE_COLOURS else "",
        mark_colour=STATE_COLOURS.get(said.state, ""),
        labels=(mask.label,),
        state=said.state,
        words=" ".join(words).lower(),
        values=tuple(said.values.items()),
    )


@dataclass(frozen=True)
class Expected:
    """What looking through the folder has told of images.

    Attributes:
        finds: objects expected, by image id.
        sureness: of the surest find, from 0 to 1, by image id.
        need: images most worth labelling, the first one first.

    """

    finds: Mapping[str, int]
    sureness: Mapping[str, float]
    need: Sequence[str]

    @classmethod
    def of(cls, suggestions: Suggestions) -> Expected:
        """Ask for it; takes a while where many images were looked through."""
        finds = suggestions.expected_finds
        need = list(islice(suggestions.by_need(), _RANKED)) if finds else []
        return cls(finds, suggestions.sureness, need)


def rows_of_images(
    project: Project, images: Iterable[QueuedImage], expected: Expected
) -> list[ListRow]:
    """Return a row for each image, in the order of the queue.

    Args:
        project: what is known of them.
        images: of the queue.
        expected: what looking through the folder has told.

    """
    masks: Counter[str] = Counter()
    labels: dict[str, set[str]] = {}
    values: dict[str, dict[Noted, None]] = {}
    for annotation, of_mask in project.reviewed():
        masks[annotation.image_id] += 1
        labels.setdefault(annotation.image_id, set()).add(annotation.label)
        if of_mask.values:
            values.setdefault(annotation.image_id, {}).update(dict.fromkeys(of_mask.values.items()))
    reviews, empty = project.image_reviews(), project.empty_images()
    need = {image_id: place for place, image_id in enumerate(expected.need)}
    rows = []
    for place, image in enumerate(images):
        said = reviews.get(image.id)
        state = "to_do" if said is None else said.state
        note, tags = ("", ()) if said is None else (said.note, said.tags)
        finds, sureness = expected.finds.get(image.id), expected.sureness.get(image.id)
        texts = [_masks(masks[image.id])]
        if image.id in empty and not masks[image.id]:
            texts = [tr("no defect")]
        if finds is not None:
            texts.append(_finds(finds, sureness))
        rows.append(
            ListRow(
                id=image.id,
                title=image.id,
                detail=" · ".join((*texts, *tags, *filter(None, [note]))),
                mark=tr(STATES[state]) if state in STATE_COLOURS else "",
                mark_colour=STATE_COLOURS.get(state, ""),
                labels=tuple(labels.get(image.id, ())),
                state=state,
                words=" ".join((image.id, note, *tags)).lower(),
                values=tuple(values.get(image.id, ())),
                ranks=(place, need.get(image.id, _LAST), _unsure(finds, sureness)),
            )
        )
    return rows


def _unsure(finds: int | None, sureness: float | None) -> float:
    """Return a number that is the smaller the less can be told of an image."""
    return _LAST if finds is None or sureness is None else abs(sureness - 0.5)


def _masks(count: int) -> str:
    return tr("{n:,} masks", "1 mask", n=count) if count else tr("no mask")


def _finds(count: int, sureness: float | None) -> str:
    if not count or sureness is None:
        return tr("{n:,} finds expected", "1 find expected", n=count)
    return tr(
        "{n:,} finds expected, {sure:.0%} sure",
        "1 find expected, {sure:.0%} sure",
        n=count,
        sure=sureness,
    )
