"""Joining what two projects say of masks and images since they were accepted: the last word stands.

Classes that masks got, states, notes, tags and values are said again here where the other project
said them later. Records that only one side had have come in before, of the class of now.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam_tune.core.project.project import Project


def join_classes_of_masks(project: Project, other: Project) -> int:
    """Give masks that both know the class they have there, where they got that later.

    Returns:
        How many got another.

    Raises:
        StorageError: the disk refused.

    """
    here = {record.id: record for record in project.every_record()}
    later: defaultdict[float, dict[str, str]] = defaultdict(dict)
    for record in other.every_record():
        own = here.get(record.id)
        if own is not None and own.label != record.label:
            moment = other.class_given_at(record)
            if moment > project.class_given_at(own):
                later[moment][record.id] = record.label
    for moment, labels in sorted(later.items()):
        project.repeat({"kind": "relabel", "time": moment, "labels": labels})
    return sum(map(len, later.values()))


def join_reviews(project: Project, other: Project, images: Mapping[str, str]) -> int:
    """Say of masks and images what was said there, where that was later, in one line.

    Args:
        project: takes in.
        other: is read.
        images: what the other project's images are called here.

    Returns:
        Of how many masks and images something was said.

    Raises:
        StorageError: the disk refused.

    """
    here, there = project.everything_said(), other.everything_said()
    known = {record.id: record.label for record in project.every_record()}
    for record in other.every_record():
        said = there.objects.get(record.id)
        if said and said["state"] == "approved" and record.label != known.get(record.id):
            said["state"] = None  # of another class than the mask has here
    objects = {
        name: fresh
        for name, said in there.objects.items()
        if name in known and (fresh := _fresh(said, here.objects.get(name)))
    }
    said_of_images = {
        images[name]: fresh
        for name, said in there.images.items()
        if name in images and (fresh := _fresh(said, here.images.get(images[name])))
    }
    if objects or said_of_images:
        project.say_again(objects=objects, images=said_of_images)
    return len(objects) + len(said_of_images)


def _fresh(said: Mapping[str, Any], known: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what is to be said here: what was said later there, and what nobody said here."""
    own = known or dict.fromkeys(said)
    is_later = (said["when"] or 0.0) > (own["when"] or 0.0)
    fields = {
        name: said[name]
        for name in ("state", "note", "tags", "values")
        if said[name] not in (None, own[name]) and (is_later or own[name] is None)
    }
    signed = said if is_later else own
    return {**fields, "by": signed["by"], "when": signed["when"]} if fields else {}


def join_attributes(project: Project, other: Project) -> None:
    """Add the attributes that classes have there and not here.

    Raises:
        StorageError: the disk refused.

    """
    for label in other.classes():
        own = project.attributes(label)
        names = {attribute.name for attribute in own}
        fresh = [one for one in other.attributes(label) if one.name not in names]
        if fresh:
            project.set_attributes(label, [*own, *fresh])
