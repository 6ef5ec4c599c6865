"""Copies of one project, exchanged through an object store or a folder: nothing is ever lost."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import Mock

import boto3
import numpy as np
import pytest
import torch
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer
from network import network
from PIL import Image
from typer.testing import CliRunner

from napari_sam_tune import Predictor, Prompt, Session
from napari_sam_tune.cli import app
from napari_sam_tune.core.answers.caching import open_cache
from napari_sam_tune.core.batch.embed import embed_folder
from napari_sam_tune.core.errors import (
    ProjectError,
    ShareError,
    ShareUnreachable,
    StorageError,
)
from napari_sam_tune.core.images.files import content_hash, read_image
from napari_sam_tune.core.models.base import BaseRef
from napari_sam_tune.core.project.checking import ProjectCheck
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.sharing.bundle import Bundle, LogPart, SharedEmbedding, packed_parts
from napari_sam_tune.core.sharing.exchange import Exchange
from napari_sam_tune.core.sharing.joining import allow_embeddings, exchange_here, join, share
from napari_sam_tune.core.sharing.place import SharedPlace
from napari_sam_tune.core.storage.chained_log import ChainedLog
from napari_sam_tune.core.storage.embeddings import Embedding, EmbeddingCache

if TYPE_CHECKING:
    from collections.abc import Iterator

SHAPE = (60, 80)
SECRET = "a-secret-that-must-not-be-written-down"
WRITER = Path(__file__).with_name("sharing_writer.py")


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """An S3 of the tests' own; returns its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A fresh bucket, credentials for it in the environment, no AWS profile."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    name = f"b{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:20]}"
    boto3.client("s3", endpoint_url=s3, region_name="us-east-1").create_bucket(Bucket=name)
    return name


def ask_after(s3: str, requests: int) -> None:
    """Let a store ask who comes, from so many requests on."""
    headers = {"Content-Type": "text/plain"}
    urllib.request.urlopen(
        urllib.request.Request(f"{s3}/moto-api/reset-auth", str(requests).encode(), headers)
    )


def photograph(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, SHAPE, np.uint8)).save(path)
    return path


def register(project: Project, path: Path) -> str:
    pixels = read_image(path)
    project.add_image(path.name, shape=SHAPE, content_hash=content_hash(pixels), path=path)
    return path.name


def blob(row: int, column: int) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[row : row + 6, column : column + 9] = True
    return mask


def accept(project: Project, image: str, row: int, column: int = 5) -> str:
    return project.add(NewAnnotation(image, blob(row, column), "pore")).id


def living(project: Project) -> dict[str, tuple[str, str, bytes]]:
    """Everything that counts, as another process sees it."""
    opened = Project.open(project.path, create=False)
    return {a.id: (a.image_id, a.label, a.mask.tobytes()) for a in opened.annotations()}


def exchange(*projects: Project) -> None:
    for project in projects:
        while not Exchange(project).run().is_all:
            pass


@pytest.fixture
def first(tmp_path: Path) -> Project:
    """A project with two images, three masks, a class, tuned weights, and one array."""
    project = Project.open(tmp_path / "workstation" / "p")
    project.set_base(BaseRef("starter", "a" * 64))
    project.set_class("pore", "#e5554f")
    for seed, name in enumerate(("a.png", "b.png")):
        register(project, photograph(tmp_path / "photographs" / name, seed))
    for row in (2, 20):
        accept(project, "a.png", row)
    project.register(np.full(SHAPE, 7, np.uint8), "array")
    accept(project, "array", 40)
    project.promote(project.save_weights({"t": torch.ones(3)}, {"parts": []}), report={"r": 1})
    return project


def joined(first: Project, url: str, folder: Path, endpoint: str | None = None) -> Project:
    """Share a project in a place, and return a copy of it."""
    share(first.path, url, endpoint=endpoint)
    exchange(first)
    join(url, folder, endpoint=endpoint)
    copy = Project.open(folder)
    exchange(copy)
    return copy


