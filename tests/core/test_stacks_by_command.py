"""Stacks on the command line: imported with label volumes, embedded, answered about, exported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from napari_sam_tune.cli import app
from napari_sam_tune.core.errors import ImageError
from napari_sam_tune.core.project.project import Project

if TYPE_CHECKING:
    from pathlib import Path

PLANES, SHAPE = 3, (96, 128)


def labels() -> np.ndarray:
    """Two discs that move through the planes, numbered alike in all."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    volume = np.zeros((PLANES, *SHAPE), np.uint16)
    for z in range(PLANES):
        for number, (y, x) in {3: (30, 40 + 2 * z), 7: (60, 90 - 2 * z)}.items():
            volume[z][(rows - y) ** 2 + (columns - x) ** 2 <= 15**2] = number
    return volume


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A stack of two channels of which the file says nothing, and its label volume."""
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    volume = labels()
    noise = np.random.default_rng(0).normal(90, 5, (PLANES, 2, *SHAPE))
    noise[:, 1] += 80 * (volume > 0)
    tifffile.imwrite(
        tmp_path / "images" / "cells.tif", noise.astype(np.uint8), photometric="minisblack"
    )
    tifffile.imwrite(tmp_path / "masks" / "cells.tif", volume, photometric="minisblack")
    return tmp_path


def run(*words: object) -> str:
    result = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


SAID = ("--axes", "ZCYX", "--channels", "1")


def test_what_nobody_says_is_asked_in_a_sentence(folder: Path) -> None:
    masks = ("import", folder / "p", "--images", folder / "images", "--masks", folder / "masks")
    with pytest.raises(ImageError, match="--axes"):
        run(*masks)
    with pytest.raises(ImageError, match="--channels 0,1"):
        run(*masks, "--axes", "ZCYX")
    with pytest.raises(ImageError, match="names no channels"):
        run(*masks, "--channels", "red")
    assert not (folder / "p").exists()


def test_stacks_are_imported_embedded_judged_and_exported(folder: Path) -> None:
    images, masks, at = folder / "images", folder / "masks", folder / "p"
    run("import", at, "--images", images, "--masks", masks, *SAID, "--test", "0")
    project = Project.open(at)
    names = [f"cells.tif [z {z}]" for z in range(PLANES)]
    assert [record.id for record in project.images()] == names
    assert {record.group for record in project.images()} == {"cells.tif"}
    things = project.things()
    assert len(things) == 2
    assert all([mask.image_id for mask in found] == names for found in things.values())
    assert project.stack_of(names[0]).depth_role == "slices"
    lines = (at / "log.jsonl").read_text()
    run("import", at, "--images", images, "--masks", masks, *SAID, "--test", "0")
    assert (at / "log.jsonl").read_text() == lines  # the same again changes nothing

    run("embed", images, "--project", at)  # as it was said in the project
    said = run("export", "masks", at, "--format", "volumes", "--out", folder / "volumes")
    assert "volumes" in said
    (written,) = (folder / "volumes").rglob("*.tif")
    drawn = np.squeeze(tifffile.imread(written))
    assert [set(np.unique(drawn[labels() == n])) for n in (3, 7)] in ([{1}, {2}], [{2}, {1}])


def test_planes_are_answered_about_one_by_one(folder: Path) -> None:
    out = folder / "out"
    said = run("predict", folder / "images", "--out", out, "--point", "42,30", *SAID)
    assert said.count("cells.tif [z ") == PLANES
    found = sorted(file.name for file in out.glob("*_mask.png"))
    assert found == [f"cells [z {z}]_mask.png" for z in range(PLANES)]
