"""What the log of a project adds up to: images, base model, versions, marks, classes, place."""

from __future__ import annotations

from copy import copy
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.geometry.turning import UPRIGHT, turned_shape
from napari_sam_tune.core.images.mix import Mix
from napari_sam_tune.core.images.planes import PlaneOfFile
from napari_sam_tune.core.models.base import BASE_VERSION, BaseRef
from napari_sam_tune.core.project.log_values import (
    mapping,
    orientation_in,
    split_in,
    text,
    texts,
    version_in,
)
from napari_sam_tune.core.project.naming import Naming
from napari_sam_tune.core.project.review import Attribute, Reviews
from napari_sam_tune.core.project.stacks import Stacks
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_sam_tune.core.project.split import Split

SINCE_3: Final = frozenset(
    {
        "delete_all",
        "restore_all",
        "relabel",
        "relabel_again",
        "rename_class",
        "rename_again",
        "remove_class",
        "attributes",
        "review",
    }
)
"""Kinds of entries that programs of formats before 3 would pass over, and must not."""
_LONGEST: Final = 1 << 24
"""Sides of images, in px: beyond this the entry is nonsense."""


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
        turn: the orientation that the image was found to have since masks were first made on it,
            see `geometry.turning`; 1 where there was nothing to turn; None of an image that the
            first releases registered, as long as its file is as they saw it.
        earlier: its content hash before, where that is another one now.
        plane: which plane of the file it is, and how its channels became one picture; None of an
            image that is all of its file.

    """

    id: str
    shape: tuple[int, int]
    content_hash: str
    group: str
    split: Split
    path: str | None
    stratum: str | None
    turn: int | None = None
    earlier: str | None = None
    plane: PlaneOfFile | None = None


ROLLED_BACK_FROM: Final = "rolled_back_from"
"""In the report of a promotion: the version that a person put out of use."""
OTHER_BASE: Final = "other_base"
"""In the report of a promotion that nobody asked for: the base model changed, to this one."""


def facts_of(image: ImageRecord) -> dict[str, Any]:
    """Return what the log's entry of an image says, but for its id and shape."""
    facts = {k: v for k, v in vars(image).items() if k not in {"id", "shape", "plane"}}
    return facts if image.plane is None else {**facts, "plane": image.plane.to_json()}


