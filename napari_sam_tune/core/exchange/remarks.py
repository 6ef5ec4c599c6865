"""What was said of masks and images, as formats hold it.

Where other programs show attributes it stands flat among them; where there is but a text for it, as
JSON in the ASCII that any file can hold.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from napari_sam_tune.core.documents import parse_json
from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.project.review import RESERVED, Review
from napari_sam_tune.core.texts.plain_text import visible
from napari_sam_tune.core.texts.wording import mark

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REVIEW: Final = "review"
"""What the text is called."""
NOT_KEPT: Final = mark("object without what was said of it (state, note, tags, attributes)")
"""A loss of formats that have no place for it."""
_FIELDS: Final = ("state", "note", "tags", "values")
_NAMES: Final = "attributes"
"""Says which of the values are attributes of the class."""


def flat(review: Review | None) -> dict[str, Any]:
    """Return what was said of a mask as names and values; empty where that is nothing."""
    if review is None:
        return {}
    said: dict[str, Any] = {} if review.state == "accepted" else {"state": review.state}
    if review.note:
        said["note"] = review.note
    if review.tags:
        said["tags"] = list(review.tags)
    if review.values:
        said[_NAMES] = list(review.values)
    return {**said, **review.values}


def packed(review: Review | None) -> str:
    """Return what was said of a mask or an image as a text; empty where that is nothing."""
    fields = {} if review is None else review.fields()
    return json.dumps(fields) if fields else ""


def unpacked(
    text: object, entry: str, read: Callable[[Mapping[str, Any]], Review] = Review.of_mask
) -> Review | None:
    """Read what `packed` wrote; None where there is nothing of it.

    Args:
        text: as our own export wrote it, or what other programs left of it.
        entry: names the mask or the image.
        read: `Review.of_image` of an image.

    Raises:
        SamTuneError: it makes no sense.

    """
    if not isinstance(text, str) or not text:
        return None
    said = parse_json(text, f"{entry}, {REVIEW},")
    known = said if isinstance(said, dict) else {}
    return checked({name: known[name] for name in _FIELDS if name in known}, entry, read)


def from_flat(said: object, entry: str) -> Review | None:
    """Read what `flat` wrote among other things; None where there is nothing of it.

    What other programs added is theirs. Some of them clear what is empty to null, and write lists
    as texts.

    Args:
        said: the attributes of an object that our own export wrote.
        entry: names the object.

    Raises:
        SamTuneError: it makes no sense.

    """
    if not isinstance(said, dict):
        return None
    fields = {name: said[name] for name in ("state", "note") if said.get(name)}
    if tags := _listed(said.get("tags")):
        fields["tags"] = tags
    names = [name for name in _listed(said.get(_NAMES)) if name not in RESERVED]
    if values := {name: said[name] for name in names if said.get(name) is not None}:
        fields["values"] = values
    return checked(fields, entry)


def _listed(value: object) -> list[Any]:
    """Return a list, as it is or as a text in JSON; a lone text is one of one."""
    if isinstance(value, str) and value.startswith("["):
        try:
            value = parse_json(value, "A list")
        except SamTuneError:
            return [value]
    if isinstance(value, list):
        return [one for one in value if isinstance(one, str)]
    return [value] if isinstance(value, str) and value else []


def checked(
    fields: Mapping[str, Any],
    entry: str,
    read: Callable[[Mapping[str, Any]], Review] = Review.of_mask,
) -> Review | None:
    """Return fields as what was said of a mask, or as `read` has it; None where that is nothing.

    Raises:
        SamTuneError: they make no sense.

    """
    if not fields:
        return None
    try:
        return read(fields)
    except (TypeError, ValueError) as error:
        raise SamTuneError(
            f"{entry} has attributes that make no sense: {visible(error)}"
        ) from error
