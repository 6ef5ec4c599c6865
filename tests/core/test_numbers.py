"""The numbers of a project, as Python, as tables, as a picture, by the command."""

from __future__ import annotations

import csv
import errno
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from test_project import PIXELS, register
from typer.testing import CliRunner

from napari_sam_tune.cli import app
from napari_sam_tune.core.errors import StorageError
from napari_sam_tune.core.evaluation.charts import draw_losses
from napari_sam_tune.core.evaluation.number_charts import draw_numbers
from napari_sam_tune.core.evaluation.numbers import GRID, _places, numbers_of, write_tables
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.project.review import Attribute, person
from napari_sam_tune.core.prompts import Effort

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project.open(tmp_path / "p")
    for number in range(4):
        register(project, f"{number}.png", pixels=PIXELS ^ number)
    project.set_class("=pit $x$", "#e5554f")
    project.set_class("unused", "#5b8def")
    for side, label in ((2, "=pit $x$"), (4, "=pit $x$"), (10, "crack")):
        mask = np.zeros(PIXELS.shape[:2], bool)
        mask[:side, :side] = True
        effort = Effort(clicks=side, seconds=1.5 * side)
        project.add(NewAnnotation("0.png", mask, label, effort=effort))
    project.add(NewAnnotation("1.png", mask, "crack", source="import"))
    project.mark_done("2.png", empty=True)
    project.set_image_review("1.png", state="second_look", note="+unscharf", by="Ada")
    project.set_attributes("crack", [Attribute("=cause"), Attribute("depth", "number")])
    for annotation, depth in zip(project.annotations()[2:], (0.5, 2), strict=True):
        project.set_review(annotation.id, values={"=cause": "heat", "depth": depth})
    return project


def test_what_a_project_holds_is_counted(project: Project) -> None:
    counted = numbers_of(project)
    assert [(c.name, c.colour, c.masks, c.images) for c in counted.classes] == [
        ("=pit $x$", "#e5554f", 2, 1),
        ("unused", "#5b8def", 0, 0),
        ("crack", None, 2, 2),
    ]
    assert counted.classes[0].areas[0] == 4
    assert counted.classes[0].areas[-1] == 16
    assert sum(map(sum, (c.sizes for c in counted.classes))) == counted.masks == 4
    assert counted.without_masks == ("3.png",)
    assert counted.image_states == {"to_do": 2, "second_look": 1, "done": 1}
    assert counted.states == {"accepted": 4}
    assert [(one.values.text, one.masks) for one in counted.noted] == [
        ("=cause: heat", 2),
        ("depth: 0.5", 1),
        ("depth: 2", 1),
    ]
    assert counted.by_person == {person(): 4}
    assert [(c.number, c.actions, c.seconds) for c in counted.costs] == [
        (1, 2, 3.0),
        (2, 4, 6.0),
        (3, 10, 15.0),
    ]
    assert counted.places.sum() == pytest.approx(4)
    assert counted.places[0, 0] == counted.places.max()
    assert counted.places[-1, -1] == 0


@given(st.lists(st.tuples(*[st.integers(0, 199)] * 4), max_size=4))
@settings(max_examples=60)
def test_each_mask_counts_once_in_the_heat_map(corners: list[tuple[int, ...]]) -> None:
    boxes = [
        ((min(a, b), min(c, d), max(a, b) + 1, max(c, d) + 1), (200, 200)) for a, b, c, d in corners
    ]
    places = _places(boxes)
    assert places.shape == (GRID, GRID)
    assert places.sum() == pytest.approx(len(boxes))
    assert (places >= 0).all()


def test_the_command_prints_and_writes_tables_and_a_picture(
    project: Project, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in ("classes.csv", "images.csv", "masks.csv"):  # as an export has them
        (out / name).write_text("of an export")
    command = ["numbers", str(project.path), "--out", str(out)]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0
    assert "1 image(s) have no mask" in " ".join(done.output.split())
    with (tmp_path / "out" / "numbers-classes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["class"], row["masks"]) for row in rows] == [
        ("'=pit $x$", "2"),
        ("unused", "0"),
        ("crack", "2"),
    ]
    with (tmp_path / "out" / "numbers-attributes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {"attribute": "'=cause", "from": "heat", "to": "heat", "masks": "2"}
    assert "depth: 0.5" in done.output
    with (tmp_path / "out" / "numbers-images.csv").open(encoding="utf-8", newline="") as file:
        second = list(csv.DictReader(file))[1]
    assert (second["state"], second["by"], second["note"]) == ("second_look", "Ada", "'+unscharf")
    assert {file.read_text() for file in out.glob("[!n]*.csv")} == {"of an export"}
    with Image.open(tmp_path / "out" / "numbers.png") as picture:
        assert picture.width > 1000
    with pytest.raises(FileExistsError, match="holds numbers already"):
        CliRunner().invoke(app, command, catch_exceptions=False)


def test_what_was_written_before_stays_where_the_disk_is_full(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = numbers_of(project)
    table, picture = tmp_path / "numbers-classes.csv", tmp_path / "numbers.png"
    for file in (table, picture):
        file.write_text("before", encoding="utf-8")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    for write in (
        lambda: write_tables(counted, tmp_path),
        lambda: draw_numbers(counted, picture),
        lambda: draw_losses([1.0, 0.5], picture),
    ):
        with pytest.raises(StorageError, match="disk is full"):
            write()
    assert {file.read_text("utf-8") for file in (table, picture)} == {"before"}
    assert {file for file in tmp_path.iterdir() if file.is_file()} == {table, picture}


def test_an_empty_project_has_numbers_and_a_picture(tmp_path: Path) -> None:
    counted = numbers_of(Project.open(tmp_path / "p"))
    assert (counted.masks, counted.without_masks) == (0, ())
    draw_numbers(counted, tmp_path / "empty.svg")
    assert (tmp_path / "empty.svg").read_text("utf-8").startswith("<?xml")
