"""A worker that is stopped from outside is noticed; one that steps aside for clicks is not."""

from __future__ import annotations

import os
import threading

import psutil
import pytest
from labelled_project import accept_masks, job_on

from napari_sam_tune import Predictor, Prompt, SamTuneError, Session
from napari_sam_tune.core.errors import TrainingError
from napari_sam_tune.core.rounds.messages import RoundCancelled
from napari_sam_tune.core.rounds.worker_process import WorkerProcess
from napari_sam_tune.core.training.job import Candidate, Progress

pytestmark = pytest.mark.usefixtures("at_128_px")

LONG = 5_000
"""Steps that take far longer than any test; what they learn from is drawn ahead."""
SOON = 300
"""Seconds; only a machine that hangs needs them."""


@pytest.mark.timeout(1200)  # where others want the processors, a worker of low priority waits
def test_a_stopped_worker_is_replaced_and_one_that_waits_for_a_listener_or_a_click_is_not(
    tmp_path, monkeypatch
):
    """Before that a round is cancelled beside clicks, after it one is closed."""
    project = accept_masks(tmp_path / "p")
    long, short = (job_on(project, steps=steps).config for steps in (LONG, 2))
    predictor = Predictor.from_checkpoint("starter", device="cpu")
    trains, fell, said, finished = threading.Event(), threading.Event(), [], []
    with Session(project, predictor, "process", config=long, zoom=False) as session:
        session.progress.connect(lambda progress: progress.phase == "training" and trains.set())
        session.state.events.training.connect(lambda on: on or fell.set())
        session.round_finished.connect(finished.append)
        session.failed.connect(said.append)
        session.open_image(project.read_image("a.png"), "a.png")
        assert session.fine_tune(wait=False) is None
        assert session.state.training
        with pytest.raises(SamTuneError, match="already under way"):
            session.fine_tune()
        assert session.propose(Prompt([(16, 16)], [1])).mask.any()  # clicks are answered meanwhile
        session.cancel()
        assert session.learner.wait(SOON)
        assert finished[-1].cancelled
        assert fell.is_set()
        assert not session.state.training
        assert session.weights_version == project.current_version

        trains.clear()
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

        # of the next worker, looked at often, and not taken for stuck before that is wanted
        monkeypatch.setattr(WorkerProcess, "LOOK_SECONDS", 0.05)
        monkeypatch.setattr(WorkerProcess, "STARTING_LOOKS", 10**9)
        monkeypatch.setattr(WorkerProcess, "QUIET_LOOKS", 10**9)
        fell.clear()
        assert session.fine_tune(wait=False, config=short) is None
        assert fell.wait(SOON)
        assert finished[-1].error is None
        assert session.fine_tune(config=short).error is None
        assert session.learner.runner.worker_pid not in (None, pid)
        assert said == [sentence]
        if os.name == "posix":  # it is stopped for clicks nowhere else
            _is_not_stuck_while_it_waits(session.learner.runner, project, monkeypatch)


def _is_not_stuck_while_it_waits(runner, project, monkeypatch):
    """Have a worker wait for a listener, then for a click; close it in the middle of a round."""
    trains, go_on, ended = (threading.Event() for _ in range(3))
    heard, pid = [], runner.worker_pid

    def listen(message):
        heard.append(message)
        if not isinstance(message, Progress):
            ended.set()
        elif message.phase == "training" and not trains.is_set():
            trains.set()
            go_on.wait(SOON)

    runner.start(job_on(project, steps=60), listen)  # more than are done while it waits
    assert trains.wait(SOON)
    monkeypatch.setattr(WorkerProcess, "QUIET_LOOKS", 1)
    assert not ended.wait(0.3)  # while the listener has not returned
    with runner.stepping_aside():
        go_on.set()
        assert not ended.wait(0.5)
        monkeypatch.setattr(WorkerProcess, "QUIET_LOOKS", 10**9)
    assert ended.wait(SOON)
    assert isinstance(heard[-1], Candidate)
    assert runner.worker_pid == pid

    trains.clear()
    runner.start(job_on(project, steps=LONG), listen)
    assert trains.wait(SOON)
    runner.close()
    runner.close()
    assert heard[-1] == RoundCancelled()
    assert runner.wait(0)
    assert not psutil.pid_exists(pid)
    with pytest.raises(TrainingError, match="closed"):
        runner.start(job_on(project), listen)
