"""Rounds on a server: the same as on this computer, and nothing lost when it goes."""

from __future__ import annotations

import shutil
import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from disc_project import disc, draw, fill
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from network import network
from serving import running, small_app

from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.config import TrainConfig
from napari_sam_tune.core.images import large_image
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.rounds.messages import RoundFailed
from napari_sam_tune.core.rounds.runners import InlineRunner
from napari_sam_tune.core.training.job import Candidate, Progress, TrainingJob
from napari_sam_tune.service import connection
from napari_sam_tune.service.connection import Connection, ServerGone
from napari_sam_tune.service.faults import Fault
from napari_sam_tune.service.limits import Limits
from napari_sam_tune.service.mirrors import Mirrors
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
        "train_ids": tuple(mask.id for mask in masks[:2]),
        "judge_ids": tuple(mask.id for mask in masks[2:]),
        "config": SHORT,
        "device": "cpu",
    }
    return TrainingJob(**given | changes)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = fill(tmp_path / "p", images=3)
    project.set_base(Predictor.from_checkpoint("starter", "cpu").ref)
    return project


def heard(runner: Runner, job: TrainingJob) -> list[Message]:
    messages: list[Message] = []
    runner.start(job, messages.append)
    assert runner.wait(60)
    return messages


def test_a_round_on_a_server_is_the_same_round(project: Project, tmp_path: Path) -> None:
    shutil.copytree(project.path, tmp_path / "other")
    other = Project.open(tmp_path / "other")
    here = heard(InlineRunner(), job_of(project))[-1]
    assert isinstance(here, Candidate), here

    with running(small_app(tmp_path / "served")) as client:
        runner = RemoteRunner(Connection(str(client.base_url)), InlineRunner())
        messages = heard(runner, job_of(other))
        there = messages[-1]
        assert isinstance(there, Candidate), there
        sent = [m for m in messages if isinstance(m, Progress) and m.phase == "sending"]
        again = heard(runner, job_of(other, train_ids=job_of(other).train_ids[:1]))
        assert not [m for m in again if isinstance(m, Progress) and m.phase == "sending"]
        runner.close()
    assert sent
    assert (there.version, there.losses) == (here.version, here.losses)
    assert there.scores == here.scores
    other.promote(there.version, report={})
    assert other.current_version == there.version


def test_images_of_every_kind_are_sent_to_the_pixel(project: Project, tmp_path: Path) -> None:
    dice = np.random.default_rng(0)
    kinds: dict[str, tuple[tuple[int, ...], str]] = {
        "one channel": ((96, 128, 1), "u2"),
        "one channel of true and false": ((96, 128, 1), "?"),
        "true and false": ((96, 128), "?"),
        "colours of true and false": ((96, 128, 3), "?"),
        "two channels": ((96, 128, 2), "f4"),
        "channels first": ((3, 96, 128), "u1"),
        "channels first, true and false": ((3, 96, 128), "?"),
    }
    for name, (shape, kind) in kinds.items():
        project.register(dice.integers(0, 2, shape).astype(kind), name)
        project.add(NewAnnotation(name, disc(60, 40), "pit"))
    masks = [mask.id for mask in project.annotations()]
    with running(small_app(tmp_path / "served")) as client:
        runner = RemoteRunner(Connection(str(client.base_url)), InlineRunner())
        end = heard(runner, job_of(project, train_ids=tuple(masks), judge_ids=()))[-1]
        runner.close()
    assert isinstance(end, Candidate), end
    (mirror,) = (tmp_path / "served").iterdir()
    sent = {record.content_hash for record in Project.open(mirror).images()}
    assert {project.image(name).content_hash for name in kinds} <= sent


def test_a_round_on_a_large_image_runs_on_this_computer(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_image, "LARGE_PIXELS", 10_000)
    pixels, objects = draw(seed=7)
    project.register(pixels, "large.png")
    large = [project.add(NewAnnotation("large.png", mask, label)).id for mask, label in objects]
    with running(small_app(tmp_path / "served")) as client:
        runner = RemoteRunner(Connection(str(client.base_url)), InlineRunner())
        messages = heard(runner, job_of(project, train_ids=(*large,), judge_ids=()))
        runner.close()
    assert isinstance(messages[-1], Candidate), messages[-1]
    assert messages[-1].version in {info.version for info in project.versions()}
    assert not [m for m in messages if isinstance(m, Progress) and m.phase == "sending"]


