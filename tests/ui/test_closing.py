"""Napari's window is closed in the middle of a round, with an answer that nobody accepted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from napari_sam_tune.core.project.project import Project
from napari_sam_tune.core.rounds.plan import unlearnt_by

if TYPE_CHECKING:
    from conftest import Blobs

HERE = Path(__file__).parent


@pytest.mark.timeout(1200)
def test_nothing_is_lost_and_nothing_is_left_when_the_window_is_closed(
    blobs: Blobs, tmp_path: Path
) -> None:
    said, home = tmp_path / "said.json", tmp_path / "home"
    home.mkdir()
    environment = {
        **os.environ,
        "HOME": str(home),
        "NAPARI_CONFIG": str(home / "napari.yaml"),
        "PYTHONPATH": os.pathsep.join([str(HERE), os.environ["PYTHONPATH"]]),
    }
    closed = subprocess.run(
        [sys.executable, str(HERE / "closing.py"), str(blobs.folder), str(said)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    words = f"{closed.stdout}\n{closed.stderr}"
    assert closed.returncode == 0, words
    for trouble in ("Traceback", "Error", "Exception", "Destroyed while"):
        assert trouble not in words, words
    then = json.loads(said.read_text())
    assert then["training"]
    assert not psutil.pid_exists(then["worker"])

    project = Project.open(then["project"], create=False)
    assert [a.id for a in project.annotations()] == then["accepted"]
    assert len(then["accepted"]) == 8
    assert all(a.mask.any() for a in project.annotations())
    assert project.place()["image_id"] == then["image"] == "part 2.png"
    assert project.current_version == "base"
    # the next round begins where this one did
    assert unlearnt_by(project) == set(then["accepted"])
