"""What can be exported, and what a person asks for; what the dialog and its thread share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_tune.formats.writer import ExportOptions

MASKS, WEIGHTS = 0, 1


@dataclass(frozen=True)
class ExportContent:
    """What a project holds to be exported.

    Attributes:
        name: of the project.
        home: where exports are proposed to go.
        images: how many images go out with their masks.
        left_out: why images do not, to how many.
        approved: how many images have something that is approved.
        versions: of the weights, version to what people call it; the one in use comes first.

    """

    name: str
    home: Path
    images: int
    left_out: dict[str, int]
    versions: dict[str, str]
    approved: int = 0


@dataclass(frozen=True)
class ExportRequest:
    """What a person asked for.

    Attributes:
        tab: `MASKS` or `WEIGHTS`.
        form: name of the format.
        out: file or folder.
        overwrite: it may be replaced.
        options: for masks.
        version: of the weights.
        only_approved: leave out what is not approved.

    """

    tab: int
    form: str
    out: Path
    overwrite: bool
    options: ExportOptions
    version: str
    only_approved: bool = False