def test_a_round_whose_beginning_was_not_heard_is_begun_again(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is a silent stretch before the first cut held against the server."""
    monkeypatch.setattr(RemoteRunner, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(RemoteRunner, "PATIENCE_SECONDS", 0.1)
    ask, listen = Connection.ask, Connection.listen
    lost: list[str] = []

    def losing(self: Connection, method: str, path: str, **body: Any) -> httpx.Response:
        answer = ask(self, method, path, **body)
        if path.endswith("/rounds") and path not in lost:
            lost.append(path)
            raise ServerGone("The answer was lost.")
        return answer

    def cut(self: Connection, path: str, after: str | None) -> Any:
        if path not in lost:
            lost.append(path)
            time.sleep(0.2)
            raise ServerGone("The connection was cut.")
        return listen(self, path, after)

    monkeypatch.setattr(Connection, "ask", losing)
    monkeypatch.setattr(Connection, "listen", cut)
    with running(small_app(tmp_path / "served")) as client:
        runner = RemoteRunner(Connection(str(client.base_url)), InlineRunner())
        end = heard(runner, job_of(project))[-1]
        runner.close()
    assert isinstance(end, Candidate), end
    assert len(lost) == 2


def test_a_proxy_before_a_server_that_is_gone_is_no_other_server() -> None:
    app = FastAPI()

    @app.get("/v1/weights")
    def answer() -> HTMLResponse:
        return HTMLResponse("<h1>Bad gateway</h1>", 502)

    with running(app) as client:
        made = Connection(str(client.base_url))
        with pytest.raises(ServerGone):
            made.describe()
        made.close()


def test_no_place_of_the_server_is_in_a_failure(project: Project, tmp_path: Path) -> None:
    with running(small_app(tmp_path / "served")) as client:
        key = "0" * 32
        asked = {"parent": "0" * 12, "train": [project.annotations()[0].id]}
        begun = client.post(f"/v1/projects/{key}/rounds", json=asked).json()["round"]
        said = client.get(f"/v1/rounds/{begun}/events").text
    assert "event: failed" in said
    assert "\\u2026" in said  # in its place
    assert str(tmp_path) not in said


def test_mirrors_of_projects_take_up_so_much_of_the_disk(project: Project, tmp_path: Path) -> None:
    assert project.base is not None
    limits = Limits(mirrors=2, mirrors_bytes=1_000_000)
    mirrors = Mirrors(tmp_path / "served", project.base, limits)
    busy = mirrors.of("a" * 32)
    busy.rounds = 1
    idle = mirrors.of("b" * 32)
    last = mirrors.of("c" * 32)
    assert [m.project.path.exists() for m in (busy, idle, last)] == [True, False, True]
    with pytest.raises(Fault, match="1,000,000") as refused:
        mirrors.of("c" * 32, coming=2_000_000)
    assert refused.value.status == 413
    assert mirrors.of("c" * 32) is last


@pytest.mark.parametrize("trouble", ["cut", "stalled"])
def test_a_round_goes_on_where_the_network_breaks(
    project: Project, tmp_path: Path, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken off in the middle of sending, and once more while it learns."""
    monkeypatch.setattr(RemoteRunner, "AGAIN_SECONDS", 0.05)
    for name in ("_TIMEOUT", "_LISTENING"):
        monkeypatch.setattr(connection, name, httpx.Timeout(5 if trouble == "cut" else 1.5))
    told: list[bool] = []
    broken: set[str] = set()

    def mend() -> None:
        between.mend()
        between.is_stalled = False

    def listen(message: Message) -> None:
        messages.append(message)
        if isinstance(message, Progress) and message.phase in {"sending", "training"} - broken:
            broken.add(message.phase)
            if trouble == "cut":
                between.cut()
            else:
                between.is_stalled = True
            threading.Timer(0.3 if trouble == "cut" else 2.5, mend).start()

    messages: list[Message] = []
    with (
        running(small_app(tmp_path / "served")) as client,
        network(client.base_url.port) as between,
    ):
        made = Connection(between.address)
        made.reached.connect(told.append)
        runner = RemoteRunner(made, InlineRunner())
        runner.start(job_of(project), listen)
        assert runner.wait(120)
        runner.close()
    assert isinstance(messages[-1], Candidate), messages[-1]
    assert broken == {"sending", "training"}
    assert (False, True) in pairwise(told)
    assert messages[-1].version in {info.version for info in project.versions()}


def test_a_server_started_anew_ends_a_round_and_the_next_one_is_whole(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RemoteRunner, "AGAIN_SECONDS", 0.05)
    learning = threading.Event()

    def listen(message: Message) -> None:
        messages.append(message)
        if isinstance(message, Progress) and message.phase == "training":
            learning.set()

    messages: list[Message] = []
    endless = job_of(project, config=TrainConfig(steps=5000, batch_size=2, patience=None))
    with running(small_app(tmp_path / "served")) as client:
        port = client.base_url.port
        runner = RemoteRunner(Connection(str(client.base_url)), InlineRunner())
        runner.start(endless, listen)
        assert learning.wait(60)
    with running(small_app(tmp_path / "served"), port) as client:
        assert runner.wait(60)
        end = messages[-1]
        assert isinstance(end, RoundFailed), end
        assert (end.kind, "has forgotten this round" in end.message) == ("server", True)
        assert project.current_version == "base"
        assert isinstance(heard(runner, job_of(project))[-1], Candidate)
        runner.close()


def test_a_round_of_more_steps_than_a_server_gives_is_refused_in_a_sentence(
    project: Project, tmp_path: Path
) -> None:
    with running(small_app(tmp_path / "served", Limits(round_steps=10))) as client:
        runner = RemoteRunner(Connection(str(client.base_url)), InlineRunner())
        config = SHORT.model_copy(update={"steps": 11})
        end = heard(runner, job_of(project, config=config))[-1]
        runner.close()
    assert isinstance(end, RoundFailed)
    assert "11 steps is longer than the 10 steps" in end.message
