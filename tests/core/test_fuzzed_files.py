"""Weights, configs, prompts and projects that went through a mangle: an answer or a sentence."""

from __future__ import annotations

import io
import json
import os
import shutil
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from mangling import VALUES, as_bytes, bounded, mangled, mangled_bytes, mangled_value

from napari_sam_tune import Project, Prompt
from napari_sam_tune.core.config import TrainConfig
from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.geometry.given_masks import as_mask
from napari_sam_tune.core.images.surfaces import DESCRIPTION_LENGTH, FamiliarSurfaces
from napari_sam_tune.core.models.base import BaseRef
from napari_sam_tune.core.models.checkpoints import load_model
from napari_sam_tune.core.models.state_files import read_state
from napari_sam_tune.core.models.weights_file import (
    base_named_in,
    read_info,
    read_surfaces,
    read_weights,
    write_weights,
)
from napari_sam_tune.core.pixel_classifier.history import LearntHistory
from napari_sam_tune.core.pixel_classifier.learnt import Learnt
from napari_sam_tune.core.project.checking import ProjectCheck
from napari_sam_tune.core.project.project import NewAnnotation
from napari_sam_tune.core.prompts import Effort
from napari_sam_tune.core.storage.embeddings import Embedding, EmbeddingCache
from napari_sam_tune.core.training.settings import read_config, with_settings

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (24, 31)

# ---- weights ----


def safetensors_of(folder: Path) -> bytes:
    rng = np.random.default_rng(0)
    surfaces = FamiliarSurfaces({"a" * 32: rng.random(DESCRIPTION_LENGTH).astype(np.float32)})
    tensors = {"mask_decoder.a": torch.rand(4, 3), "mask_decoder.b": torch.ones(2).half()}
    info = {"base": {"name": "starter", "sha256": "0" * 64}, "parts": ["decoder"], "masks": 3}
    write_weights(folder / "w.safetensors", tensors, info, surfaces)
    return (folder / "w.safetensors").read_bytes()


def pickled(*, in_a_zip: bool) -> bytes:
    buffer = io.BytesIO()
    state = {"model": {"image_encoder.pos_embed": torch.rand(1, 4, 4, 8), "x": torch.ones(3)}}
    torch.save(state, buffer, _use_new_zipfile_serialization=in_a_zip)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return {
        ".safetensors": safetensors_of(tmp_path_factory.mktemp("weights")),
        ".pth": pickled(in_a_zip=True),
        ".pt": pickled(in_a_zip=False),
    }


@st.composite
def mangled_safetensors(draw: st.DrawFn, content: bytes) -> bytes:
    """One whose head is sound JSON, of nonsense."""
    size = int.from_bytes(content[:8], "little")
    head = json.loads(content[8 : 8 + size])
    inside = draw(st.sampled_from(["head", *head["__metadata__"]]))
    if inside == "head":
        head = draw(mangled_value(head))
    else:
        said = draw(mangled_value(json.loads(head["__metadata__"][inside])))
        head["__metadata__"][inside] = as_bytes(said).decode()
    text = as_bytes(head)
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


