"""The book says what is so: its links, the dock's words in it, its commands and examples."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner

from napari_sam_tune.cli import app
from napari_sam_tune.core.models.checkpoints import load_model
from napari_sam_tune.core.models.weights_file import is_head
from napari_sam_tune.core.project.project import Project

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
sys.path.append(str(DOCS / "site"))

from pages import (  # noqa: E402 - docs is no package
    LANGUAGES,
    MUST_FOLLOW,
    in_the_book,
    places,
    text_of,
    translations,
)

QUOTING = [p for lang in LANGUAGES for p in places(lang) if p.parent.name in MUST_FOLLOW]
"""Pages in which bold is what the dock says, and nothing else."""
NAPARI = {"Plugins", "Label and learn", "Preferences", "SAM Tune"}
"""Menus of napari, which are English everywhere, and the name of the plugin in them."""
OTHER_KEYS = {"Esc", "Z", "P", "E", "?", "[", "]", "Ctrl+Z", "F5"}
ANY_WORD = re.compile(r"(?<![{\w])([^\W\d_]{2}|[一-龠])(?![^{]*\})")
"""What stands in a text beside its values; without that it may be anything."""
BLOCK = re.compile(
    r"(?:<!-- (?P<why>[^\n]*) -->\n)?^```(?P<kind>sh|python)\n(?P<code>.*?)^```", re.M | re.S
)
QUICK = {
    "batch_size": 2,
    "corrections": 1,
    "judge_objects": 2,
    "look_objects": 2,
    "robot_clicks": 2,
    "look_every": 1,
    "zoom_share": 0,
}
"""Settings with which a training takes seconds."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_links_and_pictures_lead_somewhere(language: str) -> None:
    made = {p for p in places(language) if not p.is_file()}
    for source in set(places(language)) - made:
        in_the_book(source, language)


def test_who_reads_in_the_dark_misses_no_picture() -> None:
    for page in (p for language in LANGUAGES for p in places(language) if p.is_file()):
        text = text_of(page)
        light = re.findall(r"(\w+)\.webp#only-light", text)
        assert light == re.findall(r"(\w+)_dark\.webp#only-dark", text), page


def test_tutorials_and_how_tos_are_as_new_in_japanese_as_in_english() -> None:
    """Put the hash into the Japanese page once its text follows the English."""
    behind = {
        place: f"english: {now}"
        for place, was, now in translations()
        if was != now and place.split("/")[0] in MUST_FOLLOW
    }
    english = {place for path, place in places("en").items() if path.parent.name in MUST_FOLLOW}
    assert behind == {}
    assert english <= set(places("ja").values())


def test_examples_in_japanese_are_those_that_run() -> None:
    def examples(page: Path) -> list[str]:
        code = [block["code"] for block in BLOCK.finditer(text_of(page))]
        return [re.sub(r" *#.*", "", part) for part in code]

    for page, place in places("ja").items():
        if page.parent.name != "explanation":  # the trials are summed up
            assert examples(page) == examples(DOCS / "en" / place), place


def _said_by_the_dock(language: str) -> re.Pattern[str]:
    """Match what the dock may say, with any values in it."""
    said = set(NAPARI)
    file = ROOT / "resources" / "translations" / "ja.ts"
    for message in ElementTree.parse(file).iter("message"):
        translation = message.find("translation")
        assert translation is not None
        forms = [form.text for form in translation.iter("numerusform")] or [translation.text]
        texts = [message.findtext("source"), message.findtext("comment")]
        said |= {t for t in (texts if language == "en" else forms) if t and ANY_WORD.search(t)}
    said |= {re.sub(r" ?[(（]\{\w+\}[)）]$", "", text) for text in said}  # its key, a number
    patterns = (re.sub(r"\\\{.*?\\\}", ".+?", re.escape(text)) for text in sorted(said))
    return re.compile("|".join(patterns))


@pytest.mark.parametrize("language", LANGUAGES)
def test_bold_is_what_the_dock_says(language: str) -> None:
    said, unknown = _said_by_the_dock(language), []
    for page in (p for p in QUOTING if p.is_relative_to(DOCS / language)):
        text = re.sub(r"```.*?```|`[^`\n]+`", "", text_of(page), flags=re.S)
        bold = (
            part for found in re.findall(r"\*\*(.+?)\*\*", text, re.S) for part in _parts(found)
        )
        unknown += [f"{page.name}: {part}" for part in bold if not said.fullmatch(part)]
    assert unknown == []


def _parts(bold: str) -> list[str]:
    return re.sub(r"\s+", " ", bold).split(" ▸ ")


def test_keys_are_those_of_the_dock() -> None:
    tree = ast.parse((ROOT / "napari_sam_tune/ui/canvas/keys.py").read_text(encoding="utf-8"))
    (keys,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "DEFAULT_KEYS"
    )
    known = OTHER_KEYS | {key.replace("Shift-", "⇧") for key in keys.values()}
    for page in QUOTING:
        assert set(re.findall(r"<kbd>(.*?)</kbd>", text_of(page))) <= known, page


