"""What was said of masks, as formats with attributes hold it: flat, beside the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.plain_text import visible
from napari_sam_tune.core.project.review import RESERVED, Review

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIELDS: Final = ("state", "note", "tags")


def flat(review: Review | None) -> dict[str, Any]:
    """Return what was said of a mask as names and values; empty where that is nothing."""
    if review is None:
        return {}
    said: dict[str, Any] = {} if review.state == "accepted" else {"state": review.state}
    if review.note:
        said["note"] = review.note
    if review.tags:
        said["tags"] = list(review.tags)
    return {**said, **review.values}


def from_flat(said: object, entry: str) -> Review | None:
    """Read what `flat` wrote among other things; None where there is nothing of it.

    Args:
        said: the attributes of an object that our own export wrote.
        entry: names the object.

    Raises:
        SamTuneError: it makes no sense.

    """
    if not isinstance(said, dict):
        return None
    fields = {name: said[name] for name in _FIELDS if name in said}
    values = {name: value for name, value in said.items() if name not in RESERVED}
    return checked({**fields, "values": values} if values else fields, entry)


def checked(fields: Mapping[str, Any], entry: str) -> Review | None:
    """Return fields as what was said of a mask; None where that is nothing.

    Raises:
        SamTuneError: they make no sense.

    """
    if not fields:
        return None
    try:
        return Review.of_mask(fields)
    except (TypeError, ValueError) as error:
        raise SamTuneError(
            f"{entry} has attributes that make no sense: {visible(error)}"
        ) from error
