"""A worker that stopped answering: the dock says so, and its button starts another."""

from __future__ import annotations

import numpy as np
import psutil
import pytest

from napari_sam_tune.core.config import TrainConfig
from napari_sam_tune.core.rounds.worker_process import WorkerProcess

# what is learnt from is drawn ahead, so not more steps than outlast a test
ENDLESS = TrainConfig(steps=5_000, prompts_per_mask=1e9)


@pytest.mark.timeout(1200)
def test_a_stuck_worker_is_said_and_the_button_starts_another(make_desk, blobs, monkeypatch):
    desk = make_desk(runner="process", config=ENDLESS)
    desk.open(blobs.folder)
    desk.panel.learning.automatic_changed.emit(False, 8)
    rows, columns = np.indices(desk.session.objects.shape)
    for _ in range(2):
        for x, y, radius in blobs.discs:
            desk.session.adopt((columns - x) ** 2 + (rows - y) ** 2 <= radius**2)
    desk.panel.learning.start.emit()
    desk.wait(lambda: desk.work.fine_tuning._shown.fraction is not None)
    stuck = desk.session.learner.runner.worker_pid
    with monkeypatch.context() as patch:
        patch.setattr(WorkerProcess, "QUIET_LOOKS", 2)
        psutil.Process(stuck).suspend()
        desk.wait(lambda: "stopped answering" in desk.said)
    assert not desk.session.state.training
    desk.shot("a stuck worker")
    desk.panel.notice._remedy.click()
    desk.wait(lambda: desk.work.fine_tuning._shown.fraction is not None)
    assert desk.session.learner.runner.worker_pid not in (None, stuck)
    desk.panel.learning.cancel.emit()
    desk.wait(lambda: not desk.session.state.training)
