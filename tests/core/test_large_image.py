"""Large images are read in windows, and what a window shows is what the whole image would."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import dask.array
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_sam_tune.core.errors import ImageError, ProjectError
from napari_sam_tune.core.exchange.outgoing import images_out, selection
from napari_sam_tune.core.images import large_image
from napari_sam_tune.core.images.files import content_hash, read_image, to_rgb8
from napari_sam_tune.core.images.large_image import LargeImage, as_large
from napari_sam_tune.core.images.large_source import SlicedSource
from napari_sam_tune.core.images.opening import open_image
from napari_sam_tune.core.images.overview import averaged
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.formats import label_images_out, ome_zarr_out
from napari_sam_tune.formats.exporting import export
from napari_sam_tune.formats.registry import format_named
from napari_sam_tune.formats.writer import ExportOptions

if TYPE_CHECKING:
    from pathlib import Path

_TIFFS: dict[str, dict[str, Any]] = {
    "mapped": {},
    "tiled": {"tile": (64, 48)},
    "strips": {"rowsperstrip": 7, "compression": "zlib"},
    "packed tiles": {"tile": (32, 64), "compression": "zlib", "predictor": True},
    "BigTIFF": {"tile": (32, 32), "bigtiff": True, "byteorder": ">"},
    "colours apart": {"tile": (64, 64), "planarconfig": "separate"},
    "white is zero": {"tile": (32, 32), "photometric": "miniswhite"},
    "OME": {"tile": (32, 32), "ome": True},
    "turned": {"extratags": [(274, 3, 1, 6, True)]},
}
_OTHERS = ("PNG", "zarr 2", "zarr 3", "OME-Zarr")


@pytest.fixture(autouse=True)
def few_pixels_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images of these tests are small."""
    monkeypatch.setattr(large_image, "LARGE_PIXELS", 10_000)
    monkeypatch.setattr(large_image, "_OVERVIEW_SIDE", 100)
    monkeypatch.setattr(large_image, "_OVERVIEW_BYTES", 5_000)