def test_a_file_is_no_shared_folder(first: Project, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(StorageError, match="is no folder"):
        share(first.path, str(tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == b"mine"
    share(first.path, str(tmp_path / "drive"))


def test_a_copy_is_the_project_and_both_go_on(
    first: Project, bucket: str, s3: str, tmp_path: Path
) -> None:
    # the copy must not find the photographs where the first one has them
    copy = joined(first, f"s3://{bucket}/line 3/p", tmp_path / "home" / "deep" / "p", s3)
    assert living(copy) == living(first)
    assert copy.current_version == first.current_version != "base"
    assert copy.load_weights(copy.current_version)[0]["t"].tolist() == [1, 1, 1]
    for image in ("a.png", "b.png", "array"):
        np.testing.assert_array_equal(copy.read_image(image), first.read_image(image))
    # what is only true here is not carried along
    assert first.image("a.png").path != copy.image("a.png").path
    copy.remember(image="b.png")
    mine, yours = accept(first, "b.png", 8), accept(copy, "b.png", 30)
    register(copy, photograph(tmp_path / "laptop" / "c.png", 3))
    accept(copy, "c.png", 11)
    copy.delete(copy.annotations("a.png")[0].id)
    copy.mark_done("a.png")
    exchange(copy, first, copy)
    assert living(copy) == living(first)
    assert {mine, yours} < living(copy).keys()
    assert first.is_done("a.png")
    assert first.place() == {}
    np.testing.assert_array_equal(first.read_image("c.png"), copy.read_image("c.png"))
    for project in (first, copy):
        assert list(ProjectCheck(project.path).run()) == []


@pytest.mark.parametrize("knows_links", [True, False])
def test_a_folder_that_all_have_mounted_will_do(
    first: Project, tmp_path: Path, knows_links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not knows_links:  # as on SMB
        refusal = OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
        monkeypatch.setattr(os, "link", Mock(side_effect=refusal))
    copy = joined(first, str(tmp_path / "drive" / "p"), tmp_path / "copy")
    accept(copy, "a.png", 44)
    exchange(copy, first)
    assert living(copy) == living(first)
    going_on = Exchange(copy)
    going_on.run()
    (tmp_path / "drive" / "p").rename(tmp_path / "drive" / "elsewhere")
    accept(copy, "a.png", 50)
    with pytest.raises(ShareUnreachable, match=r"not there. Is its drive mounted"):
        going_on.run()
    assert not (tmp_path / "drive" / "p").exists()
    with pytest.raises(ShareUnreachable, match=r"not there. Is its drive mounted"):
        exchange(copy)
    (tmp_path / "drive" / "elsewhere").rename(tmp_path / "drive" / "p")
    exchange(copy, first)
    assert living(copy) == living(first)


def test_an_image_that_is_a_folder_stays_where_it_is(first: Project, tmp_path: Path) -> None:
    path = tmp_path / "photographs" / "c.zarr"
    pixels = blob(9, 9) * np.uint8(200)
    zarr.create_array(path, shape=SHAPE, chunks=SHAPE, dtype="uint8")[...] = pixels
    first.add_image("c.zarr", shape=SHAPE, content_hash=content_hash(pixels), path=path)
    accept(first, "c.zarr", 9)
    copy = joined(first, str(tmp_path / "drive" / "p"), tmp_path / "copy")
    assert living(copy) == living(first)
    assert len(list((tmp_path / "drive" / "p" / "images").iterdir())) == 2
    copy.found_at("c.zarr", path)
    assert np.array_equal(copy.read_image("c.zarr"), pixels)


def test_several_exchanges_move_nothing_twice(
    first: Project, bucket: str, s3: str, tmp_path: Path
) -> None:
    copy = joined(first, f"s3://{bucket}/p", tmp_path / "copy", s3)
    place = SharedPlace(f"s3://{bucket}/p", endpoint=s3)
    before = place.names("bundles")
    exchange(first, copy, first)
    assert place.names("bundles") == before
    # what is known to be there may be thrown away
    shutil.rmtree(copy.path / ".share")
    exchange(copy)
    accept(copy, "a.png", 33)
    exchange(copy, first)
    assert living(copy) == living(first)
    assert len(place.names("bundles")) == len(before) + 1


def writer(copy: Path, seed: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(WRITER), str(copy), "a.png", str(seed), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_at_once_killed_again_and_again_lose_nothing(
    first: Project, bucket: str, s3: str, tmp_path: Path
) -> None:
    copy = joined(first, f"s3://{bucket}/p", tmp_path / "copy", s3)
    random = np.random.default_rng(5)
    said: set[str] = set()
    for turn in range(4):
        both = [writer(one.path, 2 * turn + i, 200) for i, one in enumerate((first, copy))]
        for process in both:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(int(random.integers(4, 14)))]
            process.kill()
            lines += process.stdout.readlines()
            said.update(line.strip() for line in lines if line.endswith("\n") and line[0].isdigit())
            process.wait()
            process.stdout.close()
    assert len(said) >= 4 * 2 * 2
    third = tmp_path / "third"
    join(f"s3://{bucket}/p", third, endpoint=s3)
    exchange(first, copy, first, Project.open(third))
    everything = living(first)
    assert said <= everything.keys()
    assert living(copy) == living(Project.open(third)) == everything


def test_killed_while_it_uploads_it_goes_on(
    first: Project, bucket: str, s3: str, tmp_path: Path
) -> None:
    with network(int(s3.rsplit(":", 1)[1])) as wire:
        copy = joined(first, f"s3://{bucket}/p", tmp_path / "copy", wire.address)
        before = len(living(first))
        wire.delay = 0.3  # a request takes so long that it is under way when its sender dies
        process = writer(copy.path, 1, 1)
        assert process.stdout is not None
        accepted = process.stdout.readline().strip()
        time.sleep(0.8)
        process.kill()
        process.wait()
        process.stdout.close()
        wire.delay = 0.0
        assert accepted in living(copy)
        exchange(first, copy, first)
        assert living(copy) == living(first)
        assert len(living(first)) == before + 1


def test_without_network_work_goes_on_and_is_exchanged_later(
    first: Project, bucket: str, s3: str, tmp_path: Path
) -> None:
    with network(int(s3.rsplit(":", 1)[1])) as wire:
        copy = joined(first, f"s3://{bucket}/p", tmp_path / "copy", wire.address)
        going_on = Exchange(copy)
        going_on.run()
        wire.cut()
        accept(copy, "a.png", 51)
        with pytest.raises(ShareUnreachable, match="does not answer"):
            going_on.run()
        wire.mend()
        going_on.run()
        exchange(first)
        assert living(copy) == living(first)


def test_what_is_wrong_is_said_and_no_credentials_are_written_down(
    first: Project, bucket: str, s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*arguments: str) -> str:
        found = CliRunner().invoke(app, arguments)
        assert found.exit_code != 0
        return f"{found.output}{found.exception}"

    path, place = str(first.path), f"s3://{bucket}/p"
    there = ["--endpoint", s3]
    assert "There is no bucket" in said("share", path, "s3://nosuchbucket/p", *there)
    assert "no shared place" in said("share", path, f"s3://{bucket}")
    assert "no shared place" in said("share", path, "ftp://x/y")
    assert "no password" in said("share", path, f"s3://key:{SECRET}@{bucket}/p")
    assert "is not shared" in said("share", path)
    assert "No project is shared in" in said("join", place, str(tmp_path / "q"), *there)
    ask_after(s3, 0)
    try:
        refused = said("share", path, place, *there)
        assert "credentials may not" in refused
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        unknown = said("share", path, place, *there)
        assert "credentials" in unknown
    finally:
        ask_after(s3, 1_000_000)
    assert SECRET not in refused + unknown
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    shared = CliRunner().invoke(app, ["share", path, place, *there])
    assert shared.exit_code == 0, shared.output
    assert "3 × mask put there, 2 × image sent" in shared.output
    joining = CliRunner().invoke(app, ["join", place, str(tmp_path / "q"), *there])
    assert joining.exit_code == 0, joining.output
    assert "3 × mask taken in, 2 × image fetched" in joining.output
    for file in first.path.rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes()


def test_places_that_hold_something_else_are_left_alone(first: Project, tmp_path: Path) -> None:
    drive = tmp_path / "drive"
    copy = joined(first, str(drive), tmp_path / "copy")
    other = Project.open(tmp_path / "other")
    with pytest.raises(ShareError, match=r"is a shared project in .* already"):
        share(other.path, str(drive))
    with pytest.raises(ShareError, match="is not empty"):
        share(other.path, str(tmp_path / "photographs"))
    with pytest.raises(ShareError, match=r"is shared in .* already"):
        share(first.path, str(tmp_path / "drive 2"))
    accept_any(other, tmp_path)
    with pytest.raises(ShareError, match="project of its own"):
        join(str(drive), other.path)
    with pytest.raises(ProjectError, match="not empty"):
        join(str(drive), tmp_path / "photographs")
    shutil.rmtree(drive)
    drive.mkdir()
    with pytest.raises(ShareError, match=r"no shared project in .* any more"):
        exchange(copy)
    share(other.path, str(drive))
    exchange(other)
    with pytest.raises(ShareError, match="Another project is in"):
        exchange(copy)


def accept_any(project: Project, folder: Path) -> None:
    register(project, photograph(folder / "any.png", 9))
    accept(project, "any.png", 3)


def test_a_copy_of_a_copy_is_noticed_before_it_spoils_anything(
    first: Project, tmp_path: Path
) -> None:
    """Both write the same log: the second to come is told, the place stays as it was."""
    copy = joined(first, str(tmp_path / "drive"), tmp_path / "copy")
    accept(copy, "a.png", 30)
    exchange(copy)
    shutil.copytree(copy.path, tmp_path / "twin")
    twin = Project.open(tmp_path / "twin")
    ours, theirs = accept(copy, "a.png", 44), accept(twin, "a.png", 50)
    copy.mark_done("a.png")
    twin.mark_done("b.png")
    exchange(copy)
    with pytest.raises(ShareError, match="gone apart"):
        exchange(twin)
    exchange(first)
    assert ours in living(first)
    assert theirs in living(twin)


def test_a_log_that_was_made_anew_is_not_sent(first: Project, tmp_path: Path) -> None:
    copy = joined(first, str(tmp_path / "drive"), tmp_path / "copy")
    log = ChainedLog(first.path / "log.jsonl")
    entries = log.read_new()
    log.rewrite(entries[:-1], first.path / "kept")
    again = Project.open(first.path)
    again.mark_done("b.png")
    with pytest.raises(ShareError, match="not what was put into the shared place"):
        exchange(again)
    exchange(copy)
    assert not copy.is_done("b.png")


def test_another_computer_does_not_exchange_the_same_copy(
    first: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined(first, str(tmp_path / "drive"), tmp_path / "copy")
    for module in ("exchange", "joining"):
        monkeypatch.setattr(f"napari_sam_tune.core.sharing.{module}.machine", lambda: "0" * 8)
    with pytest.raises(ShareError, match="Another computer exchanges"):
        exchange(first)
    exchange_here(first.path)
    exchange(first)


@pytest.fixture(scope="module")
def predictor(at_128_px: None) -> Predictor:
    return Predictor.from_checkpoint("starter", device="cpu")


def encoded(project: Project, predictor: Predictor) -> int:
    """Encode the photographs of a project; return how many it had not got yet."""
    paths = [project.path / (project.image(name).path or "") for name in ("a.png", "b.png")]
    folders = {path.parent.resolve() for path in paths}
    return sum(s.encoded for f in folders for s in embed_folder(project, predictor, f))


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_what_one_encoded_the_other_need_not(
    first: Project, bucket: str, s3: str, tmp_path: Path, predictor: Predictor, kind: str
) -> None:
    url, endpoint = (str(tmp_path / "d"), None) if kind == "folder" else (f"s3://{bucket}/p", s3)
    copy = joined(first, url, tmp_path / "copy", endpoint)
    assert encoded(first, predictor) == 2
    exchange(first, copy)  # nobody asked for it
    assert SharedPlace(url, endpoint=endpoint).names("embeddings") == []
    # of a tuned encoder it is of use to nobody until it is tuned again
    tuned = Embedding(np.ones((2, 3, 4), np.float16), SHAPE, (96, 128))
    open_cache(first).put("0123456789abcdef", first.image("a.png").content_hash, tuned)
    for project in (first, copy):
        allow_embeddings(project.path, 10**9)
    exchange(first, copy)
    there = SharedPlace(url, endpoint=endpoint).names("embeddings")
    assert len(there) == 2 * 2
    assert not any("0123456789abcdef" in name for name in there)
    assert encoded(copy, predictor) == 0
    key, image = predictor.weights.encoder_key, first.image("a.png").content_hash
    ours, theirs = (open_cache(project).get(key, image) for project in (first, copy))
    assert ours is not None
    assert theirs is not None
    np.testing.assert_array_equal(ours.features, theirs.features)
    assert ours.original_size == theirs.original_size == SHAPE
    exchange(first, copy, first)
    assert SharedPlace(url, endpoint=endpoint).names("embeddings") == there


def test_no_more_embeddings_are_put_there_than_were_allowed(
    first: Project, tmp_path: Path, predictor: Predictor
) -> None:
    copy = joined(first, str(tmp_path / "drive"), tmp_path / "copy")
    assert encoded(first, predictor) == 2
    place = SharedPlace(str(tmp_path / "drive"))
    sizes: list[int] = []
    for most in (1, 2_000_000, 10**9):
        allow_embeddings(first.path, most)
        exchange(first)
        sizes.append(sum(len(place.get(n) or b"") for n in place.names("embeddings")))
        assert sizes[-1] <= most
    assert 0 == sizes[0] < sizes[1] < sizes[2]
    allow_embeddings(copy.path, 10**9)
    going_on = Exchange(copy)
    going_on._embeddings._cache.max_bytes = sizes[2] // 2  # of what is here nothing is given up
    done = going_on.run(seconds=60)
    assert 0 < done.embeddings_in < 4
    assert done.is_all
    assert encoded(copy, predictor) > 0


def test_a_damaged_embedding_is_made_anew_under_another_name(
    first: Project, tmp_path: Path, predictor: Predictor
) -> None:
    copy = joined(first, str(tmp_path / "drive"), tmp_path / "copy")
    for project in (first, copy):
        allow_embeddings(project.path, 10**9)
    assert encoded(first, predictor) == 2
    exchange(first)
    place = SharedPlace(str(tmp_path / "drive"))
    names = place.names("embeddings")
    for number, name in enumerate(names):
        file = tmp_path / "drive" / name
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 0xFF
        file.write_bytes(content if number % 2 else content[:99])
    damaged = [place.get(name) for name in names]
    going_on = Exchange(copy)
    assert going_on.run(seconds=60).embeddings_in == 0
    assert encoded(copy, predictor) == 2
    assert going_on.run(seconds=60).embeddings_out == 4
    assert [place.get(name) for name in names] == damaged  # nothing is written to twice
    assert len(place.names("embeddings")) == 8
    third = tmp_path / "third"
    join(str(tmp_path / "drive"), third)
    allow_embeddings(third, 10**9)
    late = Project.open(third)
    exchange(late)
    assert encoded(late, predictor) == 0


def test_embeddings_that_are_none_keep_no_image_from_being_opened(
    first: Project, tmp_path: Path, predictor: Predictor
) -> None:
    copy = joined(first, str(tmp_path / "drive"), tmp_path / "copy")
    allow_embeddings(copy.path, 10**9)
    key, image = predictor.weights.encoder_key, first.image("a.png").content_hash
    elsewhere = EmbeddingCache(tmp_path / "elsewhere")
    strange = {
        "of another size": Embedding(np.ones((2, 3, 4), np.float16), (9, 9), (9, 9)),
        "of another model": Embedding(np.ones((2, 3, 4), np.float16), SHAPE, (9, 9)),
    }
    place = SharedPlace(str(tmp_path / "drive"))
    for number, embedding in enumerate(strange.values(), start=1):
        elsewhere.put(key, f"{number:032}", embedding)
        content = packed_parts(elsewhere.parts(key, f"{number:032}") or {})
        name = f"embeddings/{key}/{image}-{number:016}"
        place.put(name, content)
        said = SharedEmbedding(name, hashlib.sha256(content).hexdigest(), len(content))
        forged(place, Bundle(4, embeddings={f"{key}/{image}": said}), number)
        assert Exchange(copy).run(seconds=60).embeddings_in == number - 1
    with Session(copy, predictor) as session:
        session.open_image(copy.read_image("a.png"), "a.png")
        assert session.propose(Prompt([(20, 20)], [1])).mask.shape == SHAPE


def bundles(place: SharedPlace) -> list[str]:
    return place.names("bundles")


def forged(place: SharedPlace, bundle: Bundle, number: int = 1) -> None:
    from napari_sam_tune.core.sharing.bundle import bundle_name

    content = bundle.packed()
    place.put(f"bundles/deadbeef/{bundle_name(number, content)}", content)


def test_what_is_not_as_it_was_written_is_not_taken_in(first: Project, tmp_path: Path) -> None:
    copy = joined(first, str(tmp_path / "drive"), tmp_path / "copy")
    whole, before = living(copy), (copy.path / "log.jsonl").read_bytes()
    place = SharedPlace(str(tmp_path / "drive"))
    name = living(first).popitem()[0]
    parts, another = dict(copy_parts(first, name)), name[:-1] + ("1" if name[-1] == "0" else "0")
    senseless = b'{"kind":"mark","time":1}\n'
    for bundle in (
        Bundle(4, logs=(LogPart("log-0000dead.jsonl", 0, senseless),)),
        Bundle(4, logs=(LogPart("log.jsonl", len(before), b'{"kind":"place","time":1}\n'),)),
        Bundle(4, records={another: {"zarr.json": parts["zarr.json"]}}),
        Bundle(4, records={"20260101T000000000000-00000000": parts | {"zarr.json": b"{}"}}),
        Bundle(4, files={f"weights/{'0' * 12}.safetensors": "0" * 64}),
        Bundle(5),
    ):
        forged(place, bundle)
        with pytest.raises(ShareError):
            exchange(copy)
        assert living(copy) == whole
        assert (copy.path / "log.jsonl").read_bytes() == before
        shutil.rmtree(tmp_path / "drive" / "bundles" / "deadbeef")
    damaged = tmp_path / "drive" / bundles(place)[0]
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    join(str(tmp_path / "drive"), tmp_path / "late")
    with pytest.raises(ShareError, match="is not as it was written there"):
        exchange(Project.open(tmp_path / "late"))


def lines_of(folder: Path, *said: dict[str, object]) -> bytes:
    """A log's lines as they lie in its file."""
    log = ChainedLog(folder / "said.jsonl")
    log.path.unlink(missing_ok=True)
    with log.locked():
        for entry in said:
            log.append(entry)
            log.read_new()
    return log.path.read_bytes()


def files(project: Project) -> dict[str, bytes]:
    return {
        str(path.relative_to(project.path)): path.read_bytes()
        for path in project.path.rglob("*")
        if path.is_file()
    }


def test_a_place_in_a_folder_takes_an_object_whole_once_and_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = SharedPlace(str(tmp_path / "drive"), make=True)
    flushed: list[str] = []

    def flush(descriptor: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    if sys.platform == "linux":
        monkeypatch.setattr(os, "fsync", flush)
    assert place.put("bundles/a/one", b"first", only_new=True)
    assert not place.put("bundles/a/one", b"second", only_new=True)
    if sys.platform == "linux":
        assert flushed[0].startswith("one#")  # before it has its name
        assert flushed[1:] == ["a", "bundles", "drive"]
    killed = tmp_path / "drive" / "bundles" / "a" / "two#77"  # what a writer left
    killed.write_bytes(b"ha")
    assert place.names("bundles/a") == ["bundles/a/one"]
    assert place.get("bundles/a/one") == b"first"
    monkeypatch.setattr(os, "link", Mock(side_effect=OSError(errno.EIO, "I/O error")))
    monkeypatch.setattr(Path, "replace", Mock(side_effect=OSError(errno.EIO, "I/O error")))
    with pytest.raises(ShareUnreachable, match="cannot be used: I/O error"):
        place.put("bundles/a/three", b"third", only_new=True)
    names = {path.name for path in killed.parent.iterdir()}
    assert names == {"one", killed.name}


@pytest.mark.parametrize("what", ["mask", "size", "log", "order", "end", "file"])
def test_of_a_bundle_that_is_half_right_nothing_is_taken_in(
    first: Project, tmp_path: Path, what: str
) -> None:
    copy = joined(first, str(tmp_path / "drive"), tmp_path / "copy")
    before = files(copy)
    place = SharedPlace(str(tmp_path / "drive"))
    parts = copy_parts(first, living(first).popitem()[0])
    line = {"kind": "class", "time": time.time(), "name": "forged", "color": "#ffffff"}
    good = LogPart("log-0000dead.jsonl", 0, lines_of(tmp_path, line))
    masks = {"20260101T000000000000-00000000": parts}
    weights, extra = b"any", {}
    match what:
        case "mask":
            masks["20260101T000000000000-00000001"] = parts | {"c.0.0": parts["c.0.0"][:-1]}
        case "size":
            said = parts["zarr.json"].replace(b"60", b"61", 1)
            assert said != parts["zarr.json"]
            masks["20260101T000000000000-00000001"] = parts | {"zarr.json": said}
        case "log":
            extra = {"log-0000beef.jsonl": lines_of(tmp_path, line) * 2}
        case "order":  # said before the image was there: the project would not open any more
            early = {"kind": "stored", "time": 1.0, "image": "a.png"}
            extra = {"log-0000beef.jsonl": lines_of(tmp_path, early)}
        case "end":  # likewise: its log would be thought to have lost its end
            header = {"kind": "log", "time": time.time(), "name": "x", "machine": "0000beef"}
            extra = {
                "log-0000beef.jsonl": lines_of(tmp_path, header | {"old": {"log.jsonl": 9**9}})
            }
        case "file":
            weights = b"another"
    place.put(f"weights/{'0' * 12}.safetensors", weights)
    named = {f"weights/{'0' * 12}.safetensors": hashlib.sha256(b"any").hexdigest()}
    logs = (good, *(LogPart(name, 0, lines) for name, lines in extra.items()))
    forged(place, Bundle(4, {}, logs, masks, named))
    with pytest.raises(ShareError, match="Nothing of it was taken in"):
        exchange(copy)
    assert files(copy) == before
    shutil.rmtree(tmp_path / "drive" / "bundles" / "deadbeef")
    accept(first, "b.png", 9)
    exchange(first, copy)
    assert living(copy) == living(first)


def copy_parts(project: Project, name: str) -> dict[str, bytes]:
    folder = project.path / "annotations.zarr" / name
    return {file.name: file.read_bytes() for file in folder.iterdir()}


names = st.from_regex(r"[0-9]{8}T[0-9]{12}-[0-9a-f]{8}", fullmatch=True)
sums = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)


@given(
    records=st.dictionaries(names, st.just({"zarr.json": b"{}", "c.0.0": b"\0\xff"}), max_size=3),
    lines=st.binary(max_size=40),
    start=st.integers(0, 2**40),
    checksum=sums,
)
@settings(max_examples=60)
def test_bundles_come_back_as_they_were(
    records: dict[str, dict[str, bytes]], lines: bytes, start: int, checksum: str
) -> None:
    bundle = Bundle(
        4,
        {"first": f"000000001-{'a' * 32}"},
        (LogPart("log-01234567-89abcdef.jsonl", start, lines),),
        records,
        {"weights/0123456789ab.safetensors": checksum},
        {"a" * 32: (f"images/{'a' * 32}.tif", checksum)},
        {
            f"0123456789abcdef/{'a' * 32}": SharedEmbedding(
                f"embeddings/0123456789abcdef/{'a' * 32}-{checksum[:16]}-2", checksum, start
            )
        },
    )
    assert Bundle.unpacked(bundle.packed()) == bundle


@given(content=st.binary(max_size=200), cut=st.integers(0, 400))
@settings(max_examples=100)
def test_anything_else_is_no_bundle(content: bytes, cut: int) -> None:
    whole = Bundle(4, records={"20260101T000000000000-00000000": {"zarr.json": b"{}"}}).packed()
    for strange in (content, whole[:cut] if cut < len(whole) else b"", content + whole[cut:]):
        try:
            Bundle.unpacked(strange)
        except ValueError:
            continue
        assert strange.endswith(whole[-22:])  # a zip is found from its end


@pytest.mark.parametrize("name", ["../../x", "records/../../x/zarr.json", "records/a/b/c"])
def test_names_that_lead_outside_are_refused(name: str) -> None:
    import io
    import zipfile

    content = io.BytesIO(Bundle(4).packed())
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(ValueError, match=r"it holds|no name"):
        Bundle.unpacked(content.getvalue())
