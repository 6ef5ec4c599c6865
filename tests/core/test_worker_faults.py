"""Rounds in a process of their own, with real processes: it dies, is killed, outlives nobody."""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

import labelled_project
import psutil
import pytest
import torch
from disc_project import QUICK, fill
from labelled_project import accept_masks, job_on

from napari_sam_tune.core.config import HeadConfig
from napari_sam_tune.core.errors import TrainingError
from napari_sam_tune.core.models.base import BaseRef
from napari_sam_tune.core.models.checkpoints import file_sha256, starter_path
from napari_sam_tune.core.promptless.store import newest_head
from napari_sam_tune.core.rounds.learner import Learner
from napari_sam_tune.core.rounds.messages import RoundCancelled
from napari_sam_tune.core.rounds.runners import InlineRunner, ProcessRunner
from napari_sam_tune.core.rounds.worker_process import WorkerProcess
from napari_sam_tune.core.state import SessionState
from napari_sam_tune.core.training.job import Candidate, Progress

LONG = 5_000
"""Steps that take far longer than any test; what they learn from is drawn ahead."""
SOON = 120
"""Seconds; only a machine that hangs needs them."""


@pytest.fixture(scope="module")
def project(tmp_path_factory, at_128_px):
    torch.set_num_threads(1)
    return accept_masks(tmp_path_factory.mktemp("rounds") / "p")


@pytest.fixture(scope="module")
def shared(at_128_px):
    """A worker that several tests use, as a session does."""
    runner = ProcessRunner()
    yield runner
    runner.close()
    assert runner.worker_pid is None


class Heard:
    """Listens to a round from its reader thread."""

    def __init__(self):
        self.messages = []
        self.training = threading.Event()
        self.ended = threading.Event()
        self.latest = queue.SimpleQueue()

    def __call__(self, message):
        self.messages.append(message)
        self.latest.put(message)
        if isinstance(message, Progress):
            if message.phase == "training" and message.step > 0:
                self.training.set()
        else:
            self.ended.set()

    def quiet_for(self, seconds):
        """How many messages came before it was quiet for so long."""
        count = 0
        with contextlib.suppress(queue.Empty):
            while self.latest.get(timeout=seconds):
                count += 1
        return count

    @property
    def end(self):
        """The one terminal message."""
        terminal = [m for m in self.messages if not isinstance(m, Progress)]
        assert len(terminal) == 1
        assert terminal[0] is self.messages[-1]
        return terminal[0]


def begin(runner, project, steps=LONG):
    """Start a round and wait until it trains."""
    heard = Heard()
    runner.start(job_on(project, steps=steps), heard)
    assert heard.training.wait(SOON)
    return heard


def gone(pid):
    """Whether a process is no more, or only waits for somebody to ask how it ended."""
    try:
        psutil.Process(pid).wait(SOON)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def test_a_round_there_makes_what_one_here_makes_and_the_worker_lives_on_at_low_priority(
    shared, project
):
    inline = []
    InlineRunner().start(job_on(project), inline.append)
    heard = Heard()
    shared.start(job_on(project), heard)
    with pytest.raises(TrainingError, match="already under way"):
        shared.start(job_on(project), heard)
    assert shared.wait(SOON)
    assert isinstance(heard.end, Candidate)
    assert heard.end.version == inline[-1].version
    assert heard.end.scores == inline[-1].scores
    assert isinstance(heard.messages[0], Progress)

    pid = shared.worker_pid
    shared.start(job_on(project, seed=5), heard := Heard())
    assert shared.wait(SOON)
    assert isinstance(heard.end, Candidate)
    assert shared.worker_pid == pid
    if os.name == "posix":
        assert psutil.Process(pid).nice() == min(19, psutil.Process().nice() + 10)


