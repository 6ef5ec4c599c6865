"""Rounds on a server: the same as on this computer, and nothing lost when it goes."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from disc_project import fill
from serving import running, small_app

from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.config import TrainConfig
from napari_sam_tune.core.project.project import Project
from napari_sam_tune.core.rounds.runners import InlineRunner
from napari_sam_tune.core.training.job import Candidate, Progress, TrainingJob
from napari_sam_tune.service.connection import Connection
from napari_sam_tune.service.remote_runner import RemoteRunner

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_tune.core.rounds.messages import Message
    from napari_sam_tune.core.rounds.runners import Runner

pytestmark = pytest.mark.usefixtures("at_128_px")
SHORT = TrainConfig(steps=3, batch_size=2)


def job_of(project: Project, **changes: object) -> TrainingJob:
    masks = project.annotations()
    given = {
        "project": str(project.path),
        "base": project.base,
        "parent": project.current_version,
        "train_ids": tuple(mask.id for mask in masks[:6]),
        "judge_ids": tuple(mask.id for mask in masks[6:]),
        "config": SHORT,
        "device": "cpu",
    }
    return TrainingJob(**given | changes)


def heard(runner: Runner, job: TrainingJob) -> list[Message]:
    messages: list[Message] = []
    runner.start(job, messages.append)
    assert runner.wait(60)
    return messages


def test_a_round_on_a_server_is_the_same_round(tmp_path: Path) -> None:
    project = fill(tmp_path / "p")
    project.set_base(Predictor.from_checkpoint("starter", "cpu").ref)
    shutil.copytree(project.path, tmp_path / "other")
    other = Project.open(tmp_path / "other")
    here = heard(InlineRunner(), job_of(project))[-1]
    assert isinstance(here, Candidate), here

    with running(small_app(tmp_path / "served")) as client:
        connection = Connection(str(client.base_url))
        runner = RemoteRunner(connection, InlineRunner())
        messages = heard(runner, job_of(other))
        there = messages[-1]
        assert isinstance(there, Candidate), there
        sent = [m for m in messages if isinstance(m, Progress) and m.phase == "sending"]
        again = heard(runner, job_of(other, train_ids=job_of(other).train_ids[:1]))
        assert not [m for m in again if isinstance(m, Progress) and m.phase == "sending"]
        runner.close()
        connection.close()
    assert sent
    assert (there.version, there.losses) == (here.version, here.losses)
    assert there.scores == here.scores
    other.promote(there.version, report={})
    assert other.current_version == there.version
