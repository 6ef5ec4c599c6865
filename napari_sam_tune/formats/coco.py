"""Reading COCO "instances" files: run lengths, compressed or not, and polygons.

A file, or a folder in the layout of a tool: Roboflow's `train/_annotations.coco.json` beside the
images, or CVAT's `annotations/instances_….json` with an `images` folder.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from napari_sam_tune.core.documents import read_json
from napari_sam_tune.core.errors import ImageError, SamTuneError
from napari_sam_tune.core.exchange.incoming import Dataset, SourceImage, SourceObject
from napari_sam_tune.core.exchange.left_out import FILE, IMAGE, OBJECT, LeftOut
from napari_sam_tune.core.exchange.remarks import REVIEW, from_flat, unpacked
from napari_sam_tune.core.images.names import NamedFiles, absolute, own_name
from napari_sam_tune.core.project.review import Review
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.formats.coco_masks import check_segmentation, decode_segmentation
from napari_sam_tune.formats.coco_out import DESCRIPTION
from napari_sam_tune.formats.exported_folder import Notes, read_notes
from napari_sam_tune.formats.text_files import SPLIT_NAMES, split_named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam_tune.core.exchange.incoming import Location
    from napari_sam_tune.core.project.split import Split

    Row = dict[str, Any]

ROBOFLOW: Final = "_annotations.coco.json"
_CATEGORY: Final = "category that cannot be taken"


@dataclass(frozen=True, kw_only=True)
class CocoImage(SourceImage):
    """An image of a COCO file.

    Attributes:
        size: (H, W) as the file says, or something else in place of a number it does not know.
        annotations: its annotations, as they stand in the file, by id.
        categories: category id to name.

    """

    size: tuple[Any, Any]
    annotations: dict[str, Row]
    categories: dict[str, str]

    def check(self, shape: tuple[int, int]) -> None:
        """Compare sizes."""
        # scripts that do not know the size write 0, or nothing
        if all(isinstance(n, int | float) and n > 0 for n in self.size) and self.size != shape:
            raise ImageError(
                tr(
                    "{name} is {height} × {width} pixels, but its COCO entry says "
                    "{said_height} × {said_width}.",
                    name=self.name,
                    height=shape[0],
                    width=shape[1],
                    said_height=self.size[0],
                    said_width=self.size[1],
                )
            )

    def with_sound_objects(self, shape: tuple[int, int], left_out: LeftOut) -> CocoImage:
        """Keep the annotations whose segmentation can be decoded."""

        def checked(item: tuple[str, Row]) -> tuple[str, Row]:
            key, row = item
            entry = tr("The COCO annotation {key} of {name}", key=key, name=self.name)
            category = _key(row.get("category_id"))
            if category not in self.categories:
                raise SamTuneError(
                    tr(
                        "{entry} has the category_id {said}, which the file does not list.",
                        entry=entry,
                        said=repr(row.get("category_id")),
                    )
                )
            _check_score(row, entry)
            _review(row, entry)
            check_segmentation(row.get("segmentation"), shape, entry)
            return key, row

        sound = dict(left_out.take(OBJECT, self.annotations.items(), checked))
        whole = replace(self, annotations=sound)
        return replace(whole, labels=frozenset(whole.classes))

    def objects(self, shape: tuple[int, int]) -> Iterator[SourceObject]:
        """Decode one annotation after the other."""
        for key, row in self.annotations.items():
            yield SourceObject(
                key,
                decode_segmentation(row["segmentation"], shape),
                self._label(row),
                row.get("score"),
                _record(row),
                review=_review(
                    row, tr("The COCO annotation {key} of {name}", key=key, name=self.name)
                ),
            )

    @property
    def classes(self) -> list[str]:
        """The class of each annotation."""
        return [self._label(row) for row in self.annotations.values()]

    def _label(self, row: Row) -> str:
        return self.categories[_key(row["category_id"])]


def _record(row: Row) -> str | None:
    """Return the id of the record that our own export wrote."""
    attributes = row.get("attributes")
    said = row.get("record", attributes.get("record") if isinstance(attributes, dict) else None)
    return said if isinstance(said, str) and said else None


def _review(row: Row, entry: str) -> Review | None:
    """Return what our own export said of an object; attributes of other programs are theirs."""
    return None if _record(row) is None else from_flat(row.get("attributes"), entry)


def read_coco(location: Location) -> Dataset:
    """Read a COCO "instances" file, or the files of a folder.

    An image without annotations is one without objects. File names are relative to
    `location.images`, or to the file's own folder, or to an `images` folder beside that; where no
    file is there, see `names.NamedFiles`.

    Raises:
        SamTuneError: nothing can be taken; names the entries.

    """
    path = location.path
    if path is None:
        raise SamTuneError(tr("Give the COCO file, or a folder of them."))
    if not path.is_dir():
        return _read_file(path, location.images, f"coco/{path.name}", None, Notes())
    notes, left_out = read_notes(path), LeftOut()
    name = f"coco/{own_name(path)}"

    def read(file: Path) -> Dataset:
        of_file = f"{name}/{file.relative_to(path).as_posix()}"
        split = split_named(file.parent.name if file.name == ROBOFLOW else file.stem)
        return _read_file(file, location.images, of_file, split, notes)

    images: list[SourceImage] = []
    for part in left_out.take(FILE, _files(path), read):
        left_out.join(part.left_out)
        images += part.images
    return notes.dataset(name, images, left_out)


def _files(folder: Path) -> list[Path]:
    """Return the COCO files of a folder in the layout of Roboflow or CVAT."""
    found = sorted((*folder.glob(ROBOFLOW), *folder.glob(f"*/{ROBOFLOW}")))
    found = (
        found or sorted((folder / "annotations").glob("*.json")) or sorted(folder.glob("*.json"))
    )
    if not found:
        raise SamTuneError(
            tr(
                "There is no COCO file in {folder}: no {roboflow} in it or in train, "
                "valid or test, and no JSON file in “annotations”.",
                folder=folder,
                roboflow=ROBOFLOW,
            )
        )
    return found


def _read_file(
    path: Path, images: Path | None, called: str, split: Split | None, notes: Notes
) -> Dataset:
    document, left_out = read_json(path), LeftOut()

    def category(row: Row) -> tuple[str, str]:
        return _key(row.get("id")), _text(
            row, "name", tr("{file}: the category {id}", file=path.name, id=repr(row.get("id")))
        )

    categories = dict(left_out.take(_CATEGORY, _rows(document, "categories", path), category))
    rows = _rows(document, "images", path)
    ids = Counter(_key(row.get("id")) for row in rows)
    of_image = _of_image(_rows(document, "annotations", path), ids, path.name, left_out)
    files, beside = (NamedFiles(images), None) if images else _images_of(path)
    info = document.get("info")
    is_ours = isinstance(info, dict) and info.get("description") == DESCRIPTION

    def read(row: Row) -> CocoImage:
        key = _key(row.get("id"))
        entry = tr("{file}: the image {id}", file=path.name, id=repr(row.get("id")))
        if not key:
            raise SamTuneError(
                tr(
                    "{name}: “images” has the entry {row} without an id.",
                    name=path.name,
                    row=f"{row!r:.80}",
                )
            )
        if ids[key] > 1:
            raise SamTuneError(
                tr("{name}: two of “images” have the id {id}.", name=path.name, id=repr(row["id"]))
            )
        file = files.find(row.get("file_name"), entry, beside=beside)
        name = file.path.relative_to(files.folder)
        image = CocoImage(
            path=file.path,
            name=name.as_posix(),
            said=file.said,
            split=split,
            size=(row.get("height"), row.get("width")),
            annotations=of_image[key],
            categories=categories,
            review=unpacked(row.get(REVIEW), entry, Review.of_image),
        )
        image = _as_it_was(image, row) if is_ours else image
        return notes.named(image, name.with_suffix("").as_posix())

    return Dataset(called, left_out.take(IMAGE, rows, read), left_out)


def _as_it_was(image: CocoImage, row: Row) -> CocoImage:
    """Return an image of our own export with the group and split that it had in its project."""
    group, split = row.get("group"), row.get("split")
    return replace(
        image,
        group=group if isinstance(group, str) and group else None,
        split=SPLIT_NAMES.get(split, image.split) if isinstance(split, str) else image.split,
    )


def _of_image(
    rows: list[Row], images: Counter[str], file: str, left_out: LeftOut
) -> defaultdict[str, dict[str, Row]]:
    """Return the annotations of each image by their ids, which converters may have left out."""
    found: defaultdict[str, dict[str, Row]] = defaultdict(dict)
    for number, row in enumerate(rows):
        image = _key(row.get("image_id"))
        if image not in images:
            named = repr(row.get("id", f"at place {number}"))
            entry = tr("{file}: the annotation {id}", file=file, id=named)
            said = (
                f"{entry} has the image_id {row.get('image_id')!r}, which the file does not list."
            )
            left_out.add(OBJECT, said)
            continue
        key = _key(row.get("id")) or f"#{number}"
        found[image][f"{key}#{number}" if key in found[image] else key] = row
    return found


def _images_of(path: Path) -> tuple[NamedFiles, Path | None]:
    """Return where a file's images are, beside it or as CVAT or COCO has them, see `find`."""
    folder = absolute(path).parent
    if folder.name != "annotations":
        return NamedFiles(path.parent), None
    images = folder.parent / "images"
    return (NamedFiles(images), None) if images.is_dir() else (NamedFiles(folder.parent), folder)


def _key(value: object) -> str:
    """Return an id as a text, by which 1, 1.0 and "1" are the same; "" where it is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""


def _rows(document: Row, key: str, path: Path) -> list[Row]:
    rows = document.get(key)
    if not isinstance(rows, list):
        raise SamTuneError(
            tr(
                "{path} has no list “{key}”, so it is not a COCO instances file.",
                path=path,
                key=key,
            )
        )
    return [row if isinstance(row, dict) else {} for row in rows]


def _text(row: Row, key: str, entry: str) -> str:
    value = row.get(key)
    if isinstance(value, int):
        value = str(value)
    if not isinstance(value, str) or not value:
        raise SamTuneError(tr("{entry} has no {key}.", entry=entry, key=key))
    return value


def _check_score(row: Row, entry: str) -> None:
    score = row.get("score")
    if score is not None and not (isinstance(score, int | float) and math.isfinite(score)):
        raise SamTuneError(
            tr("{entry} has the score {score}, which is no number.", entry=entry, score=repr(score))
        )
