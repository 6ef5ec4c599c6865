"""The line of what was learnt: it comes back, follows undo, and never stands in the way."""

from __future__ import annotations

import json
from dataclasses import asdict

from napari_sam_tune.core.pixel_classifier.history import LearntHistory
from napari_sam_tune.core.pixel_classifier.learnt import Learnt


def learnt(masks, with_it=0.6):
    return Learnt(masks, images=masks, judged=masks, without=0.4, with_it=with_it, weight=1.0)


def test_it_comes_back_and_forgets_what_was_taken_back(tmp_path):
    path = tmp_path / "learnt.jsonl"
    history = LearntHistory(path)
    history.add(Learnt(masks=2, images=2))  # judged by nothing
    assert not path.exists()
    for masks in (3, 4, 5, 5, 6, 4):
        history.add(learnt(masks))
    history.add(learnt(7, with_it=0.7))
    expected = (learnt(3), learnt(4), learnt(7, with_it=0.7))
    assert history.points == LearntHistory(path).points == expected


def test_what_cannot_be_read_is_passed_over_and_said(tmp_path, caplog):
    path = tmp_path / "learnt.jsonl"
    history = LearntHistory(path)
    history.add(learnt(3))
    wrong = [{**asdict(learnt(4)), "without": float("nan")}, {"masks": 5}, [1]]
    torn = json.dumps(asdict(learnt(6)))[:40]
    with path.open("ab") as file:
        file.write("\n".join([*map(json.dumps, wrong), torn]).encode() + b"\xff\x00\n")
    again = LearntHistory(path)
    assert again.points == (learnt(3),)
    assert "4 of 5 lines cannot be understood" in caplog.text
    again.add(learnt(8))
    assert LearntHistory(path).points == (learnt(3), learnt(8))


def test_a_disk_that_refuses_keeps_nothing_from_going_on(tmp_path, caplog):
    path = tmp_path / "learnt.jsonl"
    path.mkdir()  # neither read nor written as a file
    history = LearntHistory(path)
    history.add(learnt(3))
    assert history.points == (learnt(3),)
    assert "cannot be read" in caplog.text
    assert "known until the project is closed" in caplog.text
