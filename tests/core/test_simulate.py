"""The robot and the sequence protocol, through the command line as a user would run it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_sam_tune import Predictor, Project, SamTuneError, Session, TrainConfig
from napari_sam_tune.cli import app
from napari_sam_tune.core.evaluation.robot import Robot
from napari_sam_tune.core.evaluation.simulate import order_groups, run_sequence, summarise
from napari_sam_tune.core.exchange.labelled_images import LabelledImage, read_pairs, true_objects

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("at_128_px")


def save(path: Path, array: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six images of two discs each, in three groups of two, with a manifest."""
    rows, columns = np.mgrid[:96, :96]
    lines = ["stem,kind,part"]
    for number in range(6):
        rng = np.random.default_rng(number)
        image = rng.normal(150, 8, (96, 96))
        mask = np.zeros((96, 96), np.uint8)
        for x, y in ((25, 30), (70, 60)):
            disc = (columns - x) ** 2 + (rows - y - number) ** 2 < 80
            image[disc] -= 70
            mask[disc] = 255
        save(tmp_path / "images" / f"im {number}.png", image.clip(0, 255).astype(np.uint8))
        save(tmp_path / "masks" / f"im {number}.png", mask)
        lines.append(f"im {number},{'pit' if number % 2 else 'void'},part{number // 2}")
    (tmp_path / "manifest.csv").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


def simulate(folder: Path, *options: str) -> dict:
    out = folder / "report.json"
    arguments = ["simulate", "--images", folder / "images", "--masks", folder / "masks"]
    arguments += ["--manifest", folder / "manifest.csv", "--class-column", "kind"]
    arguments += ["--group-column", "part", "--device", "cpu", "--out", out, *options]
    arguments += ["--overwrite"]
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(out.read_text(encoding="utf-8"))


def test_frozen_report_holds_what_was_promised(folder: Path) -> None:
    report = simulate(folder, "--frozen", "--max-clicks", "3", "--project", str(folder / "project"))
    rows, summary = report["objects"], report["summary"]
    assert len(rows) == 12
    assert {row["class"] for row in rows} == {"pit", "void"}
    assert [row["group"] for row in rows] == sorted(
        (row["group"] for row in rows), key=[r["group"] for r in rows].index
    )
    for row in rows:
        assert len(row["iou_at"]) == len(row["score_at"]) == 3
        assert row["reached"] == (row["score_at"][row["clicks"] - 1] >= 0.85)
        assert row["weights_version"] == "base"
    assert summary["cumulative_clicks"] == sum(row["clicks"] for row in rows)
    assert set(summary["noc"]) == {"0.70", "0.80", "0.85", "0.90"}
    assert summary["failure_rate"] == pytest.approx(
        np.mean([not row["reached"] for row in rows]), abs=1e-4
    )
    assert set(summary["seconds"]) == {"encoding", "proposing", "training"}
    assert report["rounds"] == []

    again = simulate(folder, "--frozen", "--max-clicks", "3", "--objects", "5")
    assert again["objects"] == rows[:5]  # the seed decides everything


def test_learning_scores_a_group_before_it_trains_on_it(folder: Path) -> None:
    pairs = read_pairs(
        folder / "images",
        folder / "masks",
        manifest=folder / "manifest.csv",
        class_column="kind",
        group_column="part",
    )
    session = Session(
        Project.open(folder / "project"),
        Predictor.from_checkpoint("starter", device="cpu"),
        config=TrainConfig(steps=2, judge_objects=2, parts=("decoder",)),
        source="robot",
        zoom=False,
    )
    with session:
        result = run_sequence(session, order_groups(pairs, 0), Robot(max_clicks=2), every=4)
    assert len(result.rounds) == 3
    versions: dict[str, set[str]] = {}
    for row in result.objects:
        versions.setdefault(row.group, set()).add(row.weights_version)
    used = [version for group in versions.values() for version in group]
    assert len(used) == 3  # one version a group: nothing changed while it was scored
    assert used[0] == "base"
    assert used[1:] == [r.version for r in result.rounds[:2]]
    assert result.to_json()["summary"]["seconds"]["training"] > 0


def test_what_is_there_already_is_neither_replaced_nor_worked_in(folder: Path) -> None:
    (folder / "report.json").write_text("mine")
    Project.open(folder / "p").set_class("pit", "#ff8800")
    places = ["--images", folder / "images", "--masks", folder / "masks", "--frozen"]
    for wrong, said in (
        (["--out", folder / "report.json"], "exists already"),
        (["--out", folder / "images", "--overwrite"], "is a folder"),
        (["--out", folder / "new.json", "--project", folder / "p"], "Name a new folder"),
    ):
        result = CliRunner().invoke(app, [str(a) for a in ("simulate", *places, *wrong)])
        assert said in str(result.exception)
    assert (folder / "report.json").read_text() == "mine"
    assert not Project.open(folder / "p").images()


