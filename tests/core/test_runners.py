"""Rounds in the calling thread: messages, cancelling, failures in plain words."""

import errno
import re
import threading

import pytest
import torch
from labelled_project import accept_masks, job_on

from napari_sam_tune.core.errors import OutOfMemory, SamTuneError, StorageError, TrainingError
from napari_sam_tune.core.models.base import BaseRef
from napari_sam_tune.core.project.project import Project
from napari_sam_tune.core.rounds.messages import RoundCancelled, RoundFailed
from napari_sam_tune.core.rounds.runners import InlineRunner, ProcessRunner, Runner, make_runner
from napari_sam_tune.core.rounds.steps import failure_of
from napari_sam_tune.core.training.job import Candidate, Progress


@pytest.fixture(scope="module")
def project(tmp_path_factory, at_128_px):
    torch.set_num_threads(1)
    return accept_masks(tmp_path_factory.mktemp("rounds") / "p")


def test_a_round_reports_its_progress_and_ends_once(project):
    runner, heard = InlineRunner(), []
    runner.start(job_on(project), heard.append)
    *progress, last = heard
    assert all(isinstance(message, Progress) for message in progress)
    assert [m.step for m in progress if m.phase == "training"] == [0, 1, 2]
    assert isinstance(last, Candidate)
    assert project.weights_path(last.version).exists()
    assert runner.wait(0)


def test_cancelling_from_a_listener_ends_within_the_step(project):
    runner, heard = InlineRunner(), []

    def listen(message):
        heard.append(message)
        if getattr(message, "phase", "") == "training" and message.step == 1:
            runner.cancel()

    before = project.versions()
    runner.start(job_on(project, steps=50), listen)
    assert heard[-1] == RoundCancelled()
    assert max(message.step for message in heard[:-1]) <= 2
    assert project.versions() == before


def test_one_round_at_a_time_but_the_next_may_start_at_the_end_of_one(project):
    runner, ends = InlineRunner(), []

    def listen(message):
        if isinstance(message, Progress):
            with pytest.raises(TrainingError, match="already under way"):
                runner.start(job_on(project), listen)
        else:
            ends.append(message)
            if len(ends) == 1:
                runner.start(job_on(project, seed=1), listen)

    runner.start(job_on(project), listen)
    assert len({end.version for end in ends}) == 2


def test_waiting_for_a_round_in_another_thread(project):
    runner, heard, training = InlineRunner(), [], threading.Event()

    def listen(message):
        heard.append(message)
        training.set()

    thread = threading.Thread(target=runner.start, args=(job_on(project, steps=500), listen))
    thread.start()
    assert training.wait(30)
    assert not runner.wait(0)
    runner.close()
    assert runner.wait(30)
    thread.join()
    assert heard[-1] == RoundCancelled()


def test_a_diverging_round_is_told_apart(project):
    heard = []
    InlineRunner().start(job_on(project, steps=5, learning_rate=1e15), heard.append)
    assert heard[-1].kind == "nan"
    assert "learning rate" in heard[-1].message


def test_a_missing_base_and_a_full_disk_are_told_apart(project, monkeypatch):
    heard = []
    gone = job_on(project, base=BaseRef("/nowhere/model.pth", "0" * 64))
    InlineRunner().start(gone, heard.append)
    assert heard[-1].kind == "error"
    assert "/nowhere/model.pth" in heard[-1].message

    def full(*_):
        raise StorageError("The disk is full. Free some space and try again.")

    monkeypatch.setattr(Project, "save_weights", full)
    InlineRunner().start(job_on(project), heard.append)
    assert heard[-1].kind == "disk_full"
    assert "Free some space" in heard[-1].message


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (OutOfMemory("Too little memory on cuda:0."), "out_of_memory", "cuda:0"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried …"), "out_of_memory", "smaller"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out_of_memory", "Close"),
        (MemoryError(), "out_of_memory", "Close"),
        (StorageError(errno.ENOSPC, "No space"), "disk_full", "No space"),
        (TrainingError("There is nothing to learn from."), "error", "nothing to learn from"),
        (KeyError("neck"), "error", "KeyError: 'neck'.*report it"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_failures_have_a_kind_and_a_sentence(error, kind, words):
    failure = failure_of(error)
    assert isinstance(failure, RoundFailed)
    assert failure.kind == kind
    assert re.search(words, failure.message)
    assert type(error).__name__ in failure.detail


def test_runners_by_name():
    assert isinstance(make_runner("inline"), InlineRunner)
    process = make_runner("process")
    assert isinstance(process, ProcessRunner)
    assert isinstance(process, Runner)
    assert make_runner(process) is process
    process.close()
    with pytest.raises(SamTuneError, match="'inline', 'process', or a dask cluster"):
        make_runner("cluster")