def turn_of(image: ImageRecord) -> dict[str, int]:
    """Return what a record of a mask says of how its image lies: nothing where it always did."""
    return {} if image.turn in (None, UPRIGHT) else {"turn": image.turn}


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
        turns: image id to orientation, of the images that were turned since they are known.
        looked_at: ids of images that early releases registered and that were found to be upright.
        words: annotation id to when it was deleted (True) or restored (False) last.
        writers: name of a log to the machine that writes it.
        naming: the classes, and those that masks were given since they were accepted.
        reviews: what was said of images and masks.
        stacks: which images are planes of one, and which masks are one thing.
        old_logs: name of a log of the first releases to the bytes it had when others went on.
        copy: which copy of a shared project it is for: what is true in another one alone, as where
            files are and where somebody stopped, is passed over.

    """

    base: BaseRef | None = None
    images: dict[str, ImageRecord] = field(default_factory=dict)
    groups: dict[str, tuple[str | None, Split]] = field(default_factory=dict)
    marks: dict[str, tuple[bool, bool]] = field(default_factory=dict)
    turns: dict[str, int] = field(default_factory=dict)
    looked_at: set[str] = field(default_factory=set)
    words: dict[str, tuple[float, bool]] = field(default_factory=dict)
    weights: dict[str, WeightsInfo] = field(default_factory=dict)
    promotions: list[Promotion] = field(default_factory=list)
    naming: Naming = field(default_factory=Naming)
    reviews: Reviews = field(default_factory=Reviews)
    stacks: Stacks = field(default_factory=Stacks)
    place: dict[str, Any] = field(default_factory=dict)
    writers: dict[str, str] = field(default_factory=dict)
    old_logs: dict[str, int] = field(default_factory=dict)
    copy: str = ""

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
                    tr(
                        "The project’s log holds an entry that cannot be understood ({error!r}): "
                        "{entry}. Was it edited by hand?",
                        error=error,
                        entry=str(entry)[:300],
                    )
                ) from error
        return folded

    def knows(self, entry: dict[str, Any]) -> bool:
        """Tell whether an entry about the turning of images would say nothing new."""
        if entry["kind"] == "turn":
            return self.images[entry["image"]].turn is not None
        return self.looked_at.issuperset(entry["images"])

    def _apply(self, entry: dict[str, Any]) -> None:
        match entry["kind"]:
            case "log":
                self.writers[text(entry["name"])] = text(entry["machine"])
                sizes = mapping(entry["old"])
                self.old_logs.update((text(name), int(size)) for name, size in sizes.items())
            case "base":
                self._change_base(entry)
            case "image":
                self._add_image(entry)
            case "relink" | "place" if entry.get("copy", "") != self.copy:
                pass
            case "relink":
                record = self.images[entry["image"]]
                self.images[record.id] = replace(record, path=text(entry["path"]))
            case "stored":
                record = self.images[entry["image"]]
                self.images[record.id] = replace(record, path=None)
            case "turn":
                self._turn_image(entry)
            case "looked_at":
                self.looked_at.update(texts(entry["images"]))
            case "mark":
                self.marks[text(entry["image"])] = bool(entry["done"]), bool(entry["empty"])
                self.reviews.marked(entry["image"], entry.get("by"), entry["time"])
            case "delete" | "restore" as kind:
                self.words[text(entry["annotation"])] = entry["time"], kind == "delete"
            case "delete_all" | "restore_all" as kind:
                word = entry["time"], kind == "delete_all"
                self.words.update(dict.fromkeys(texts(entry["annotations"]), word))
            case "exchange":
                self.words[text(entry["delete"])] = entry["time"], True
                self.words[text(entry["restore"])] = entry["time"], False
            case "weights":
                info = WeightsInfo(
                    version_in(entry["version"]), entry["time"], mapping(entry["info"])
                )
                self.weights.setdefault(info.version, info)
            case "promote":
                self._promote(entry["version"], entry["time"], mapping(entry["report"]))
            case "place":
                self.place.update(mapping(entry["place"]))
            case "review":
                self._review(entry)
            case _:
                self._apply_to_classes(entry)

    def _apply_to_classes(self, entry: dict[str, Any]) -> None:
        match entry["kind"]:
            case "class":
                at = entry.get("at")
                place = None if at is None else int(at)
                self.naming.set_class(text(entry["name"]), text(entry["color"]), place)
            case "remove_class":
                self.naming.remove_class(text(entry["name"]))
            case "rename_class":
                key, old, new = (text(entry[name]) for name in ("key", "old", "new"))
                self.naming.rename(key, old, new, entry["time"])
                self.reviews.rename_class(key, old, new)
                self._follow_name(old, new)
            case "rename_again":
                self._rename_again(text(entry["key"]), entry["time"], is_void=bool(entry["void"]))
            case "relabel":
                labels = {text(i): text(name) for i, name in mapping(entry["labels"]).items()}
                gift = None if entry.get("key") is None else text(entry["key"])
                self.naming.give(gift, labels, entry["time"])
                self.reviews.class_given(labels)
            case "relabel_again":
                key, void = text(entry["key"]), bool(entry["void"])
                changed = self.naming.take_gift_back(key, entry["time"], is_void=void)
                self.reviews.class_given(changed)
                said = {i: one for i, one in mapping(entry["objects"]).items() if i in changed}
                self.reviews.of_objects(said, entry.get("by"), entry["time"])
            case "attributes":
                attributes = tuple(Attribute.from_json(mapping(a)) for a in entry["attributes"])
                self.reviews.attributes[text(entry["label"])] = attributes
            case "stack":
                self.stacks.set_stack(entry)
                self._mix_images(entry)
            case "things":
                self.stacks.tie(entry["ties"])
            case _:
                pass  # written by a later release of the same format, which may add kinds

    def _rename_again(self, key: str, time: float, *, is_void: bool) -> None:
        renaming = self.naming.take_back(key, time, is_void=is_void)
        if renaming is None:
            return
        if is_void:
            self.reviews.take_back(key, is_merge=renaming.is_merge)
            if not renaming.is_merge:
                self._follow_name(renaming.new, renaming.old)
        else:
            self.reviews.rename_class(key, renaming.old, renaming.new)
            self._follow_name(renaming.old, renaming.new)

    def _follow_name(self, old: str, new: str) -> None:
        """Whoever stopped at a class goes on under its new name, and so does the split by it."""
        self.groups = {
            group: (new if stratum == old else stratum, split)
            for group, (stratum, split) in self.groups.items()
        }
        if self.place.get("label") == old:
            self.place["label"] = new

    def _review(self, entry: dict[str, Any]) -> None:
        by, when = entry.get("by"), entry["time"]
        self.reviews.of_objects(mapping(entry.get("objects", {})), by, when)
        for name, said in mapping(entry.get("images", {})).items():
            fields = mapping(said)
            self.reviews.of_image(name, fields, by, when)
            empty = self.marks.get(name, (False, False))[1]
            if fields.get("state") in {"done", "approved"}:
                self.marks[name] = True, empty
            if fields.get("state") == "to_do":
                self.marks[name] = False, False
            if "done" in fields:  # it takes something back: as it was before
                self.marks[name] = bool(fields["done"]), bool(fields["empty"])

    def _change_base(self, entry: dict[str, Any]) -> None:
        known = None if self.base is None else self.base.sha256
        if entry.get("was", known) != known:
            return  # of two that replace the same one at once, the first is it
        self.base = BaseRef(text(entry["name"]), text(entry["sha256"]))
        # the weights that go with it; the first releases said that in a line of its own
        version = entry.get("use")
        if version is not None and version != self.current_version:
            self._promote(version, entry["time"], {OTHER_BASE: asdict(self.base)})

    def _promote(self, version: object, time: float, report: dict[str, Any]) -> None:
        named = BASE_VERSION if version == BASE_VERSION else version_in(version)
        self.promotions.append(Promotion(named, time, report))

    def _add_image(self, entry: dict[str, Any]) -> None:
        if text(entry["id"]) in self.images:
            return
        group, stratum = text(entry["group"]), entry["stratum"]
        _, split = self.groups.setdefault(group, (stratum, split_in(entry["split"])))
        height, width = entry["shape"]
        if not all(type(side) is int and 0 < side < _LONGEST for side in (height, width)):
            raise ValueError(f"no image has the shape {entry['shape']}")
        self.images[entry["id"]] = ImageRecord(
            id=entry["id"],
            shape=(height, width),
            content_hash=text(entry["content_hash"]),
            group=group,
            split=split,
            path=None if entry["path"] is None else text(entry["path"]),
            stratum=None if stratum is None else text(stratum),
            turn=None if entry.get("turn") is None else orientation_in(entry["turn"]),
            earlier=None if entry.get("earlier") is None else text(entry["earlier"]),
            plane=None if entry.get("plane") is None else PlaneOfFile.from_json(entry["plane"]),
        )
        self._note_turn(entry["id"])

    def _mix_images(self, entry: dict[str, Any]) -> None:
        """Planes become pictures of other channels of their file: masks stay, pixels do not."""
        for name, content in mapping(entry.get("contents") or {}).items():
            record = self.images[name]
            if record.plane is not None:
                plane = replace(record.plane, mix=Mix.from_json(entry["mix"]))
                self.images[name] = replace(record, plane=plane, content_hash=text(content))

    def _turn_image(self, entry: dict[str, Any]) -> None:
        record, orientation = self.images[entry["image"]], orientation_in(entry["orientation"])
        if record.turn is not None:
            return  # said twice, by two programs at once
        self.images[record.id] = replace(
            record,
            shape=turned_shape(record.shape, orientation),
            content_hash=text(entry["content_hash"]),
            turn=orientation,
            earlier=record.content_hash,
        )
        self._note_turn(record.id)

    def _note_turn(self, image_id: str) -> None:
        turn = self.images[image_id].turn
        if turn is not None and turn != UPRIGHT:
            self.turns[image_id] = turn
