"""What the log of a project adds up to: images, base model, versions, marks, classes, place."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.models.base import BASE_VERSION, BaseRef

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_sam_tune.core.project.split import Split


@dataclass(frozen=True)
class ImageRecord:
    """An image as the project knows it.

    Attributes:
        id: any text, usually a file name.
        shape: (H, W) in pixels.
        content_hash: of the pixels, see `images.content_hash`.
        group: images of one group train together or judge together.
        split: "train", "held_out" or "test", the same for the whole group.
        path: the file, relative to the project folder with forward slashes; absolute only on
            another drive; None where the pixels were copied into the project.
        stratum: what the split is balanced by, or None.

    """

    id: str
    shape: tuple[int, int]
    content_hash: str
    group: str
    split: Split
    path: str | None
    stratum: str | None


ROLLED_BACK_FROM: Final = "rolled_back_from"
"""In the report of a promotion: the version that a person put out of use."""
OTHER_BASE: Final = "other_base"
"""In the report of a promotion that nobody asked for: the base model changed, to this one."""


@dataclass(frozen=True)
class Promotion:
    """One change of the weights in use; a roll-back is one as well.

    Attributes:
        version: "base" or 12 hex digits.
        time: UTC, seconds since 1970.
        report: why, as plain values: `RoundReport.to_json()`, or one of the keys above.

    """

    version: str
    time: float
    report: dict[str, Any]

    @property
    def is_asked_for(self) -> bool:
        """Whether a round or a person led to it, and not another base model."""
        return OTHER_BASE not in self.report

    @property
    def is_of_a_round(self) -> bool:
        """Whether a round led to it: what was learnt until then came into use."""
        return self.is_asked_for and ROLLED_BACK_FROM not in self.report


@dataclass(frozen=True)
class WeightsInfo:
    """A saved weights version.

    Attributes:
        version: 12 hex digits of its content hash.
        created: UTC, seconds since 1970.
        info: what it says about itself.

    """

    version: str
    created: float
    info: dict[str, Any]


@dataclass
class Ledger:
    """The log, folded. Where only one can be first (image, group), the earliest line counts.

    Attributes:
        groups: group name to (stratum, split).
        marks: image id to (done, empty).
        deleted: annotation id to whether it was deleted (True) or restored (False) last.

    """

    base: BaseRef | None = None
    images: dict[str, ImageRecord] = field(default_factory=dict)
    groups: dict[str, tuple[str | None, Split]] = field(default_factory=dict)
    marks: dict[str, tuple[bool, bool]] = field(default_factory=dict)
    deleted: dict[str, bool] = field(default_factory=dict)
    weights: dict[str, WeightsInfo] = field(default_factory=dict)
    promotions: list[Promotion] = field(default_factory=list)
    classes: dict[str, str] = field(default_factory=dict)
    place: dict[str, Any] = field(default_factory=dict)

    @property
    def current_version(self) -> str:
        """The weights in use: the last line that promoted any."""
        return self.promotions[-1].version if self.promotions else BASE_VERSION

    def with_entries(self, entries: Iterable[dict[str, Any]]) -> Ledger:
        """Return a ledger that also holds these entries of the log, in its order.

        Raises:
            ProjectError: an entry lacks what its kind must have.

        """
        folded = copy(self)
        for name, value in vars(self).items():
            setattr(folded, name, copy(value))
        for entry in entries:
            try:
                folded._apply(entry)
            except (KeyError, TypeError, ValueError) as error:
                raise ProjectError(
                    f"log.jsonl holds an entry that cannot be understood ({error!r}): {entry}. "
                    "Was it edited by hand?"
                ) from error
        return folded

    def _apply(self, entry: dict[str, Any]) -> None:
        match entry["kind"]:
            case "base":
                self.base = BaseRef(entry["name"], entry["sha256"])
            case "image":
                self._add_image(entry)
            case "relink":
                known = vars(self.images[entry["image"]])
                self.images[entry["image"]] = ImageRecord(**{**known, "path": entry["path"]})
            case "mark":
                self.marks[entry["image"]] = bool(entry["done"]), bool(entry["empty"])
            case "delete" | "restore" as kind:
                self.deleted[entry["annotation"]] = kind == "delete"
            case "weights":
                version = entry["version"]
                self.weights.setdefault(version, WeightsInfo(version, entry["time"], entry["info"]))
            case "promote":
                promotion = Promotion(entry["version"], entry["time"], entry["report"])
                self.promotions.append(promotion)
            case "class":
                self.classes[entry["name"]] = entry["color"]
            case "place":
                self.place.update(entry["place"])
            case _:
                pass  # written by a later release of the same format, which may add kinds

    def _add_image(self, entry: dict[str, Any]) -> None:
        if entry["id"] in self.images:
            return
        group, stratum = entry["group"], entry["stratum"]
        _, split = self.groups.setdefault(group, (stratum, entry["split"]))
        height, width = entry["shape"]
        self.images[entry["id"]] = ImageRecord(
            id=entry["id"],
            shape=(height, width),
            content_hash=entry["content_hash"],
            group=group,
            split=split,
            path=entry["path"],
            stratum=stratum,
        )
