"""Work shared out on a cluster of dask: two processes of this machine, some of which are killed."""

from __future__ import annotations

import multiprocessing
import sys
from typing import TYPE_CHECKING

import dask
import psutil
import pytest
import torch
from labelled_project import accept_masks, job_on
from marked_piece import Marked
from tuned_files import disc_image, project_of_discs, save_image, write_shifted
from typer.testing import CliRunner

from napari_sam_tune import Predictor, Project
from napari_sam_tune.cli import app
from napari_sam_tune.core.batch import embed
from napari_sam_tune.core.batch.embed import embed_folder, embed_folder_on
from napari_sam_tune.core.cluster import cluster as clusters
from napari_sam_tune.core.cluster.cluster import open_cluster
from napari_sam_tune.core.errors import ClusterError, ImageError, TrainingError
from napari_sam_tune.core.rounds.messages import RoundCancelled
from napari_sam_tune.core.rounds.runners import InlineRunner, Runner, make_runner
from napari_sam_tune.core.training.job import Candidate, Progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam_tune.core.cluster.cluster import Cluster

distributed = pytest.importorskip("distributed")

SLOW_TO_IMPORT = ["distributed", "torch", "segment_anything", "zarr"]
"""Of others: workers are forked from a process that has it. What is ours each imports anew."""

pytestmark = pytest.mark.usefixtures("at_128_px")


def test_a_cluster_on_this_machine_is_for_this_program_alone() -> None:
    with open_cluster("local:1"):
        processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
        listening = [
            connection.laddr.ip
            for process in processes
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
    assert len(listening) >= 2
    assert set(listening) == {"127.0.0.1"}


@pytest.fixture(scope="module")
def address(at_128_px: None) -> Iterator[str]:
    """A scheduler with two workers, whose starters see images at 128 px as those here."""
    torch.set_num_threads(1)
    keys = distributed.Security.temporary()
    settings = {
        "distributed.deploy.lost-worker-timeout": "10 minutes",  # where the machine is busy
        "distributed.comm.require-encryption": True,
        "distributed.comm.tls.ca-file": keys.tls_ca_file,
    }
    for role in ("client", "scheduler", "worker"):
        settings[f"distributed.comm.tls.{role}.cert"] = keys.tls_client_cert
        settings[f"distributed.comm.tls.{role}.key"] = keys.tls_client_key
    if "forkserver" in multiprocessing.get_all_start_methods():
        settings["distributed.worker.multiprocessing-method"] = "forkserver"
        with dask.config.set(settings):
            distributed.utils.get_mp_context().set_forkserver_preload(SLOW_TO_IMPORT)
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            memory_limit=None,
            security=distributed.Security(),
            dashboard_address="127.0.0.1:0",
        ) as cluster,
    ):
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def cluster(address: str) -> Iterator[Cluster]:
    with open_cluster(address) as joined:
        yield joined


def test_a_worker_that_dies_loses_its_piece_which_is_done_again(
    cluster: Cluster, tmp_path: Path
) -> None:
    pieces = [Marked(number, tmp_path, kills=number == 3) for number in range(12)]
    assert list(cluster.each(pieces, into=tmp_path)) == [number**2 for number in range(12)]
    done = [len(list(tmp_path.glob(f"{number}-*"))) for number in range(12)]
    assert done[3] == 2
    # what else the worker had done, and was not fetched yet, may have gone with it
    assert sum(done) <= 12 + 3
    assert not list(tmp_path.glob(".cluster*"))

    with pytest.raises(ImageError, match=r"This is no image\. \(On the worker tls://127"):
        list(cluster.each([Marked(1, tmp_path), Marked(-1, tmp_path)]))


def test_a_worker_that_does_not_see_the_files_says_so(cluster: Cluster, tmp_path: Path) -> None:
    elsewhere = Marked(1, tmp_path, files=(tmp_path / "not mounted there",))
    with pytest.raises(ClusterError, match=r"tls://127.* does not see .*not mounted there.*share"):
        list(cluster.each([elsewhere]))
    assert not list(tmp_path.iterdir())