@mangled
@given(data=st.data())
def test_fuzzed_weights(
    weights: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    suffix = data.draw(st.sampled_from(list(weights)))
    content = weights[suffix]
    is_json = suffix == ".safetensors" and data.draw(st.booleans())
    content = data.draw(mangled_safetensors(content) if is_json else mangled_bytes(content))
    path = tmp_path_factory.getbasetemp() / f"fuzzed{suffix}"
    path.write_bytes(content)
    for read in (read_state, read_weights, read_surfaces, load_model):
        with bounded():
            read(path)
    with bounded():
        base_named_in(read_info(path), path)


# ---- configs ----

DEFAULTS = TrainConfig.for_a_run().model_dump(mode="json")


@st.composite
def yamls(draw: st.DrawFn) -> bytes:
    plain = yaml.safe_dump(DEFAULTS).encode()
    match draw(st.sampled_from(["bytes", "values", "aliases", "text"])):
        case "bytes":
            return draw(mangled_bytes(plain))
        case "values":
            with suppress(yaml.YAMLError, UnicodeError):
                return yaml.safe_dump(draw(mangled_value(DEFAULTS)), allow_unicode=True).encode()
            return b""
        case "aliases":
            width, depth = draw(st.integers(1, 30)), draw(st.integers(1, 30))
            lines = ["a0: &a0 [1, 2]"]
            for n in range(1, depth):
                aliases = ", ".join([f"*a{n - 1}"] * width)
                lines.append(f"a{n}: &a{n} [{aliases}]")
            return "\n".join([*lines, f"steps: *a{depth - 1}"]).encode()
        case _:
            odd = ("!!python/object:os.system", "<<", "1e400", "0o7", "1:2:3", ".inf", "2001-01-01")
            marks = st.sampled_from([*"{}[]:,&*!|>?-#%@~\n \t'\"", *odd])
            names = st.sampled_from([*DEFAULTS])
            return "".join(draw(st.lists(st.one_of(marks, names), max_size=60))).encode()


@mangled
@given(content=yamls())
def test_fuzzed_configs(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.yaml"
    path.write_bytes(content)
    with bounded():
        read_config(path)
    with bounded():
        with_settings(TrainConfig.for_a_run(), content.decode(errors="replace").split("\n"))


# ---- prompts ----

ARRAYS = st.sampled_from(
    [
        np.zeros((0, 2)),
        np.zeros(SHAPE, bool),
        np.full(SHAPE, np.nan),
        np.zeros((2, 2, 2), np.uint8),
        np.array(3.0),
        np.array([[1, 2]], object),
        np.array(["a"]),
        np.array([[1e300, -1e300]]),
        torch.zeros(1, 2),
        np.array([1, 1], np.uint8),
        np.array([1 + 2j, 0]),
        {1: 2},
        range(4),
        object(),
    ]
)
POINTS = st.lists(st.tuples(st.floats(-9, 99), st.floats(-9, 99)), max_size=4)
STROKES = st.one_of(st.lists(POINTS, max_size=2), VALUES, ARRAYS)
ANYTHING = st.one_of(POINTS, st.lists(st.integers(0, 1), max_size=4), VALUES, ARRAYS)


@mangled
@given(said=st.tuples(*[ANYTHING] * 4, STROKES), data=st.data())
def test_fuzzed_prompts(said: tuple[Any, ...], data: st.DataObject) -> None:
    given = dict(zip(("points", "labels", "box", "mask", "strokes"), said, strict=True))
    for name in data.draw(st.sets(st.sampled_from(list(given)), max_size=4)):
        del given[name]
    with bounded():
        prompt = Prompt(**given)
        again = prompt.without_mask()
        assert again is None or Prompt.from_json(json.loads(json.dumps(again.to_json()))) == again
        prompt.clipped(SHAPE)
    with bounded():
        as_mask(said[3], SHAPE)


# ---- projects ----

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A project with something of everything, by the names of its files."""
    project = Project.open(tmp_path_factory.mktemp("whole") / "p")
    project.set_base(BaseRef("starter", "0" * 64))
    pixels = np.random.default_rng(0).integers(0, 255, SHAPE, np.uint8)
    project.register(pixels, "a.png", group="g", stratum="s")
    mask = np.zeros(SHAPE, bool)
    mask[3:9, 4:12] = True
    prompt = Prompt([(5, 5), (20, 20)], [1, 0], box=(3, 3, 12, 12))
    first = project.add(
        NewAnnotation(
            *("a.png", mask, "pore", (prompt,)),
            proposal_mask=~mask,
            locked=mask,
            effort=Effort(2, 1, 0, 9, 3.5),
            predicted_iou=0.5,
        )
    )
    second = project.add(NewAnnotation("a.png", mask.T[:24, :24].repeat(2, 1)[:, :31], "dirt"))
    project.add(NewAnnotation("a.png", mask, "dent", supersedes=first.id))
    project.delete(second.id)
    project.set_class("pore", "#ff0000")
    project.mark_done("a.png")
    project.remember(label="pore", image_id="a.png")
    base = {"name": "starter", "sha256": "0" * 64}
    version = project.save_weights({"a": torch.ones(3)}, {"base": base})
    project.promote(version, report={"scores": {"a": 0.5}})
    cache = EmbeddingCache(project.embeddings_path)
    cache.put("key", "image", Embedding(np.ones((2, 4, 4), np.float16), SHAPE, (24, 31)))
    LearntHistory(project.path / "learnt.jsonl").add(Learnt(masks=3, images=2, judged=1))
    paths = (path for path in project.path.rglob("*") if path.is_file())
    return {path.relative_to(project.path).as_posix(): path.read_bytes() for path in paths}


@st.composite
def mangled_log(draw: st.DrawFn, content: bytes) -> bytes:
    """Lines that say nonsense, with checksums that fit; or without, as first releases wrote."""
    lines = [json.loads(line) for line in content.splitlines()]
    number = draw(st.integers(0, len(lines) - 1))
    lines[number] = draw(mangled_value(lines[number]))
    if draw(st.booleans()):
        lines.insert(draw(st.integers(0, len(lines))), lines[draw(st.integers(0, len(lines) - 1))])
    has_sums, checksum, out = draw(st.booleans()), 0, b""
    for line in lines:
        if isinstance(line, dict):
            line = {key: value for key, value in line.items() if key != "sum"}
        body = json.dumps(line, separators=(",", ":")).encode()[:-1]
        checksum = zlib.crc32(body, checksum)
        out += body + (f',"sum":"{checksum:08x}"}}\n'.encode() if has_sums else b"}\n")
    return out


def look_at_everything(path: Path) -> None:
    project = Project.open(path, create=False)
    doors = (project.base, project.place(), project.classes(), project.done_images())
    assert doors is not None
    for record in project.images():
        with suppress(SamTuneError):
            project.read_image(record.id)
    for kept in [*project.annotations(), *project.overruled(), *project.every_record()]:
        with suppress(SamTuneError):
            assert kept.mask.shape == kept.shape
            assert kept.prompts is not None
            assert kept.locked is None or kept.locked.shape == kept.shape
            assert kept.proposal_mask is None or kept.proposal_mask.any() is not None
    for info in project.versions():
        with suppress(SamTuneError):
            project.load_weights(info.version)
    EmbeddingCache(project.embeddings_path).get("key", "image")
    assert LearntHistory(project.path / "learnt.jsonl").points is not None
    project.set_class("new", "#00ff00")
    mask = np.ones(SHAPE, bool)
    project.add(NewAnnotation("a.png", mask, "new"))
    assert Project.open(path).classes()["new"] == "#00ff00"


@mangled
@given(data=st.data())
def test_fuzzed_projects(
    files: Files,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    data: st.DataObject,
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    shutil.rmtree(path, ignore_errors=True)
    fuzzed = dict(files)
    for _ in range(data.draw(st.integers(1, 2))):
        name = data.draw(st.sampled_from([*fuzzed, "log.jsonl", "log.jsonl"]))
        content = fuzzed[name]
        is_log = name == "log.jsonl" and content == files[name]
        if is_log and data.draw(st.integers(0, 3)):
            fuzzed[name] = data.draw(mangled_log(content))
            fuzzed.pop(".log.jsonl.end", None)
        elif name.endswith(".json") and content == files[name] and data.draw(st.booleans()):
            fuzzed[name] = as_bytes(data.draw(mangled_value(json.loads(content))))
        else:
            fuzzed[name] = data.draw(mangled_bytes(content))
    for name, content in fuzzed.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    with bounded():
        look_at_everything(path)
    with bounded():
        checking = ProjectCheck(path)
        if any(finding.remedy for finding in checking.run()):
            checking.repair()
    with bounded():
        look_at_everything(path)
