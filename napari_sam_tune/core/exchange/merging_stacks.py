"""Joining what two projects know of stacks and things: what is known here stands."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam_tune.core.project.project import Project


def join_stacks(project: Project, other: Project, images: Mapping[str, str]) -> None:
    """Take in stacks, and tie masks to the things they are masks of there.

    Axes that were said here stay, and so does what a mask is tied to.

    Args:
        project: takes in.
        other: is read.
        images: what the other project's images are called here.

    Raises:
        StorageError: the disk refused.

    """
    known = {stack.name: stack for stack in project.stacks()}
    for stack in other.stacks():
        own = known.get(stack.name)
        planes = {images.get(name, name): at for name, at in stack.planes.items()}
        if own is None:
            project.set_stack(replace(stack, planes=planes))
        elif own.axes.along == stack.axes.along:
            project.set_stack(replace(own, planes={**planes, **own.planes}))
    there, here = other.ties(), project.ties()
    records = {record.id for record in project.every_record()}
    fresh = {name: thing for name, thing in there.items() if name in records and name not in here}
    if fresh:
        project.tie_again(fresh)