def contents(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def run(*arguments: object) -> str:
    given = [*map(str, arguments), "--device", "cpu"]
    result = CliRunner().invoke(app, given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_embeddings_are_the_same_bytes(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed, "SHARES", 3)  # two images at once
    for number in range(6):
        save_image(tmp_path / "images" / f"{number}.png", disc_image(number))
    (tmp_path / "images" / "3 notes.png").write_text("not an image")
    predictor = Predictor.from_checkpoint("starter", "cpu")
    here, there = (Project.open(tmp_path / name) for name in ("here", "there"))
    one = list(embed_folder(here, predictor, tmp_path / "images"))
    shared = embed_folder_on(cluster, there, predictor.ref, tmp_path / "images", device="cpu")
    assert list(shared) == one
    kept = contents(here.embeddings_path)
    assert len(kept) > 12
    assert contents(there.embeddings_path) == kept


def test_evaluate_predict_and_sweep_come_to_what_they_do_alone(
    address: str, tmp_path: Path
) -> None:
    project = project_of_discs(tmp_path)
    weights = write_shifted(tmp_path / "w.safetensors")
    short = ("--set", "batch_size=1", "--set", "look_objects=0", "--set", "judge_objects=1")
    for name, more in (("alone", ()), ("shared", ("--cluster", address))):
        out = tmp_path / name
        run("evaluate", project.path, "--weights", weights, "--out", out / "report", *more)
        asked = ("--weights", weights, "--baseline", "--box", "14,18,46,50")
        said = run("predict", tmp_path / "images", *asked, "--out", out / "masks", *more)
        assert said.count("im 2.png  base, box 14,18,46,50: predicted IoU") == 1
        values = ("--param", "steps=1", "--seeds", 1, "--set", "parts=decoder", *short)
        run("sweep", project.path, *values, "--out", out / "sweep", *more)
    alone, shared = contents(tmp_path / "alone"), contents(tmp_path / "shared")
    compared = [name for name in alone if name.startswith(("report", "masks"))]
    assert len(compared) > 15
    assert [name for name in compared if alone[name] != shared[name]] == []
    tables = [
        [row.rsplit(",", 1)[0] for row in found["sweep/sweep.csv"].decode().split()]
        for found in (alone, shared)
    ]
    assert tables[0] == tables[1]  # but for the seconds
    assert len(tables[0]) == 3


def test_rounds_on_a_cluster(address: str, tmp_path: Path) -> None:
    project = accept_masks(tmp_path / "p")
    with dask.config.set({"scheduler-address": address}):
        runner = make_runner("dask")
        assert isinstance(runner, Runner)
        workers: list[int] = []
        heard: list[object] = []

        def listen(message: object) -> None:
            heard.append(message)
            is_training = getattr(message, "phase", "") == "training"
            if is_training and getattr(message, "step", 0) == 1 and not workers:
                workers.append(1)
                kill_busiest()

        runner.start(job_on(project), listen)
        with pytest.raises(TrainingError, match="already under way"):
            runner.start(job_on(project), listen)
        assert runner.wait(120)
        alone: list[object] = []
        InlineRunner().start(job_on(project), alone.append)
        assert all(isinstance(message, Progress) for message in heard[:-1])
        steps = [message.step for message in heard[:-1] if message.phase == "training"]
        assert steps[-3:] == [0, 1, 2]  # once more, from the beginning
        assert steps[:2] == [0, 1]
        assert isinstance(heard[-1], Candidate)
        assert heard[-1].losses == pytest.approx(alone[-1].losses, abs=1e-6)
        assert project.weights_path(heard[-1].version).exists()

        ends: list[object] = []

        def cancel(message: object) -> None:
            ends.append(message)
            if getattr(message, "step", 0) == 1:
                runner.cancel()

        runner.start(job_on(project, steps=5_000), cancel)
        assert runner.wait(60)
        assert ends[-1] == RoundCancelled()
        assert sum(not isinstance(message, Progress) for message in ends) == 1
        runner.close()
        with pytest.raises(TrainingError, match="closed"):
            runner.start(job_on(project), cancel)


def kill_busiest() -> None:
    """Kill the worker process that computes."""
    children = psutil.Process().children(recursive=True)
    busiest = max(children, key=lambda child: child.cpu_percent(0.3))
    busiest.kill()


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("workstation", "no cluster: give the address"),
        ("local:0", "no number of processes"),
        ("local:many", "no number of processes"),
        ("dask", "names no scheduler"),
        ("tcp://127.0.0.1:1", "No scheduler answers at tcp://127.0.0.1:1"),
    ],
)
def test_a_cluster_that_is_none(where: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "_WAIT_SECONDS", 0.5)
    with pytest.raises(ClusterError, match=said):
        open_cluster(where)


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"pip install \"napari-sam-tune\[cluster\]\""):
        open_cluster("local:2")
