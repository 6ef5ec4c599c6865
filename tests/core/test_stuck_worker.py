"""A worker that is stopped from outside is noticed; one that steps aside for clicks is not."""

from __future__ import annotations

import os
import threading

import psutil
import pytest
from labelled_project import accept_masks, job_on

from napari_sam_tune import Predictor, Session
from napari_sam_tune.core.rounds.runners import ProcessRunner
from napari_sam_tune.core.rounds.worker_process import WorkerProcess
from napari_sam_tune.core.training.job import Candidate, Progress

LONG = 5_000
"""Steps that take far longer than any test; what they learn from is drawn ahead."""
SOON = 120
"""Seconds; only a machine that hangs needs them."""


def test_a_stopped_worker_is_ended_said_and_replaced(tmp_path, monkeypatch):
    project = accept_masks(tmp_path / "p")
    long, short = (job_on(project, steps=steps).config for steps in (LONG, 2))
    predictor = Predictor.from_checkpoint("starter", device="cpu")
    trains, said = threading.Event(), []
    with Session(project, predictor, "process", config=long) as session:
        session.progress.connect(lambda progress: progress.phase == "training" and trains.set())
        session.failed.connect(said.append)
        session.fine_tune(wait=False)
        assert trains.wait(SOON)
        pid = session.learner.runner.worker_pid
        with monkeypatch.context() as patch:
            patch.setattr(WorkerProcess, "QUIET_LOOKS", 2)
            psutil.Process(pid).suspend()
            assert session.learner.wait(SOON)
        assert not psutil.pid_exists(pid)
        (sentence,) = said
        assert "stopped answering" in sentence
        assert session.weights_version == "base"
        finished = session.fine_tune(config=short)
        assert finished.error is None
        assert session.learner.runner.worker_pid not in (None, pid)
        assert said == [sentence]


@pytest.mark.skipif(os.name != "posix", reason="stops nobody there")
def test_who_waits_for_a_listener_or_a_click_is_not_stuck(tmp_path, monkeypatch):
    monkeypatch.setattr(WorkerProcess, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(WorkerProcess, "STARTING_LOOKS", 10**9)
    monkeypatch.setattr(WorkerProcess, "QUIET_LOOKS", 10**9)
    runner, trains, go_on, ended = ProcessRunner(), *(threading.Event() for _ in range(3))
    heard = []

    def listen(message):
        heard.append(message)
        if not isinstance(message, Progress):
            ended.set()
        elif message.phase == "training" and not trains.is_set():
            trains.set()
            go_on.wait(SOON)

    try:
        runner.start(job_on(accept_masks(tmp_path / "p"), steps=4), listen)
        assert trains.wait(SOON)
        pid = runner.worker_pid
        monkeypatch.setattr(WorkerProcess, "QUIET_LOOKS", 1)
        assert not ended.wait(0.3)  # while the listener has not returned
        with runner.stepping_aside():
            go_on.set()
            assert not ended.wait(0.5)
            monkeypatch.setattr(WorkerProcess, "QUIET_LOOKS", 10**9)
        assert ended.wait(SOON)
        assert isinstance(heard[-1], Candidate)
        assert runner.worker_pid == pid
    finally:
        runner.close()