RUN = [path for path in sorted((DOCS / "en").rglob("*.md")) if BLOCK.search(text_of(path))]
WHOLE = "SAM_TUNE_BOOK" in os.environ
"""Also what takes long runs, and models are as large as they come: tox -e docs."""
FEW = ("plate_01", "plate_02", "plate_02_again", "plate_03", "plate_04", "plate_06")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A folder with what every page may count on: samples, and a project of them."""
    if not WHOLE:
        request.getfixturevalue("at_128_px")
    folder = tmp_path_factory.mktemp("shelf")
    for path in (ROOT / "resources" / "samples").rglob("*.*"):
        if WHOLE or path.stem in (*FEW, "manifest"):
            there = folder / "samples" / path.relative_to(ROOT / "resources" / "samples")
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, there)
    command = (
        f"import {folder}/parts.project --images {folder}/samples/images "
        f"--masks {folder}/samples/masks --manifest {folder}/samples/manifest.csv "
        "--class-column class --group-column group --val .3"
    )
    assert CliRunner().invoke(app, shlex.split(command), catch_exceptions=False).exit_code == 0
    return folder


@pytest.fixture
def desk(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page's own folder, entered."""
    (tmp_path / "samples").symlink_to(shelf / "samples")
    shutil.copytree(shelf / "parts.project", tmp_path / "parts.project")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.stem)
def test_the_commands_and_examples_of_a_page_run(page: Path, desk: Path) -> None:
    """In their order, as they stand there, but for the steps of a training."""
    names: dict[str, object] = {}
    for block in BLOCK.finditer(text_of(page)):
        left_out = "not run: ", "curl ", *(() if WHOLE else ("in tox -e docs: ",))
        if (block["why"] or "").startswith(left_out):  # curl: test_page.py
            continue
        if block["kind"] == "python":
            exec(compile(block["code"], page.name, "exec"), names)
            continue
        for line in _lines(block["code"]):
            _run(line)
    check = CHECKS.get(page.stem)
    if check is not None:
        check(desk)


def _lines(code: str) -> Iterator[str]:
    for line in code.replace("\\\n", " ").splitlines():
        if line.strip() and not line.startswith("#"):
            yield line


def _run(line: str) -> None:
    program, *words = shlex.split(line, comments=True)
    if program != "napari-sam-tune":
        subprocess.run(["sh", "-euc", line], check=True, env={**os.environ})
        return
    done = CliRunner().invoke(app, _quicker(words), catch_exceptions=False)
    assert done.exit_code == 0, f"{line}\n{done.output}"


def _quicker(words: list[str]) -> list[str]:
    """Return a command that takes seconds: to start a program for each takes longer."""
    verb = words[0]
    words = [re.sub(r"steps=\d+", "steps=2", word) for word in words]
    words = ["lora.rank=2,8" if word.startswith("lora.rank=2,") else word for word in words]
    if "--seeds" in words:
        words[words.index("--seeds") + 1] = "1"
    if verb in ("train", "sweep"):
        words += [part for name, n in QUICK.items() for part in ("--set", f"{name}={n}")]
    if verb == "evaluate" and not _judges_a_head(words):
        words += ["--limit", "2"]
    if verb == "simulate":
        words += ["--limit", "1", "--max-clicks", "2"]
    return words


def _judges_a_head(words: list[str]) -> bool:
    """Say whether an evaluation is of a promptless head, which looks at whole images."""
    return "--weights" in words and is_head(load_file(words[words.index("--weights") + 1]))


def _fine_tuned(folder: Path) -> None:
    """What tutorials A to D say they leave is there."""
    runs = folder / "runs"
    assert json.loads((runs / "a" / "report" / "metrics.json").read_text())
    assert all(name.startswith("mask_decoder.") for name in load_file(runs / "a" / WEIGHTS))
    with Image.open(runs / "b" / "sweep.png") as chart:
        assert chart.size[0] > 400
    adapters = load_file(runs / "b" / "adapters.safetensors")
    width = 256
    assert sum(t.numel() for t in adapters.values()) == 3 * 2 * (2 * width * 8)
    assert load_model(runs / "b" / "merged.pth").architecture == "starter2"
    splits = {a.split for a in Project.open(folder / "parcels.project").annotations()}
    assert splits == {"train", "held_out", "test"}
    assert not [name for name in load_file(runs / "c" / WEIGHTS) if "iou_prediction_head" in name]
    tensors = {name.split(".")[0] for name in load_file(runs / "d" / WEIGHTS)}
    assert tensors == {"promptless_head", "image_encoder"}
    images = list((folder / "samples" / "images").iterdir())
    assert len(list((runs / "d" / "masks").glob("*.png"))) == 2 * len(images)


def _exchanged(folder: Path) -> None:
    """What went out and came in again is the same."""

    def objects(name: str) -> list[tuple[str, str, int]]:
        project = Project.open(folder / f"{name}.project", create=False)
        found = project.annotations()
        return sorted((a.image_id, a.label, int(a.mask.sum())) for a in found)

    mine = objects("mine")
    for name in ("back", "from-roboflow", "from-qupath", "from-yolo"):
        assert objects(name) == mine, name


WEIGHTS = "weights.safetensors"
CHECKS = {"fine-tune": _fine_tuned, "exchange": _exchanged}