def test_it_steps_aside_while_clicks_are_answered_and_cancelling_keeps_it(shared, project):
    heard = begin(shared, project)
    pid = shared.worker_pid
    with shared.stepping_aside():
        with shared.stepping_aside():
            pass
        if os.name == "posix":  # elsewhere it stops nobody
            heard.quiet_for(1.0)  # what was on its way has arrived
            assert heard.quiet_for(1.0) == 0
    assert isinstance(heard.latest.get(timeout=SOON), Progress)
    with shared.stepping_aside():
        shared.cancel()
        shared.cancel()
        assert shared.wait(SOON)
    assert heard.end == RoundCancelled()
    shared.start(job_on(project, steps=8), heard := Heard())
    assert isinstance(heard.latest.get(timeout=SOON), Progress)
    with shared.stepping_aside():  # a click whose answer never comes
        assert shared.wait(SOON)
    assert isinstance(heard.end, Candidate)
    assert shared.worker_pid == pid


def test_a_failure_ends_the_round_and_not_the_worker(shared, project):
    heard = Heard()
    shared.start(job_on(project, base=BaseRef("/nowhere/model.pth", "0" * 64)), heard)
    assert shared.wait(SOON)
    assert heard.end.kind == "error"
    assert "/nowhere/model.pth" in heard.end.message
    shared.start(job_on(project, steps=5, learning_rate=1e15), heard := Heard())
    assert shared.wait(SOON)
    assert heard.end.kind == "nan"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_listeners_bug_ends_nothing_and_the_next_round_may_start_from_the_end_of_one(
    shared, project, monkeypatch
):
    heard, second, reported = Heard(), Heard(), []
    monkeypatch.setattr(threading, "excepthook", lambda args: reported.append(args.exc_value))

    def listen(message):
        heard(message)
        if not isinstance(message, Progress):
            shared.start(job_on(project), second)
        raise LookupError("a bug in the face")

    shared.start(job_on(project), listen)
    assert second.ended.wait(SOON)
    assert isinstance(heard.end, Candidate)
    assert isinstance(second.end, Candidate)
    assert len(reported) == len(heard.messages)


@pytest.mark.skipif(os.name == "nt", reason="kills with a signal")
def test_a_worker_that_dies_ends_its_round_and_the_next_gets_a_new_one(shared, project):
    heard = begin(shared, project)
    pid = shared.worker_pid
    os.kill(pid, signal.SIGKILL)
    assert shared.wait(SOON)
    assert heard.end.kind == "worker_died"
    assert "weights in use are as they were" in heard.end.message
    assert "ran out of memory" in heard.end.message
    shared.start(job_on(project), heard := Heard())
    assert shared.wait(SOON)
    assert isinstance(heard.end, Candidate)
    assert shared.worker_pid != pid


@pytest.mark.skipif(os.name == "nt", reason="kills with a signal")
def test_a_head_is_trained_there_and_neither_cancel_nor_death_leaves_anything(shared, tmp_path):
    project, state = fill(tmp_path / "p", images=7), SessionState()
    config = QUICK.model_copy(update={"batch_size": 1, "head": HeadConfig(flips=False)})
    base = BaseRef("starter", file_sha256(starter_path()))
    learner = Learner(project, state, shared, config=config, auto=1, base=base, device="cpu")
    heads, ended, trains = learner.head_training, [], threading.Event()
    heads.finished.connect(ended.append)
    heads.progress.connect(lambda p: p.phase == "training" and p.step > 0 and trains.set())

    def begin_long():
        trains.clear()
        heads.start(config.model_copy(update={"steps": LONG}), wait=False)
        assert trains.wait(SOON)

    begin_long()
    with pytest.raises(TrainingError, match="finder is being trained; wait"):
        learner.start(wait=False)
    state.masks_since_round = 99
    learner.start_if_due(0.0)  # waits for its turn
    with pytest.raises(TrainingError, match="trained already"):
        heads.start(wait=False)
    learner.cancel()  # of a round, of which there is none
    assert not heads.wait(0)
    heads.cancel()
    assert heads.wait(SOON)
    begin_long()
    os.kill(shared.worker_pid, signal.SIGSEGV)
    assert heads.wait(SOON)
    assert ended[0] == RoundCancelled()
    assert ended[1].kind == "worker_died"
    assert "Segmentation fault" in ended[1].detail
    assert newest_head(project) is None
    kept = heads.start(config.model_copy(update={"steps": 2}), wait=True)
    assert ended[2:] == [kept]
    assert newest_head(project) == Path(kept.file)
    assert kept.images == sum(r.split == "train" for r in project.images())
    assert not state.training_head

    for annotation in project.annotations()[3:]:
        project.delete(annotation.id)
    with pytest.raises(TrainingError, match="needs 9 more masks"):
        heads.start(wait=False)