def _image(seed: int, channels: int, dtype: str) -> np.ndarray:
    """Return 301 × 257 px of a smooth surface with some noise on it."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:301, :257]
    waves = np.sin(y / 23 + seed) * np.cos(x / 31)
    values = 120 + 90 * waves + random.integers(-9, 10, (301, 257))
    many = np.stack([values, values[::-1], values[:, ::-1]], axis=-1)[..., :channels]
    pixels = many[..., 0] if channels == 1 else many
    if dtype == "bool":
        return pixels > 120
    return (pixels * (1 if dtype == "uint8" else 17.25)).astype(dtype)


def _written(folder: Path, kind: str, pixels: np.ndarray) -> Path:
    if kind == "PNG":
        Image.fromarray(pixels).save(folder / "image.png")
        return folder / "image.png"
    bands = pixels if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    if kind in _OTHERS:
        path = folder / "image.zarr"
        if kind != "OME-Zarr":
            chunks = (*bands.shape[:-2], 50, 60)
            version = 2 if kind == "zarr 2" else 3
            array = zarr.create_array(
                path, shape=bands.shape, chunks=chunks, dtype=bands.dtype, zarr_format=version
            )
            array[...] = bands
            return path
        group = zarr.create_group(path, zarr_format=3)
        axes = [{"name": name} for name in "cyx"[-bands.ndim :]]
        names = []
        for number, step in enumerate((1, 2, 4)):
            level = averaged(pixels, step)
            level = level if level.ndim == 2 else np.moveaxis(level, -1, 0)
            array = group.create_array(
                str(number), shape=level.shape, chunks=level.shape, dtype=level.dtype
            )
            array[...] = level
            names.append({"path": str(number)})
        group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": names}]}
        return path
    options = dict(_TIFFS[kind])
    options.setdefault("photometric", "minisblack" if pixels.ndim == 2 else "rgb")
    is_apart = options.get("planarconfig") == "separate"
    path = folder / ("image.ome.tif" if options.get("ome") else "image.tif")
    tifffile.imwrite(path, bands if is_apart else pixels, **options)
    return path


def _opened(path: Path) -> LargeImage:
    found = open_image(path)
    assert isinstance(found, LargeImage)
    return found


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from((*_TIFFS, *_OTHERS)),
    dtype=st.sampled_from(("uint8", "uint16", "float32", "bool")),
    channels=st.sampled_from((1, 3)),
    seed=st.integers(0, 9),
    corners=st.tuples(*[st.integers(0, 301)] * 4),
    side=st.integers(5, 90),
    step=st.integers(1, 9),
)
def test_windows_are_the_pixels_that_the_whole_image_has(
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    dtype: str,
    channels: int,
    seed: int,
    corners: tuple[int, int, int, int],
    side: int,
    step: int,
) -> None:
    is_odd = (
        (channels == 3 and (dtype == "bool" or kind == "white is zero"))
        or (channels == 1 and kind == "colours apart")
        or (kind == "PNG" and (dtype == "float32" or (dtype != "uint8" and channels == 3)))
        or ("packed" in kind and dtype in ("float32", "bool"))  # by what is not installed
        or (kind == "OME" and dtype == "bool")
    )
    if is_odd:
        dtype, channels, kind = "uint16", 1, "tiled"
    pixels = _image(seed, channels, dtype)
    path = _written(tmp_path_factory.mktemp("large"), kind, pixels)
    image = _opened(path)
    expected = pixels if "arr" in kind else read_image(path)

    assert (image.shape, image.dtype) == (expected.shape, expected.dtype)
    y0, y1 = sorted(corners[:2])
    x0, x1 = sorted(corners[2:])
    part = expected[y0:y1, x0:x1]
    assert np.array_equal(image.read((y0, x0, y1, x1)), part)
    strided = image.read((y0, x0, y1, x1), step)
    assert strided.shape == expected[y0:y1:step, x0:x1:step].shape
    if kind != "OME-Zarr":
        assert np.array_equal(strided, expected[y0:y1:step, x0:x1:step])
    if not part.size:
        return
    seen = image.rgb((y0, x0, y1, x1))
    assert np.array_equal(seen, to_rgb8(part, image.limits))
    small = image.rgb((y0, x0, y1, x1), side)
    assert max(small.shape[:2]) == min(side, max(part.shape[:2]))
    # of true and false the mean is not kept; at its edges a window has pixels of copies in part
    if dtype != "bool" and min(small.shape[:2]) > 8:
        again = Image.fromarray(seen).resize(small.shape[1::-1], Image.Resampling.BOX)
        # one pixel off would be 30 and more
        assert np.abs(np.asarray(again, np.int16) - small).mean() < 16


def test_the_same_pixels_have_the_same_name_whatever_holds_them(tmp_path: Path) -> None:
    pixels = _image(3, 1, "uint8")
    names = set()
    for kind in ("mapped", "packed tiles", "BigTIFF", "OME", "PNG", "zarr 2", "OME-Zarr"):
        (tmp_path / kind).mkdir()
        names.add(_opened(_written(tmp_path / kind, kind, pixels)).content_hash)
    assert len(names) == 1
    pixels[17, 23] ^= 1
    assert _opened(_written(tmp_path, "tiled", pixels)).content_hash not in names
    assert _opened(_written(tmp_path, "tiled", pixels.astype("uint16"))).content_hash not in names


def test_what_a_viewer_shows_is_there_at_once_and_whole_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_image, "_FIRST_SECONDS", 0)
    monkeypatch.setattr(large_image, "_SECONDS", 0)
    pixels = _image(1, 1, "uint16")
    image = _opened(_written(tmp_path, "tiled", pixels))
    *finer, coarsest = image.levels
    assert [level.shape for level in finer][:2] == [(301, 257), (151, 129)]
    assert np.array_equal(finer[1][20:60, 30:50:2], averaged(pixels, 2)[20:60, 30:50:2])
    factor = round(coarsest.factor[0])
    expected = averaged(pixels, factor)

    first = coarsest[...]
    assert first.shape == expected.shape
    assert first.all()  # each part stands for its neighbours that are not there yet
    assert not np.array_equal(first, expected)
    while not image.fill(0):
        pass
    assert np.abs(coarsest[...].astype(int) - expected).max() <= 2  # a mean of rounded means
    assert image.levels[0][300, -1] == pixels[300, -1]


def test_levels_of_the_file_are_read_where_they_are_enough(tmp_path: Path) -> None:
    pixels = _image(2, 1, "uint8")
    path = tmp_path / "pyramid.tif"
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(pixels, tile=(32, 32), subifds=2, photometric="minisblack")
        for step in (2, 4):
            tiff.write(255 - averaged(pixels, step), tile=(32, 32), subfiletype=1)
    image = _opened(path)
    assert [level.shape for level in image.levels] == [(301, 257), (151, 129), (76, 65)]
    whole = (0, 0, 301, 257)
    assert np.array_equal(image.read(whole, 2), 255 - averaged(pixels, 2))
    again = to_rgb8(255 - averaged(pixels, 4))
    assert np.abs(image.rgb(whole, 76).astype(int) - again).mean() < 2


def test_what_cannot_be_read_in_parts_is_refused_or_decoded_whole(tmp_path: Path) -> None:
    def refusal(path: Path) -> str:
        with pytest.raises(ImageError) as caught:
            _opened(path).rgb((0, 0, 301, 257))
        return str(caught.value)

    pixels = _image(2, 1, "uint8")
    stack = tmp_path / "stack.tif"
    tifffile.imwrite(stack, np.stack([pixels, pixels]), tile=(64, 64), photometric="minisblack")
    assert "stack of planes" in refusal(stack)

    # a bomb: a tile that unpacks to 268 MB
    bomb = tmp_path / "bomb.tif"
    packed = zlib.compress(bytes(1 << 28), 9)
    whole = {"shape": pixels.shape, "dtype": "uint8", "photometric": "minisblack"}
    tifffile.imwrite(bomb, iter([packed]), tile=(304, 304), compression="zlib", **whole)
    assert "hides far more" in refusal(bomb)

    cut = tmp_path / "cut.tif"
    tifffile.imwrite(cut, pixels, tile=(64, 64), compression="zlib", photometric="minisblack")
    cut.write_bytes(cut.read_bytes()[:-9000])
    assert "damaged" in refusal(cut)

    claims = tmp_path / "claims.zarr"
    zarr.create_array(claims, shape=(1 << 22, 1 << 22), chunks=(64, 64), dtype="uint8")
    assert "are the most that is read" in refusal(claims)
    stacked = tmp_path / "stacked.zarr"
    zarr.create_array(stacked, shape=(7, 301, 257), chunks=(1, 64, 64), dtype="uint8")
    assert "7 × 301 × 257 along cyx" in refusal(stacked)
    chunk = tmp_path / "chunk.zarr"
    zarr.create_array(chunk, shape=(30_000, 30_000), chunks=(30_000, 30_000), dtype="uint8")
    assert "in chunks of 900 MB" in refusal(chunk)
    (tmp_path / "folder").mkdir()
    assert "neither a zarr array" in refusal(tmp_path / "folder")

    changed = _opened(_written(tmp_path, "tiled", pixels))
    _written(tmp_path, "BigTIFF", 255 - pixels)
    with pytest.raises(ImageError, match="was changed while it was open"):
        changed.read((0, 0, 9, 9))
    with pytest.raises(TypeError, match="ask for a window"):
        np.asarray(changed)


def test_a_project_knows_a_large_image_by_what_is_in_it(tmp_path: Path) -> None:
    pixels = _image(4, 1, "uint8")
    folder = tmp_path / "images"
    folder.mkdir()
    file = _written(folder, "tiled", pixels)
    project = Project.open(tmp_path / "work.project")
    # as a release before this one registered it: by all of its pixels
    project.add_image("early", shape=(301, 257), content_hash=content_hash(pixels), path=file)
    record = project.register(_opened(file), "late", path=file)

    for image_id in ("early", "late"):
        image = project.open_image(image_id)
        assert isinstance(image, LargeImage)
        assert np.array_equal(image.read((7, 8, 30, 50)), pixels[7:30, 8:50])
        assert np.array_equal(project.read_image(image_id), pixels)
    with pytest.raises(ProjectError, match="Save it as TIFF or OME-Zarr"):
        project.register(_opened(file), "nowhere")
    kept = project.register(as_large(pixels.copy()), "kept")
    assert kept.path is None
    assert np.array_equal(project.read_image("kept"), pixels)

    file.unlink()
    with pytest.raises(ProjectError, match="not at"):
        project.open_image("late")
    moved = tmp_path / "moved"
    moved.mkdir()
    _written(moved, "OME-Zarr", pixels)
    assert project.relink(moved) == ["early", "late"]
    assert project.image("late").path == "../moved/image.zarr"
    assert project.image("late").content_hash == record.content_hash
    assert np.array_equal(project.read_image("late"), pixels)


def test_what_an_image_looks_like_from_afar_is_kept_and_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, pixels = tmp_path / "a.tif", _image(3, 1, "uint16")
    tifffile.imwrite(path, pixels, tile=(64, 64))
    project = Project.open(tmp_path / "p")
    project.register(open_image(path), "a", path=path)
    first = project.open_image("a")
    assert isinstance(first, LargeImage)
    assert first.fill(60)
    (kept,) = (project.path / "overviews").iterdir()
    again = project.open_image("a")
    assert isinstance(again, LargeImage)
    read = list[int]()
    monkeypatch.setattr(again._source, "read", lambda *_: read.append(1))
    np.testing.assert_array_equal(again.levels[-1][...], first.levels[-1][...])
    assert not read
    data = bytearray(kept.read_bytes())
    data[5] ^= 1
    kept.write_bytes(data)
    mended = project.open_image("a")
    assert isinstance(mended, LargeImage)
    assert mended.fill(60)
    np.testing.assert_array_equal(mended.levels[-1][...], first.levels[-1][...])
    assert kept.read_bytes() != data


@pytest.mark.parametrize("name", ["labels-tiff", "semantic-tiff", "ome-zarr", "table"])
def test_what_goes_out_of_a_large_image_is_what_goes_out_of_a_small_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    pixels = _image(6, 3, "uint8")
    file = _written(tmp_path, "tiled", pixels)
    project = Project.open(tmp_path / "work.project")
    project.add_image("image.tif", shape=(301, 257), content_hash=content_hash(pixels), path=file)
    rows, columns = np.mgrid[:301, :257]
    for y, x, radius in ((40, 50, 30), (60, 70, 25), (62, 72, 4), (250, 200, 60), (62, 72, 9)):
        mask = (rows - y) ** 2 + (columns - x) ** 2 <= radius**2
        project.add(NewAnnotation("image.tif", mask, "pit" if radius < 20 else "dent"))

    written = []
    for limit in (1e9, 10_000):
        for module in (label_images_out, ome_zarr_out, large_image):
            monkeypatch.setattr(module, "LARGE_PIXELS", limit)
        out = tmp_path / f"out {limit:.0f}"
        if name == "table":
            out = out.with_suffix(".csv")
        options = ExportOptions(copy_images=name == "ome-zarr")
        report = export(
            format_named(name),
            images_out(project),
            selection(project).classes,
            out,
            options=options,
        )
        written.append((_read(out), report.losses))
    (one, lost), (other, lost_of_other) = written
    assert lost == lost_of_other
    assert len(one) == len(other) > 0
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def _read(out: Path) -> list[Any]:
    """Return what is in a file, or in all files of a folder, by their names."""
    if out.is_file():
        return out.read_text(encoding="utf-8").splitlines()
    tiffs = [tifffile.imread(path) for path in sorted(out.rglob("*.tif"))]
    names = ("0", "labels/objects/0")
    zarrs = [zarr.open_array(path / name) for path in out.glob("*.zarr") for name in names]
    return tiffs + [array[...] for array in zarrs]


def test_arrays_of_others_are_read_by_what_is_sliced() -> None:
    pixels = np.stack([_image(n, 3, "uint8") for n in (1, 2)])
    read: list[tuple[int, ...]] = []

    def chunk(block: np.ndarray) -> np.ndarray:
        read.append(block.shape)
        return block

    chunks = 1, 64, 64, 3
    arrays = [dask.array.from_array(pixels[:, ::s, ::s], chunks) for s in (1, 4)]
    levels = [array.map_blocks(chunk, dtype="uint8") for array in arrays]
    image = LargeImage(SlicedSource(levels, (1,), (3,)), "layer")
    assert image.shape == (301, 257, 3)
    read.clear()
    assert np.array_equal(image.read((70, 70, 90, 90)), pixels[1, 70:90, 70:90])
    assert len([shape for shape in read if 0 not in shape]) == 1
    assert np.array_equal(image.read((0, 0, 301, 257), 4), pixels[1, ::4, ::4])
    assert image.content_hash == as_large(pixels[1]).content_hash
