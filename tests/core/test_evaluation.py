"""Tuned against base: the measures by hand, and the report through the command line."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from segment_anything import SamPredictor
from tuned_files import project_of_discs, write_blind, write_shifted
from typer.testing import CliRunner

from napari_sam_tune import Predictor, SamTuneError
from napari_sam_tune.cli import app
from napari_sam_tune.core.answers.tuned import open_tuned
from napari_sam_tune.core.errors import CheckpointError, ProjectError
from napari_sam_tune.core.evaluation.comparison import bootstrap_interval, summarise
from napari_sam_tune.core.evaluation.evaluation import ObjectComparison, choose_objects, evaluate
from napari_sam_tune.core.evaluation.measuring import Answer, Measured, measure
from napari_sam_tune.core.evaluation.report import choose_pictures
from napari_sam_tune.core.images.files import content_hash, to_rgb8
from napari_sam_tune.core.models.base import BaseRef
from napari_sam_tune.core.project.annotations import NewAnnotation
from napari_sam_tune.core.scoring import boundary_iou, dice
from napari_sam_tune.starter.evaluate import click_through

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.usefixtures("at_128_px")


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_dice_and_boundary_iou_by_hand() -> None:
    # a diagonal of 50 px: an edge of 2 % is one pixel wide
    square, shifted = np.zeros((2, 30, 40), bool)
    square[10:16, 10:16] = True
    shifted[10:16, 11:17] = True
    assert dice(square, shifted) == pytest.approx(2 * 30 / 72)
    # rings of 20 px: they share 5 px of the upper side, 5 of the lower, and none of left and right
    assert boundary_iou(square, shifted) == pytest.approx(10 / 30)
    filled, ring = square.copy(), square.copy()
    ring[12:14, 12:14] = False
    assert dice(filled, ring) == pytest.approx(64 / 68)
    # the hole has an edge of its own: all 12 px around it, beside the 20 that both have
    assert boundary_iou(filled, ring) == pytest.approx(20 / 32)
    # twice as wide an edge leaves only the inner 2 × 2 px of the square out, as the hole does
    assert boundary_iou(filled, ring, dilation=0.04) == pytest.approx(1.0)
    corner = np.zeros((30, 40), bool)
    corner[:4, :4] = True  # what lies beyond the image is outside: the edge is all of 12 px
    notched = corner.copy()
    notched[0, 0] = False  # it loses the corner and gains the pixel diagonally behind it
    assert boundary_iou(corner, notched) == pytest.approx(11 / 13)
    nothing = np.zeros((30, 40), bool)
    assert dice(nothing, nothing) == boundary_iou(nothing, nothing) == 1
    assert dice(square, nothing) == boundary_iou(square, nothing) == 0
    with pytest.raises(SamTuneError, match="30 × 40"):
        boundary_iou(np.zeros((9, 9), bool), square)


def test_boundary_iou_is_that_of_the_reference_implementation() -> None:
    def edge(mask: np.ndarray, dilation_ratio: float = 0.02) -> np.ndarray:
        # bowenc0221/boundary-iou-api, boundary_iou/utils/boundary_utils.py, mask_to_boundary
        height, width = mask.shape
        steps = max(1, round(dilation_ratio * np.sqrt(height**2 + width**2)))
        padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=steps)
        return mask & (eroded[1 : height + 1, 1 : width + 1] == 0)

    rng = np.random.default_rng(0)
    for shape in ((60, 90), (170, 140)):
        smooth = [gaussian_filter(rng.normal(size=shape), 6) > 0 for _ in range(2)]
        edges = [edge(mask) for mask in smooth]
        wanted = np.sum(edges[0] & edges[1]) / np.sum(edges[0] | edges[1])
        assert boundary_iou(*smooth) == pytest.approx(wanted)


def test_interval_of_a_mean() -> None:
    rng = np.random.default_rng(5)
    names = [str(number) for number in range(20)]
    assert bootstrap_interval(np.full(20, 0.1), names) == pytest.approx((0.1, 0.1))
    assert bootstrap_interval(np.array([0.3]), ["a"]) is None
    held = 0
    for _ in range(400):
        interval = bootstrap_interval(rng.normal(0.2, 1, 8), names[:8])
        held += interval is not None and interval[0] <= 0.2 <= interval[1]
    assert 0.92 <= held / 400 <= 0.98  # of 95 %, three standard errors either way
    # five objects of each part that are all alike say no more than the parts do
    values = rng.normal(0, 1, 6)
    alone = bootstrap_interval(values, names[:6])
    alike = bootstrap_interval(np.repeat(values, 5), list(np.repeat(names[:6], 5)))
    assert alone is not None
    assert alike == pytest.approx(alone)


def row(number: int, gain: float, predicted: float = 0.5) -> ObjectComparison:
    def measured(iou: float) -> Measured:
        answer = Answer(iou, iou, iou, iou, predicted)
        return Measured(answer, answer, (iou, 0.8, 0.81, 0.9))

    base, tuned = measured(0.4), measured(0.4 + gain)
    return ObjectComparison(f"{number:03}", "im", "pit", 90, str(number), False, base, tuned)


def test_means_clicks_and_choice_of_pictures() -> None:
    rows = [row(n, gain) for n, gain in enumerate((0.3, -0.2, 0.1, 0.0, 0.2, 0.05, -0.1))]
    summary = summarise(rows)
    assert summary.metrics["box_dice"].difference == pytest.approx(0.05)
    assert summary.metrics["point_iou_error"].base == pytest.approx(0.1)
    assert summary.metrics["noc80"].tuned == 2
    assert summary.metrics["noc85"].tuned == 4
    assert summary.correlation == {"base": None, "tuned": None}  # always the same prediction
    chosen = {choice.name: choice.row.gain for choice in choose_pictures(rows)}
    assert chosen == pytest.approx(
        {"best-1": 0.3, "best-2": 0.2, "worst-1": -0.2, "worst-2": -0.1} | {"middle-1": 0.1}
        | {"middle-2": 0.05}
    )  # fmt: skip
    assert [choice.name for choice in choose_pictures(rows[:1])] == ["best-1"]


def test_the_robot_clicks_as_in_the_published_protocol(tmp_path: Path) -> None:
    project = project_of_discs(tmp_path)
    predictor = Predictor.from_checkpoint("starter", "cpu")
    objects = [a for a in project.annotations() if a.split == "held_out"][:1]
    [(annotation, (found,))] = measure(project, predictor, objects, (None,), max_clicks=4)
    sam = SamPredictor(predictor.sam)
    sam.set_image(to_rgb8(project.read_image(annotation.image_id)))
    published = click_through(sam, annotation.mask, 4)
    assert found.point.iou == published.ious[0]
    assert found.point.predicted_iou == pytest.approx(max(published.predicted))
    content = next((n for n, s in enumerate(published.scores) if s >= 0.85), 3)
    assert found.score_at[: content + 1] == published.scores[: content + 1]


def run(*arguments: object) -> str:
    result = CliRunner().invoke(
        app, ["evaluate", *map(str, arguments), "--device", "cpu"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


def test_report_of_weights_that_only_predict_another_iou(tmp_path: Path) -> None:
    project, out = project_of_discs(tmp_path), tmp_path / "report"
    weights = write_shifted(tmp_path / "shifted.safetensors", 0.25)
    printed = run(project.path, "--weights", weights, "--out", out, "--limit", 2)
    assert "no test set" in " ".join(printed.split())

    found = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert found["split"] == "held_out"
    assert {line["class"] for line in found["rows"]} == {"pit", "void"}  # spread over classes
    for line in found["rows"]:
        base, tuned = line["base"], line["tuned"]
        assert base["noc"] == tuned["noc"]
        assert 1 <= base["noc"]["0.80"] <= base["noc"]["0.85"] <= 20
        for prompt in ("point", "box"):
            assert tuned[prompt]["predicted_iou"] - base[prompt]["predicted_iou"] == pytest.approx(
                0.25, abs=1e-3
            )
            same = ("iou", "dice", "boundary_iou", "score")
            assert [tuned[prompt][name] for name in same] == [base[prompt][name] for name in same]
    means = found["summary"]["metrics"]
    assert means["box_iou"]["difference"] == 0
    assert means["box_iou"]["base"] > 0.5  # the discs are easy
    assert set(found["classes"]) == {"pit", "void"}

    text = (out / "report.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\((.+?)\)", text)
    assert {"objects.png", "classes.png", "loss.png", "pictures/best-1.png"} <= set(linked)
    for name in linked:
        with Image.open(out / name) as picture:
            assert min(picture.size) > 200

    again = ["evaluate", str(project.path), "--weights", str(weights), "--out", str(out)]
    refused = CliRunner().invoke(app, again)
    assert isinstance(refused.exception, FileExistsError)
    assert "--overwrite" in str(refused.exception)


def test_weights_that_see_nothing_lose_everything(tmp_path: Path) -> None:
    project = project_of_discs(tmp_path)
    predictor, tuned = open_tuned(write_blind(tmp_path / "blind.safetensors"), device="cpu")
    found = evaluate(project, predictor, tuned, split="held_out", limit=1, max_clicks=2)
    [only] = found.objects
    assert only.tuned.point.iou == only.tuned.box.boundary_iou == 0
    assert only.base.box.iou > 0.5
    assert predictor.weights.version == "base"


def test_a_test_set_goes_before_held_out_objects(tmp_path: Path) -> None:
    project = project_of_discs(tmp_path)
    held_out = [a for a in project.annotations() if a.split == "held_out"]
    assert choose_objects(project)[:2] == (held_out, "held_out")
    pixels = np.zeros((40, 60), np.uint8)
    project.add_image(
        "t.png", shape=pixels.shape, content_hash=content_hash(pixels), array=pixels, split="test"
    )
    tested = project.add(NewAnnotation("t.png", np.eye(40, 60, dtype=bool), "pit"))
    assert choose_objects(project) == ([tested], "test", "")
    chosen, split, remark = choose_objects(project, "held_out")
    assert (chosen, split) == (held_out, "held_out")
    assert "flatters" in remark


def test_what_cannot_be_evaluated_says_why(tmp_path: Path) -> None:
    nothing_held_out = project_of_discs(tmp_path, images=2)
    predictor, tuned = open_tuned(write_shifted(tmp_path / "w.safetensors"), device="cpu")
    with pytest.raises(ProjectError, match="nothing to evaluate on"):
        evaluate(nothing_held_out, predictor, tuned)
    foreign = write_shifted(tmp_path / "f.safetensors", base=BaseRef("vit_b", "0" * 64))
    with pytest.raises(CheckpointError, match="trained from the model vit_b"):
        open_tuned(foreign, model="starter", device="cpu")
