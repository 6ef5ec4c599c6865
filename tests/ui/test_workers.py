"""A worker that dies, one that stops answering, one whose viewer closes: said, replaced, gone."""

from __future__ import annotations

import numpy as np
import psutil
import pytest

from napari_sam_tune.core.config import TrainConfig
from napari_sam_tune.core.rounds.worker_process import WorkerProcess

# what is learnt from is drawn ahead, so not more steps than outlast a test
ENDLESS = TrainConfig(steps=5_000, prompts_per_mask=1e9)


@pytest.mark.timeout(1200)
def test_a_worker_dies_another_is_stuck_and_a_third_goes_with_the_viewer(
    make_desk, blobs, monkeypatch
):
    desk = make_desk(runner="process", config=ENDLESS)
    desk.open(blobs.folder)
    desk.panel.learning.automatic_changed.emit(False, 8)
    rows, columns = np.indices(desk.session.objects.shape)
    for _ in range(2):
        for x, y, radius in blobs.discs:
            desk.session.adopt((columns - x) ** 2 + (rows - y) ** 2 <= radius**2)

    def train() -> int:
        desk.wait(lambda: desk.work.fine_tuning._shown.fraction is not None)
        return int(desk.session.learner.runner.worker_pid)

    desk.panel.learning.start.emit()
    dead = int(desk.session.learner.runner.worker_pid)  # one that trains: test_worker_faults.py
    assert desk.session.state.training
    psutil.Process(dead).kill()
    desk.wait(lambda: not desk.session.state.training)
    desk.wait(lambda: "weights in use are as they were" in desk.said)
    assert desk.session.weights_version == "base"

    desk.panel.learning.start.emit()
    stuck = train()
    assert stuck != dead
    with monkeypatch.context() as patch:
        patch.setattr(WorkerProcess, "QUIET_LOOKS", 2)
        psutil.Process(stuck).suspend()
        desk.wait(lambda: "stopped answering" in desk.said)
    assert not desk.session.state.training
    desk.shot("a stuck worker")

    desk.panel.notice._remedy.click()
    third = train()
    assert third not in (dead, stuck)
    desk.propose((45, 45))
    desk.viewer.close()
    desk.wait(lambda: desk.controller.work is None)
    desk.wait(lambda: not psutil.pid_exists(third))
