"""The demo without a display: the main job, from the command line to what it leaves behind."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO
from smaller import starters_at
from typer.testing import CliRunner

from napari_sam_tune import Predictor, Project, SamTuneError, Session, demo
from napari_sam_tune.cli import app, main
from napari_sam_tune.core.evaluation.simulate import SequenceResult
from napari_sam_tune.core.project.effort import RECALLED
from napari_sam_tune.demo import explain, run_headless

if TYPE_CHECKING:
    from pathlib import Path


def test_the_demo_labels_learns_and_leaves_everything_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    for display in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(display, raising=False)
    # rounds of training in this process, where models are smaller
    monkeypatch.setattr(demo, "Session", lambda *of, **how: Session(*of[:2], **how))
    command = ["demo", "--out", str(out)]
    command += ["--parts", "5"]  # of 13, spread along the line; two of their images are of one part
    with starters_at(128):
        done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert r"\n" not in done.output
    if sys.platform.startswith("linux"):
        assert "There is no display" in done.stdout

    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert len(report["rounds"]) >= 2
    assert all(r["report"]["error"] is None for r in report["rounds"])
    assert all(r["report"]["sentence"] for r in report["rounds"])
    learnt = report["learnt"]
    assert learnt["judged"] > 20
    assert learnt["with_it"] > learnt["without"]
    clicks = {name: report[name]["cumulative_clicks"] for name in ("frozen", "learning")}
    assert clicks["learning"] <= 0.95 * clicks["frozen"]
    said = " ".join(done.stdout.split())
    assert all(" ".join(line.split()) in said for line in report["why"])
    assert f"{clicks['learning']} clicks while learning, {clicks['frozen']} frozen" in said
    assert f"{learnt['with_it']:.2f} with what was learnt" in said
    annotations = Project.open(out / "project", create=False).annotations()
    assert len(annotations) == report["learning"]["objects"]
    assert sum(row["masks"] for row in report["effort_by_version"]) == len(annotations)

    coco = COCO(out / "coco.json")
    assert len(coco.anns) == len(annotations)
    by_record = {a.id: a for a in annotations}
    for row in coco.anns.values():
        truth = by_record[row["record"]].mask
        np.testing.assert_array_equal(coco.annToMask(row).astype(bool), truth)

    for record in Project.open(out / "project").images():
        with Image.open(out / "masks" / f"{record.id.rsplit('.', 1)[0]}.png") as picture:
            labels = np.asarray(picture)
        own = [a for a in annotations if a.image_id == record.id]
        assert labels.shape == record.shape
        assert set(np.unique(labels)) <= set(range(len(own) + 1))
    with Image.open(out / "clicks.png") as chart:
        assert chart.size[0] > 500

    tuned = Predictor.from_checkpoint(out / "weights.pth", device="cpu")
    tuned.set_image(np.full((40, 60), 120, np.uint8))

    monkeypatch.setattr(sys, "argv", ["napari-sam-tune", *command])
    with pytest.raises(SystemExit) as refused:
        main()
    assert refused.value.code == 1
    assert "choose another --out" in " ".join(capsys.readouterr().err.split())


def result_of(clicks: list[int]) -> SequenceResult:
    return SequenceResult(objects=[SimpleNamespace(clicks=count) for count in clicks])


def test_the_reasons_name_what_helped_and_what_did_not() -> None:
    learnt = {"weight": 1.0, "judged": 6, "with_it": 0.88, "without": 0.82}
    document = {
        "learnt": learnt,
        "rounds": [
            {"promoted": True, "report": {"sentence": "Better."}},
            {"promoted": False, "report": {"sentence": "Worse."}},
        ],
        "effort_by_version": [
            {"version": "base", "masks": 4, "clicks": 2.0},
            {"version": RECALLED, "masks": 2, "clicks": 1.0},
        ],
    }
    results = result_of([3, 2, 2, 2, 2, 3]), result_of([3, 1, 1, 1, 1, 1])
    summed, accepting, first, second, recall = explain(document, *results)
    assert "6 masks: 8 clicks while learning, 14 frozen." in summed
    assert "first 2 masks 2.0 clicks each (frozen 2.5)" in summed
    assert "the last 2 1.0 (frozen 2.5)" in summed
    assert "0.88 with what was learnt, 0.82 without" in accepting
    assert "Round 1 of training: its weights are in use" in first
    assert "Better." in first
    assert "Round 2 of training: its weights are not used" in second
    assert "2 of its masks came back" in recall
    nothing = {"learnt": learnt | {"weight": 0}, "rounds": [], "effort_by_version": []}
    assert "did not help" in explain(nothing, *results)[1]
    assert len(explain(nothing | {"learnt": None}, *results)) == 1


def test_there_are_not_more_parts_than_on_the_line(tmp_path: Path) -> None:
    with pytest.raises(SamTuneError, match="choose 1 to 13"):
        run_headless(tmp_path, parts=14)