def test_groups_stay_whole_and_the_seed_shuffles_them() -> None:
    pairs = [LabelledImage(f"s{i}", *[None] * 2, "d", f"g{i // 3}") for i in range(30)]
    groups = order_groups(pairs, seed=1, limit=4)
    assert len(groups) == 4
    assert all(len({pair.group for pair in group}) == 1 and len(group) == 3 for group in groups)
    assert groups == order_groups(pairs, seed=1)[:4]
    assert groups != order_groups(pairs, seed=2)[:4]


def test_objects_of_a_mask(tmp_path: Path) -> None:
    binary = np.zeros((40, 60), np.uint8)
    binary[2:8, 2:8] = binary[20:30, 20:40] = 255
    binary[24:26, 25:35] = 0  # a hole stays a hole
    binary[35, 50] = 255  # a speck is no object
    labels = np.zeros((40, 60), np.uint16)
    labels[2:8, 2:8] = labels[20:30, 20:40] = 3  # two parts of one object
    labels[10:15, 10:15] = 300
    for name, mask, count in (("binary", binary, 2), ("labels", labels, 2)):
        path = save(tmp_path / f"{name}.png", mask)
        pair = LabelledImage(name, path, path, "d", name)
        objects = true_objects(pair, (40, 60))
        assert len(objects) == count
        assert sum(o.mask.sum() for o in objects) == (mask > 0).sum() - (name == "binary")


def test_bad_folders_are_named(folder: Path) -> None:
    with pytest.raises(SamTuneError, match="No image in"):
        read_pairs(folder / "images", folder)
    with pytest.raises(SamTuneError, match="has no column colour"):
        read_pairs(
            folder / "images",
            folder / "masks",
            manifest=folder / "manifest.csv",
            class_column="colour",
        )


def test_the_summary_of_nothing_is_no_error() -> None:
    assert summarise([])["cumulative_clicks"] == 0


def test_real_photographs(magnetic_tile: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    arguments = [
        *("simulate", "--images", magnetic_tile / "images", "--masks", magnetic_tile / "masks"),
        *("--manifest", magnetic_tile / "manifest.csv", "--class-column", "class"),
        *("--group-column", "tile", "--limit", "1", "--max-clicks", "3", "--every", "4"),
        *("--device", "cpu", "--out", out, "--seed", "10"),  # a tile of six defects
    ]
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    report = json.loads(out.read_text(encoding="utf-8"))
    assert report["summary"]["objects"] == 6
    assert [finished["report"]["error"] for finished in report["rounds"]] == [None]


def test_the_robot_draws_along_what_is_elongated(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:96, :96]
    line = (abs(rows - 20 - columns // 4) <= 1) & (columns > 8) & (columns < 80)
    disc = (columns - 60) ** 2 + (rows - 70) ** 2 < 120
    image = np.random.default_rng(0).normal(150, 6, (96, 96)) - 70 * (line | disc)
    save(tmp_path / "images" / "part.png", image.clip(0, 255).astype(np.uint8))
    save(tmp_path / "masks" / "part.png", (line + 2 * disc).astype(np.uint8))
    (tmp_path / "manifest.csv").write_text("stem,kind,part\npart,crack,a\n", encoding="utf-8")
    options = ("--frozen", "--max-clicks", "3", "--target", "0.7", "--project")
    report = simulate(tmp_path, "--stroke", *options, str(tmp_path / "project"))
    drawn, clicked = report["objects"]
    assert (drawn["clicks"], drawn["actions"], drawn["reached"]) == (0, 1, True)
    assert drawn["score_at"][0] >= 0.7
    assert len(drawn["score_at"]) == 3
    assert clicked["actions"] == clicked["clicks"] > 0
    assert report["summary"]["actions"] == 1 + report["summary"]["cumulative_clicks"]
    crack, _ = Project.open(tmp_path / "project").annotations()
    assert (crack.effort.clicks, crack.effort.strokes) == (0, 1)
    assert [len(prompt.strokes) for prompt in crack.prompts] == [1]


def test_the_robot_asks_for_similar_objects_and_stops_in_time(folder: Path) -> None:
    options = ("--frozen", "--max-clicks", "3", "--target", "0.7")
    report = simulate(folder, "--similar", *options, "--objects", "9")
    rows, summary = report["objects"], report["summary"]
    assert len(rows) == len({(row["stem"], row["object"]) for row in rows}) == 9
    found = [row for row in rows if row["clicks"] == 0]
    assert found
    assert all(row["actions"] == 1 and row["reached"] for row in found)
    assert summary["cumulative_clicks"] == sum(row["clicks"] for row in rows)
    # asking, at least once, is an action too
    assert summary["actions"] > sum(row["actions"] for row in rows)
    plain = simulate(folder, "--no-instant", *options, "--objects", "3")
    assert plain["summary"]["actions"] == plain["summary"]["cumulative_clicks"]
