"""Images in: what is read, what is refused, and what the encoder gets to see."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.images.files import (
    content_hash,
    list_images,
    read_image,
    spatial_shape,
    to_rgb8,
)
from napari_sam_tune.core.images.header import image_shape

if TYPE_CHECKING:
    from pathlib import Path

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (21, 34, 3), np.uint8)
DEEP = RNG.integers(0, 65536, (21, 34), np.uint16)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".tif"])
@pytest.mark.parametrize("pixels", [RGB, RGB[:, :, 0]], ids=["rgb", "grey"])
def test_lossless_files_are_read_exactly(tmp_path: Path, suffix: str, pixels: np.ndarray) -> None:
    file = tmp_path / f"Riß im Stück 裂纹{suffix}"
    options = {"lossless": True, "exact": True} if suffix == ".webp" else {}
    Image.fromarray(pixels).save(file, **options)
    back = read_image(file)
    expected = np.dstack([pixels] * 3) if suffix == ".webp" and pixels.ndim == 2 else pixels
    assert back.dtype == np.uint8
    assert np.array_equal(back, expected)


def test_depth_and_odd_kinds_survive(tmp_path: Path) -> None:
    Image.fromarray(DEEP).save(tmp_path / "deep.png")
    assert np.array_equal(read_image(tmp_path / "deep.png"), DEEP)

    for name, pixels in {
        "deep": DEEP,
        "float": DEEP / 7.0,
        "colour": np.dstack([DEEP] * 3),
    }.items():
        tifffile.imwrite(tmp_path / f"{name}.tif", pixels)
        assert np.array_equal(read_image(tmp_path / f"{name}.tif"), pixels)

    Image.fromarray(RGB[:, :, 0] > 99).save(tmp_path / "bool.png")
    assert np.array_equal(read_image(tmp_path / "bool.png"), RGB[:, :, 0] > 99)

    palette = Image.fromarray(RGB).quantize(16)
    palette.save(tmp_path / "palette.png")
    assert np.array_equal(read_image(tmp_path / "palette.png"), np.asarray(palette.convert("RGB")))

    Image.fromarray(RGB).save(tmp_path / "lzw.tif", compression="tiff_lzw")
    assert np.array_equal(read_image(tmp_path / "lzw.tif"), RGB)


def test_16_bit_colour_png_keeps_its_depth(tmp_path: Path) -> None:
    deep_colour = RNG.integers(0, 65536, (5, 6, 3), np.uint16)
    (tmp_path / "a.png").write_bytes(_png_16_bit_rgb(deep_colour))
    assert np.array_equal(read_image(tmp_path / "a.png"), deep_colour)


def _png_16_bit_rgb(pixels: np.ndarray) -> bytes:
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    )


def test_what_is_not_an_image_is_refused_in_plain_words(tmp_path: Path) -> None:
    whole = tmp_path / "whole.jpg"
    Image.fromarray(RNG.integers(0, 256, (200, 300, 3), np.uint8)).save(whole)
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(whole.read_bytes()[:5000])
    text = tmp_path / "text.png"
    text.write_text("Dear colleague, the picture is attached.")
    empty = tmp_path / "empty.tif"
    empty.touch()
    tifffile.imwrite(tmp_path / "whole.tif", DEEP)
    cut_tiff = tmp_path / "cut.tif"
    cut_tiff.write_bytes((tmp_path / "whole.tif").read_bytes()[:300])
    for damaged in (cut, text, empty, cut_tiff):
        with pytest.raises(ImageError, match=damaged.name):
            read_image(damaged)
    with pytest.raises(ImageError, match=r"no image file .*gone\.png"):
        read_image(tmp_path / "gone.png")


def test_listing_is_natural_quick_and_opens_nothing(tmp_path: Path) -> None:
    for number in range(10_000):
        (tmp_path / f"part {number}.PNG").touch()  # empty: opening one would fail
    (tmp_path / "notes.txt").touch()
    (tmp_path / ".hidden.png").touch()
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "ä.webp").touch()
    start = time.perf_counter()
    found = list_images(tmp_path)
    assert time.perf_counter() - start < 2
    assert [file.name for file in found[:3]] == ["part 0.PNG", "part 1.PNG", "part 2.PNG"]
    assert len(found) == 10_000
    assert len(list_images(tmp_path, recursive=True)) == 10_001
    with pytest.raises(ImageError, match="cannot be read"):
        list_images(tmp_path / "nowhere")


NUMERIC = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(),
    hnp.unsigned_integer_dtypes(),
    hnp.floating_dtypes(),
)
SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda side: st.sampled_from([side, (*side, 1), (*side, 2), (*side, 3), (*side, 4)])
)


@settings(max_examples=300)
@given(hnp.arrays(NUMERIC, SHAPES))
def test_any_image_becomes_8_bit_rgb_of_its_size(image: np.ndarray) -> None:
    before = image.copy()
    rgb = to_rgb8(image)
    assert rgb.dtype == np.uint8
    assert rgb.shape == (*image.shape[:2], 3)
    assert rgb.flags.c_contiguous
    assert np.array_equal(before, image, equal_nan=image.dtype.kind == "f")


@settings(max_examples=100)
@given(hnp.arrays(NUMERIC, st.tuples(st.integers(1, 9), st.integers(5, 9), st.integers(3, 3))))
def test_layouts_of_one_image_look_the_same(image: np.ndarray) -> None:
    rgb = to_rgb8(image)
    alpha = np.ones_like(image[:, :, :1])
    assert np.array_equal(to_rgb8(np.concatenate([image, alpha], axis=2)), rgb)
    if image.shape[1] > 4:
        assert np.array_equal(to_rgb8(np.moveaxis(image, -1, 0)), rgb)
    grey = image[:, :, 0]
    assert np.array_equal(to_rgb8(grey), to_rgb8(np.dstack([grey] * 3)))


def test_stretch_comes_from_the_data() -> None:
    assert np.array_equal(to_rgb8(RGB), RGB)
    ramp = np.linspace(-3, 12, 10_000).reshape(100, 100)
    stretched = to_rgb8(ramp)[:, :, 0]
    assert (stretched.min(), stretched.max()) == (0, 255)
    assert (np.diff(stretched.ravel().astype(int)) >= 0).all()

    broken = ramp.copy()
    broken[0, :3] = np.nan, np.inf, -np.inf
    assert to_rgb8(broken)[0, :3, 0].tolist() == [0, 255, 0]
    assert np.abs(to_rgb8(broken)[1:].astype(int) - to_rgb8(ramp)[1:]).max() <= 1

    for constant in (np.full((4, 5), 7, np.uint16), np.full((4, 5), np.nan), np.zeros((1, 1))):
        assert (to_rgb8(constant) == 128).all()
    few = np.zeros((200, 200), np.uint16)
    few[7, 9] = 3
    assert to_rgb8(few)[7, 9].tolist() == [255] * 3
    assert to_rgb8(np.array([[False, True]]))[0, :, 0].tolist() == [0, 255]


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros(5),
        np.zeros((2, 3, 4, 5)),
        np.zeros((0, 4)),
        np.zeros((6, 7, 8)),
        np.zeros((4, 4), complex),
        np.array([["a"]]),
    ],
    ids=["line", "4d", "empty", "stack", "complex", "text"],
)
def test_what_cannot_be_an_image_is_refused(wrong: np.ndarray) -> None:
    for take in (to_rgb8, spatial_shape):
        with pytest.raises(ImageError):
            take(wrong)


def test_a_tiff_of_complex_numbers_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "complex.tif"
    tifffile.imwrite(path, np.zeros((40, 50), np.complex64))
    with pytest.raises(ImageError, match="complex64"):
        image_shape(path)


def test_large_images_take_bounded_memory() -> None:
    import tracemalloc

    image = np.zeros((8192, 8192), np.uint16)
    image[:, 4096:] = 1000
    tracemalloc.start()
    rgb = to_rgb8(image)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rgb[0, ::4096, 0].tolist() == [0, 255]
    assert peak < 3 * rgb.nbytes


def test_content_hash_names_the_pixels() -> None:
    assert content_hash(RGB) == content_hash(np.asfortranarray(RGB))
    assert content_hash(DEEP) == content_hash(DEEP.astype(">u2"))
    others = [RGB, RGB.reshape(34, 21, 3), RGB.astype(np.uint16), RGB[::-1], RGB.view(np.int8)]
    assert len({content_hash(image) for image in others}) == len(others)
    bits = RGB[..., 0] > 99
    by_pillow = np.where(bits, np.uint8(255), np.uint8(0)).view(bool)  # as it reads one-bit files
    assert content_hash(bits) == content_hash(by_pillow) != content_hash(~bits)
    assert spatial_shape(np.zeros((3, 40, 50))) == (40, 50)