@pytest.mark.skipif(os.name == "nt", reason="kills with a signal")
def test_an_idle_worker_that_dies_is_replaced_by_one_that_imports_nothing_from_the_working_folder(
    shared, project, tmp_path, monkeypatch
):
    (tmp_path / "random.py").write_text("raise SystemExit('not the standard library')")
    monkeypatch.chdir(tmp_path)
    # as shells leave it that add to a variable that was empty
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([os.environ["PYTHONPATH"], "", "."]))
    shared.warm()
    pid = shared.worker_pid
    os.kill(pid, signal.SIGKILL)
    assert gone(pid)
    shared.start(job_on(project), heard := Heard())
    assert shared.wait(SOON)
    assert isinstance(heard.end, Candidate)


def test_a_worker_stuck_in_a_step_is_ended_by_cancel(shared, project, monkeypatch):
    monkeypatch.setattr(ProcessRunner, "CANCEL_GRACE_SECONDS", 0.1)
    heard = begin(shared, project)
    pid = shared.worker_pid
    psutil.Process(pid).suspend()
    shared.cancel()
    assert shared.wait(SOON)
    assert heard.end == RoundCancelled()
    assert gone(pid)


def test_closing_while_the_worker_starts_ends_the_round_and_the_process(project):
    # while it trains: test_stuck_worker.py
    runner = ProcessRunner()
    runner.start(job_on(project), heard := Heard())
    pid = runner.worker_pid
    runner.close()
    runner.close()
    assert heard.end == RoundCancelled()
    assert runner.wait(0)
    assert not psutil.pid_exists(pid)
    with pytest.raises(TrainingError, match="closed"):
        runner.start(job_on(project), heard)


@pytest.mark.skipif(os.name == "nt", reason="kills with a signal")
@pytest.mark.usefixtures("at_128_px")
def test_no_orphan_stays_when_the_application_is_killed(tmp_path):
    script = Path(labelled_project.__file__)
    with subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "p")], stdout=subprocess.PIPE, cwd=tmp_path
    ) as application:
        at_work, aside, fork = map(int, application.stdout.readline().split())
        assert psutil.Process(at_work).ppid() == application.pid
        assert psutil.Process(aside).status() == psutil.STATUS_STOPPED  # for a click
        application.kill()
        application.wait()
        ended = gone(at_work)  # although the fork keeps the other end of every pipe open
        ended &= gone(aside)
        os.kill(fork, signal.SIGKILL)
        assert ended


def test_a_worker_that_died_idle_takes_no_round_with_it_that_was_begun_meanwhile(
    project, monkeypatch
):
    runner, heard = ProcessRunner(), []

    def begins_a_round(worker):  # when it is gone, and before that is told
        if not heard:
            heard.append("begun")
            runner.start(job_on(project), heard.append)
        return ""

    monkeypatch.setattr(WorkerProcess, "epitaph", property(begins_a_round))
    before = set(threading.enumerate())
    runner.warm()
    (follows,) = (t for t in set(threading.enumerate()) - before if t.name == "sam-tune-worker")
    psutil.Process(runner.worker_pid).kill()
    follows.join(SOON)
    assert heard == ["begun"]
    runner.close()
    assert heard == ["begun", RoundCancelled()]
