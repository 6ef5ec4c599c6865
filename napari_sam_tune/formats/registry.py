"""Every format that masks come in and go out in: its name, reader, writer, and what they need."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final
from zipfile import is_zipfile

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.exchange.labelled_images import SMALLEST_OBJECT, manifest_rows
from napari_sam_tune.core.exchange.left_out import IMAGE
from napari_sam_tune.core.images.names import paired, stem_of
from napari_sam_tune.core.texts.wording import mark, tr

if TYPE_CHECKING:
    from napari_sam_tune.core.exchange.incoming import Dataset, Location, SourceImage
    from napari_sam_tune.formats.writer import Writer

_OPTIONS: Final = {
    "path": "--from",
    "images": "--images",
    "masks": "--masks",
    "manifest": "--manifest",
    "class_column": "--class-column",
    "group_column": "--group-column",
}


@dataclass(frozen=True)
class Format:
    """A format of labelled data.

    Attributes:
        name: as people type it.
        title: as a menu or dialog calls it.
        reader: "module:function" of a function from `Location` to `Dataset`; imported when used.
            None where nothing is read from it.
        needs: the parts of a `Location` its reader cannot do without.
        takes: the parts it understands beside those.
        smallest: objects of fewer pixels are specks of the format's own making.
        extra: what to install beside the package, or None.
        writer: "module:function" of an `writer.Writer`; None where nothing is written in it.
        suffix: of the file that is written, ".json"; "" where it is a folder.
        of_stacks: it holds what a project knows of its stacks, so that a layer alone, which napari
            itself saves as a volume, is not written in it.

    """

    name: str
    title: str
    reader: str | None = None
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    smallest: int = 1
    extra: str | None = None
    writer: str | None = None
    suffix: str = ""
    of_stacks: bool = False

    def read(self, location: Location) -> Dataset:
        """Read a data set; its masks are read later, one by one.

        Raises:
            SamTuneError: something needed is missing, something given is not understood, or the
                data set is malformed.

        """
        if self.reader is None:
            raise SamTuneError(f"Masks go out as {self.name}, but do not come in from it.")
        self._check(location)
        dataset = _plainly_named(self._loaded(self.reader)(location))
        if not dataset.images:
            raise SamTuneError(tr("There is no image in {path}.", path=location.path))
        return dataset if "masks" in self.needs else _grouped(dataset, location)

    def load_writer(self) -> Writer:
        """Return the function that writes it.

        Raises:
            SamTuneError: nothing is written in it, or a package is missing.

        """
        if self.writer is None:
            names = ", ".join(known.name for known in FORMATS.values() if known.writer)
            raise SamTuneError(f"Masks come in from {self.name}, but go out as {names}.")
        loaded: Writer = self._loaded(self.writer)
        return loaded

    def _loaded(self, function: str) -> Any:
        module, name = function.split(":")
        try:
            return getattr(import_module(module), name)
        except ModuleNotFoundError as error:
            if self.extra is None:
                raise
            raise SamTuneError(
                tr(
                    "The format {format} needs {package}, which is not installed: "
                    'pip install "napari-sam-tune[{extra}]"',
                    format=self.name,
                    package=error.name,
                    extra=self.extra,
                )
            ) from error

    def _check(self, location: Location) -> None:
        for part, option in _OPTIONS.items():
            given = getattr(location, part) is not None
            if part in self.needs and not given:
                raise SamTuneError(f"The format {self.name} needs {option}.")
            if given and part not in self.needs + self.takes:
                raise SamTuneError(f"The format {self.name} takes no {option}.")
        for place in (location.path, location.images, location.masks):
            if place is not None and place.is_file() and is_zipfile(place):
                raise SamTuneError(
                    f"{place} is a zip archive. Unpack it where its images may stay, for they are "
                    "not copied, and give that folder."
                )
        if location.group_column is not None and location.manifest is None:
            raise SamTuneError("--group-column names a column of the --manifest: give both.")


def _plainly_named(dataset: Dataset) -> Dataset:
    """Call images by their file names alone, as a folder opened in the dock does, if these differ.

    Where they do not, the folders stay in the names.
    """
    if dataset.named or len({image.path.name for image in dataset.images}) < len(dataset.images):
        return dataset
    return replace(dataset, images=[replace(i, name=i.path.name) for i in dataset.images])


def _grouped(dataset: Dataset, location: Location) -> Dataset:
    """Give the images the groups that a manifest knows them by."""
    if location.manifest is None:
        return dataset
    rows = manifest_rows(location.manifest, None, location.group_column)

    def with_group(image: SourceImage) -> SourceImage:
        name = stem_of(image.path.name)
        row = paired((name,), rows).get(name)
        if row is None:
            raise SamTuneError(f"{location.manifest} has no row for the image {image.path.name}.")
        return replace(image, group=row[1])

    images = dataset.left_out.take(IMAGE, dataset.images, with_group)
    return replace(dataset, images=images)


_HERE: Final = "napari_sam_tune.formats"

FORMATS: Final = {
    known.name: known
    for known in (
        Format(
            "folder",
            mark("folders of images and masks"),
            reader=f"{_HERE}.folder:read_folder",
            needs=("images", "masks"),
            takes=("manifest", "class_column", "group_column"),
            smallest=SMALLEST_OBJECT,
        ),
        Format(
            "coco",
            mark("COCO, run lengths"),
            reader=f"{_HERE}.coco:read_coco",
            needs=("path",),
            takes=("images", "manifest", "group_column"),
            writer=f"{_HERE}.coco_out:write_coco",
            suffix=".json",
        ),
        Format(
            "coco-polygons",
            mark("COCO, polygons"),
            reader=f"{_HERE}.coco:read_coco",
            needs=("path",),
            takes=("images", "manifest", "group_column"),
            writer=f"{_HERE}.coco_out:write_coco_polygons",
            suffix=".json",
        ),
        Format(
            "cvat",
            mark("COCO for CVAT"),
            reader=f"{_HERE}.coco:read_coco",
            needs=("path",),
            takes=("images", "manifest", "group_column"),
            writer=f"{_HERE}.coco_out:write_cvat",
            suffix=".json",
        ),
        Format(
            "cvat-xml",
            mark("CVAT for images 1.1"),
            reader=f"{_HERE}.cvat_xml:read_cvat_xml",
            needs=("path",),
            takes=("images", "manifest", "group_column"),
            writer=f"{_HERE}.cvat_xml_out:write_cvat_xml",
        ),
        Format(
            "roboflow",
            mark("COCO for Roboflow"),
            reader=f"{_HERE}.coco:read_coco",
            needs=("path",),
            takes=("images", "manifest", "group_column"),
            writer=f"{_HERE}.roboflow_out:write_roboflow",
        ),
        Format(
            "cellpose",
            mark("Cellpose"),
            reader=f"{_HERE}.cellpose:read_cellpose",
            needs=("path",),
            takes=("images", "manifest", "group_column"),
            writer=f"{_HERE}.cellpose_out:write_cellpose",
        ),
        Format(
            "yolo",
            mark("YOLO segmentation"),
            reader=f"{_HERE}.yolo:read_yolo",
            needs=("path",),
            takes=("images", "manifest", "group_column"),
            writer=f"{_HERE}.yolo_out:write_yolo",
        ),
        Format(
            "labels",
            mark("label images, PNG"),
            reader=f"{_HERE}.label_images:read_labels",
            needs=("path", "images"),
            writer=f"{_HERE}.label_images_out:write_label_pngs",
        ),
        Format(
            "labels-tiff",
            mark("label images, TIFF"),
            reader=f"{_HERE}.label_images:read_labels",
            needs=("path", "images"),
            writer=f"{_HERE}.label_images_out:write_label_tiffs",
        ),
        Format(
            "semantic",
            mark("class images, PNG"),
            reader=f"{_HERE}.label_images:read_semantic",
            needs=("path", "images"),
            writer=f"{_HERE}.label_images_out:write_semantic_pngs",
        ),
        Format(
            "semantic-tiff",
            mark("class images, TIFF"),
            reader=f"{_HERE}.label_images:read_semantic",
            needs=("path", "images"),
            writer=f"{_HERE}.label_images_out:write_semantic_tiffs",
        ),
        Format(
            "voc",
            mark("Pascal VOC"),
            reader=f"{_HERE}.voc:read_voc",
            needs=("path",),
            takes=("images", "manifest", "group_column"),
            writer=f"{_HERE}.voc_out:write_voc",
        ),
        Format(
            "labelme",
            mark("labelme"),
            reader=f"{_HERE}.labelme:read_labelme",
            needs=("path",),
            takes=("images", "manifest", "group_column"),
            writer=f"{_HERE}.labelme_out:write_labelme",
        ),
        Format(
            "binary",
            mark("one PNG for each object"),
            reader=f"{_HERE}.binary:read_binary",
            needs=("path",),
            takes=("images", "manifest", "group_column"),
            writer=f"{_HERE}.binary:write_binary",
        ),
        Format(
            "ome-zarr",
            mark("OME-Zarr 0.5 labels"),
            reader=f"{_HERE}.ome_zarr:read_ome_zarr",
            needs=("path",),
            takes=("images", "manifest", "group_column"),
            writer=f"{_HERE}.ome_zarr_out:write_ome_zarr",
        ),
        Format(
            "ome-zarr-0.4",
            mark("OME-Zarr 0.4 labels"),
            reader=f"{_HERE}.ome_zarr:read_ome_zarr",
            needs=("path",),
            takes=("images", "manifest", "group_column"),
            writer=f"{_HERE}.ome_zarr_out:write_ome_zarr_04",
        ),
        Format(
            "volumes",
            mark("label volumes of stacks, TIFF"),
            writer=f"{_HERE}.volumes_out:write_volumes",
            of_stacks=True,
        ),
        Format(
            "volumes-zarr",
            mark("label volumes of stacks, OME-Zarr"),
            writer=f"{_HERE}.volumes_out:write_volumes_zarr",
            of_stacks=True,
        ),
        Format(
            "geojson",
            mark("GeoJSON polygons"),
            reader=f"{_HERE}.geojson:read_geojson",
            needs=("path",),
            takes=("images", "class_column", "manifest", "group_column"),
            extra="geo",
            writer=f"{_HERE}.geojson_out:write_geojson",
        ),
        Format(
            "qupath",
            mark("GeoJSON for QuPath"),
            reader=f"{_HERE}.geojson:read_geojson",
            needs=("path",),
            takes=("images", "class_column", "manifest", "group_column"),
            extra="geo",
            writer=f"{_HERE}.geojson_out:write_qupath",
        ),
        Format(
            "table",
            mark("table of measures, CSV"),
            writer=f"{_HERE}.object_table:write_table",
            suffix=".csv",
        ),
        Format(
            "csv",
            mark("CSV list of images and masks"),
            reader=f"{_HERE}.csv_list:read_csv_list",
            needs=("path",),
            takes=("images", "masks"),
            smallest=SMALLEST_OBJECT,
        ),
    )
}


def format_named(name: str) -> Format:
    """Return a format by its name.

    Raises:
        SamTuneError: there is none of that name.

    """
    if name not in FORMATS:
        raise SamTuneError(f"{name!r} is not a format; known are {', '.join(FORMATS)}.")
    return FORMATS[name]
