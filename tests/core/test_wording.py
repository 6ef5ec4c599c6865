"""Every text of the dock can be translated, and translations are those of the texts there are."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

import napari_sam_tune
from napari_sam_tune.core.texts import wording

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(napari_sam_tune.__file__).parent
LANGUAGES = sorted((PACKAGE / "resources" / "translations").glob("*.ts"))
MODULES = sorted(PACKAGE.rglob("*.py"))
# but for a style sheet, and what tells a translator of a fault in a file
OF_THE_DOCK = set((PACKAGE / "ui").rglob("*.py")) - {
    PACKAGE / "ui" / "views" / "look.py",
    PACKAGE / "ui" / "translation.py",
}
LOOKS_WRITTEN = re.compile(r"(?=.*[A-Za-z]{2})(.*\s|[^A-Za-z]*[A-Z]|.*…)", re.DOTALL)
SAME_EVERYWHERE = re.compile(
    # keys, kinds of files, markup, the choices of the manifest, the name of the command
    r"(Shift|Ctrl|Alt|Control|Escape|Esc|Space|Z, P, E)([-+].*)?| \(\*\..*|\s*[<#].*"
    r"|LoRA|decoder and neck|whole model|napari-sam-tune demo",
    re.DOTALL,
)
ENGLISH = {
    # what only the command line says: readers of formats but COCO's, which napari opens with us
    *("commands", "starter", "demo.py", "core/batch", "core/cluster", "core/documents.py"),
    *("core/evaluation", "core/exchange", "core/promptless/fit.py", "core/rounds/run.py"),
    *("core/training", "formats/binary.py", "formats/cellpose.py", "formats/csv_list.py"),
    *("formats/cvat_xml.py", "formats/exported_folder.py", "formats/folder.py"),
    *("formats/geojson.py", "formats/label_images.py", "formats/labelme.py"),
    *("formats/ome_zarr.py", "formats/palettes.py", "formats/plain_pickle.py"),
    *("formats/registry.py", "formats/stack_folder.py", "formats/text_files.py"),
    *("formats/voc.py", "formats/voc_painted.py", "formats/xml_files.py", "formats/yolo.py"),
    # what is said to programs and their authors: calls from Python, and of the endpoint
    *("core/answers/encoding.py", "core/answers/predictor.py", "core/geometry/placed_mask.py"),
    *("core/models/network.py", "core/models/weights_file.py", "core/project/images.py"),
    *("core/project/reviewing.py", "core/project/stacking.py", "core/prompts.py"),
    *("core/rounds/runners.py", "core/scoring.py", "core/sharing/intake.py"),
    *("core/storage/embeddings.py", "formats/weights/export.py", "service"),
}
"""Rooms and modules whose errors nobody meets in the dock; CONTRIBUTING.md says so."""
NOT_SHOWN = {"setStyleSheet", "ThreadPoolExecutor", "Thread", "cast", "AttributeError"}
"""Calls whose texts nobody reads in the dock."""


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _callee(node: ast.AST) -> str:
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def _shown(node: ast.AST) -> Iterator[ast.Constant]:
    """Yield the literals below a node but for texts, keys, types, the log and docstrings."""
    callee = _callee(node)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node
    if callee.startswith("_log.") or callee.split(".")[-1] in NOT_SHOWN:
        return
    for name, field in ast.iter_fields(node):
        if name in ("annotation", "returns", "format_spec", "slice"):
            continue
        if name == "args" and callee in ("tr", "mark"):
            continue
        for child in field if isinstance(field, list) else [field]:
            is_docstring = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            if isinstance(child, ast.AST) and not is_docstring:
                yield from _shown(child)


def _texts(file: Path) -> Iterator[tuple[str, str]]:
    """Yield the texts of a module and what they are for one, as Qt's lupdate finds them."""
    for node in ast.walk(_tree(file)):
        if _callee(node) in ("tr", "mark"):
            said = [a.value for a in node.args if isinstance(a, ast.Constant)]
            if said:
                yield said[0], "".join(said[1:])


def _places(text: str) -> set[str]:
    """Return the names of the values in a text."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_no_text_of_the_dock_goes_past_the_translation():
    found = {
        f"{file.relative_to(PACKAGE)}:{literal.lineno}": literal.value
        for file in OF_THE_DOCK
        for literal in _shown(_tree(file))
        if LOOKS_WRITTEN.match(literal.value) and not SAME_EVERYWHERE.fullmatch(literal.value)
    }
    assert not found, "write them as tr(…), see core/texts/wording.py"


def test_errors_that_the_dock_can_show_are_translated():
    names = {
        n.name for n in _tree(PACKAGE / "core" / "errors.py").body if isinstance(n, ast.ClassDef)
    }
    found, excused = [], set()
    for file in MODULES:
        place = file.relative_to(PACKAGE)
        rooms = {place.as_posix(), *(parent.as_posix() for parent in place.parents)} & ENGLISH
        for node in ast.walk(_tree(file)):
            is_ours = _callee(node).split(".")[-1] in names
            if is_ours and node.args and isinstance(node.args[0], ast.Constant | ast.JoinedStr):
                excused |= rooms
                found += [] if rooms else [f"{place}:{node.lineno}"]
    assert not found, "write them as tr(…), or say above why nobody meets them in the dock"
    assert excused == ENGLISH, "what has no English error any more needs no excuse"


@pytest.mark.parametrize("file", LANGUAGES, ids=lambda file: file.stem)
def test_translations_are_those_of_the_texts_there_are(file):
    """After a change of texts: tox -e texts, then translate what is new."""
    wanted = {text for module in MODULES for text in _texts(module)}
    there = {}
    for message in ElementTree.parse(file).iter("message"):
        translation = message.find("translation")
        forms = [form.text for form in translation.iter("numerusform")] or [translation.text]
        key = message.findtext("source"), message.findtext("comment", "")
        assert translation.get("type") is None, f"{key} is not translated"
        assert bool(key[1]) == (message.get("numerus") == "yes")
        there[key] = forms
    assert there.keys() == wanted
    for (text, one), forms in there.items():
        assert not one or _places(text) - {"n"} == _places(one), text
        assert all(form and _places(form) <= _places(text) for form in forms), text
        assert _places(text) - {"n"} <= set().union(*map(_places, forms)), text


def test_a_text_says_its_values_and_the_number_that_words_follow(monkeypatch):
    def say(count):
        return wording.tr("{n:,} masks on “{name}”", "1 mask on “{name}”", n=count, name="{n}")

    assert [say(0), say(1), say(1234)] == [
        "0 masks on “{n}”",
        "1 mask on “{n}”",
        "1,234 masks on “{n}”",
    ]
    assert wording.join_sentences("One.", None, "", "Two.") == "One. Two."
    asked = []
    monkeypatch.setattr(wording, "_translate", lambda *text: asked.append(text))
    assert say(1) == "1 mask on “{n}”"  # what has no translation stays English
    assert asked == [("{n:,} masks on “{name}”", "1 mask on “{name}”", 1)]
