"""Files with several planes as a project knows them: its axes and its mix of channels stand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_sam_tune.core.images.names import absolute
from napari_sam_tune.core.images.planes import ImageInFile, StackFile, settled, stack_of_file
from napari_sam_tune.core.project.stacks import Stack

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_tune.core.images.planes import Reading
    from napari_sam_tune.core.project.project import Project


def known_stack(project: Project, file: StackFile) -> Stack | None:
    """Return what a project knows of a file's stack; None where it does not know it.

    By planes of that file that it knows; else by its name, where the array is of the same shape.
    """
    for record in project.images():
        if record.plane is not None and record.path is not None:
            there = absolute(project.path / record.path)
            stack = project.stack_of(record.id) if there == absolute(file.path) else None
            if stack is not None and stack.axes.shape == file.axes.shape:
                return stack
    return next(
        (
            stack
            for stack in project.stacks()
            if stack.name == file.path.name and stack.axes.shape == file.axes.shape
        ),
        None,
    )


def as_known(project: Project, file: StackFile) -> StackFile:
    """Return a file's stack with the axes and the mix that were said in a project."""
    known = known_stack(project, file)
    return file if known is None else replace(file, axes=known.axes, mix=known.mix)


def images_known(project: Project, path: Path, reading: Reading) -> list[ImageInFile]:
    """Return the images of a file: itself, or its planes, as they were said in a project.

    Args:
        project: whose.
        path: of the file.
        reading: what is said now; it overrules.

    Raises:
        ImageError: as `images.planes.images_of`.

    """
    file = stack_of_file(path)
    if file is None:
        return [ImageInFile(path)]
    return settled(as_known(project, file), reading).images()


def stack_of(file: StackFile, name: str, ids: dict[tuple[int, ...], str] | None = None) -> Stack:
    """Return a file's stack as a project keeps it.

    Args:
        file: the file.
        name: of the stack.
        ids: plane to the image's id, where that is not its name in the file.

    """
    called = ids or {}
    planes = {called.get(at, file.image(at).name): at for at in file.axes.planes}
    return Stack(name, file.axes, planes, file.mix)
