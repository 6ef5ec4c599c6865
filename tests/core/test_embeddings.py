"""The embedding cache: what was put comes back, and what is damaged was never there."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.storage.embeddings import Embedding, EmbeddingCache

if TYPE_CHECKING:
    from pathlib import Path


def embedding(seed: int = 0) -> Embedding:
    features = np.random.default_rng(seed).normal(size=(8, 16, 16)).astype(np.float16)
    return Embedding(features, original_size=(300, 400), input_size=(768, 1024))


@pytest.fixture
def cache(tmp_path: Path) -> EmbeddingCache:
    return EmbeddingCache(tmp_path / "embeddings.zarr")


def test_put_comes_back_in_another_process_too(cache: EmbeddingCache) -> None:
    assert cache.get("encoder", "image") is None
    cache.put("encoder", "image", embedding())
    cache.put("encoder", "image", embedding())
    back = EmbeddingCache(cache.path).get("encoder", "image")
    assert back is not None
    assert back.features.dtype == np.float16
    assert np.array_equal(back.features, embedding().features)
    assert (back.original_size, back.input_size) == ((300, 400), (768, 1024))
    assert cache.contains("encoder", "image")
    assert not cache.contains("other encoder", "image")
    assert cache.get("encoder", "other image") is None


def test_nothing_is_written_touched_or_given_up_behind_a_link(tmp_path: Path) -> None:
    """A cache that came with somebody else's project; giving up entries deletes folders."""
    cache = EmbeddingCache(tmp_path / "embeddings.zarr", max_bytes=10_000)
    cache.put("encoder", "image", embedding())
    outside = tmp_path / "outside"
    shutil.copytree(cache.path / "encoder", outside)
    (outside / "image" / "large").write_bytes(bytes(100_000))
    (cache.path / "another").symlink_to(outside)
    os.utime(outside / "image", (1, 1))
    shutil.rmtree(cache.path / "encoder" / "image")
    (cache.path / "encoder" / "image").symlink_to(outside / "image")
    before = {path: path.stat().st_mtime_ns for path in [outside, *outside.rglob("*")]}

    cache = EmbeddingCache(cache.path, max_bytes=10_000)
    assert cache.get("another", "image") is None
    with pytest.raises(ProjectError, match="is a link"):
        cache.put("another", "new", embedding())
    cache.put("encoder", "image", embedding())  # the link goes, the embedding takes its place
    cache.evict()
    assert cache.get("encoder", "image") is not None
    assert {path: path.stat().st_mtime_ns for path in [outside, *outside.rglob("*")]} == before


@pytest.mark.parametrize("damage", ["cut", "flipped", "no chunk", "no metadata", "no text"])
def test_damaged_entries_are_absent_and_can_be_put_again(
    cache: EmbeddingCache, damage: str
) -> None:
    cache.put("encoder", "image", embedding())
    entry = cache.path / "encoder" / "image"
    (chunk,) = entry.glob("c*")
    content = bytearray(chunk.read_bytes())
    content[100] ^= 1
    match damage:
        case "cut":
            chunk.write_bytes(content[:-1])
        case "flipped":
            chunk.write_bytes(content)
        case "no chunk":
            chunk.unlink()
        case "no metadata":
            (entry / "zarr.json").unlink()
        case "no text":
            (entry / "zarr.json").write_text("")
    assert cache.get("encoder", "image") is None
    cache.put("encoder", "image", embedding(1))
    back = cache.get("encoder", "image")
    assert back is not None
    assert np.array_equal(back.features, embedding(1).features)


def test_longest_unused_goes_first_and_pinned_stay(cache: EmbeddingCache) -> None:
    for number in range(10):
        cache.put("encoder", str(number), embedding(number))
        os.utime(cache.path / "encoder" / str(number), (number, number))
    assert cache.get("encoder", "1") is not None  # used just now
    size = sum(f.stat().st_size for f in (cache.path / "encoder" / "0").iterdir())
    cache.pin(["0"])
    cache.max_bytes = 5 * size
    cache.put("encoder", "new", embedding())
    kept = {n for n in [*map(str, range(10)), "new"] if cache.contains("encoder", n)}
    assert kept == {"0", "1", "9", "new"}


def test_a_taught_encoder_frees_what_the_one_before_it_pinned(cache: EmbeddingCache) -> None:
    cache.put("before", "image", embedding())
    cache.pin(["image"])
    size = sum(f.stat().st_size for f in (cache.path / "before" / "image").iterdir())
    cache.max_bytes = size + size // 2
    cache.put("after", "image", embedding())
    assert cache.contains("after", "image")
    assert not cache.contains("before", "image")


def test_deleting_the_cache_costs_only_time(cache: EmbeddingCache) -> None:
    cache.put("encoder", "image", embedding())
    shutil.rmtree(cache.path)
    assert cache.get("encoder", "image") is None
    assert cache.evict() == 0
    cache.put("encoder", "image", embedding())
    assert cache.contains("encoder", "image")


def test_what_another_process_writes_counts(tmp_path: Path) -> None:
    most = 500_000
    mine, other = (EmbeddingCache(tmp_path / "c.zarr", max_bytes=most) for _ in range(2))
    for number in range(80):
        for name, cache in (("mine", mine), ("other", other)):
            cache.put("encoder", f"{name}{number}", embedding(number))
            held = sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file())
            assert held < 1.06 * most
    assert held > 0.8 * most
