"""What the endpoint costs beside the bare predictor, to one client and to eight.

    python benchmarks/serving.py [--rounds] [--network] [--many 20000 [--clients 8]]

A real server process on loopback. Ratios within one run: the bare predictor and the endpoint take
turns. With `--rounds` a client's round runs on the server while another client clicks. With
`--network` alone: what a click costs the dock over a network of 30 ms round trips. With `--many`
alone: the server's memory, every thousand of so many valid requests.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np
import psutil
from PIL import Image

from napari_sam_tune.core.answers.chain import REFINERS
from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.config import TrainConfig
from napari_sam_tune.core.images.files import content_hash
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.prompts import Prompt
from napari_sam_tune.core.rounds.runners import InlineRunner
from napari_sam_tune.core.training.job import Progress, TrainingJob
from napari_sam_tune.service.connection import Connection
from napari_sam_tune.service.remote_encoder import RemoteEncoder
from napari_sam_tune.service.remote_runner import RemoteRunner

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from network import network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIDE, TURNS, CLIENTS = 512, 40, 8
BOX = (180.0, 180.0, 330.0, 330.0)


def picture(seed: int) -> np.ndarray:
    """Return a grey (512, 512, 3) image with a brighter disc."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    grey = rng.normal(100, 12, (SIDE, SIDE)) + 60 * ((x - 256) ** 2 + (y - 256) ** 2 < 60**2)
    return np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, 2)


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Start a server process; yields its address."""
    command = [sys.executable, "-m", "napari_sam_tune.cli", "serve", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--folder", str(folder), "--device", "cpu"], stdout=subprocess.PIPE, text=True
    )
    said = ""
    while "http" not in said:
        said += process.stdout.readline()
    try:
        yield re.search(r"http://[^\s.]+(?:\.\d+)*:\d+", said).group()
    finally:
        process.terminate()
        process.wait()


def say(what: str, seconds: list[float], beside: list[float]) -> None:
    ours, bare = np.median(seconds) * 1e3, np.median(beside) * 1e3
    print(
        f"{what}: {ours:.1f} ms (p95 {np.percentile(seconds, 95) * 1e3:.1f}), bare {bare:.1f} ms: "
        f"{ours / bare:.2f}x, {ours - 1.15 * bare:+.1f} ms over 1.15x"
    )


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def one_shot(address: str) -> None:
    predictor = Predictor.from_checkpoint("starter", "cpu")

    def bare(image: np.ndarray | None, dx: float) -> None:
        if image is not None:
            predictor.set_image(image)
        box = (BOX[0] + dx, BOX[1] + dx, BOX[2] + dx, BOX[3] + dx)
        proposal = predictor.propose(Prompt(box=box), refiners=REFINERS)
        predictor.look_closer(proposal, refiners=REFINERS)

    with httpx.Client(base_url=address, timeout=60) as client:

        def ask(content: bytes, dx: float) -> None:
            box = ",".join(str(v + dx) for v in BOX)  # other than before: nothing is remembered
            answer = client.post("/v1/masks", files={"image": content}, data={"box": box})
            answer.raise_for_status()

        known = picture(0)
        content = png(known)
        ask(content, 0.0)
        bare(known, 0.0)
        ours, beside = [], []
        for turn in range(TURNS):
            ours.append(timed(lambda turn=turn: ask(content, (turn + 1) / 100)))
            beside.append(timed(lambda turn=turn: bare(None, (turn + 1) / 100)))
        say("POST /v1/masks, image known", ours, beside)
        ours, beside = [], []
        for turn in range(TURNS // 2):
            fresh = picture(turn + 1)
            sent = png(fresh)
            ours.append(timed(lambda sent=sent: ask(sent, 0.0)))
            beside.append(timed(lambda fresh=fresh: bare(fresh, 0.0)))
        say("POST /v1/masks, image never seen", ours, beside)


def clicking(address: str, seed: int, times: list[float], until: Callable[[], bool]) -> None:
    """Click as one client, each time elsewhere."""
    rng = np.random.default_rng(seed)
    with httpx.Client(base_url=address, timeout=120) as client:
        sent = client.post("/v1/images", files={"image": png(picture(seed))})
        image = sent.raise_for_status().json()["id"]
        while until():
            x, y = rng.uniform(200, 310, 2).tolist()
            asked = {"points": [{"x": x, "y": y}], "box": BOX}
            place = f"/v1/images/{image}/proposals"
            times.append(timed(lambda a=asked, p=place: client.post(p, json=a).raise_for_status()))


def several(address: str) -> None:
    alone: list[float] = []
    clicking(address, 1, alone, lambda: len(alone) < TURNS)
    each: list[list[float]] = [[] for _ in range(CLIENTS)]
    threads = [
        threading.Thread(
            target=clicking,
            args=(address, 100 + n, times, lambda times=times: len(times) < TURNS),
        )
        for n, times in enumerate(each)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one = np.percentile(alone[2:], 95) * 1e3
    all_of_them = np.percentile(np.concatenate([times[2:] for times in each]), 95) * 1e3
    medians = [np.median(times[2:]) * 1e3 for times in each]
    print(
        f"clicks p95: one client {one:.0f} ms, {CLIENTS} clients {all_of_them:.0f} ms: "
        f"{all_of_them / one:.1f}x; medians of the {CLIENTS}: {min(medians):.0f} to "
        f"{max(medians):.0f} ms"
    )


def beside_a_round(address: str, folder: Path) -> None:
    project = Project.open(folder / "project")
    predictor = Predictor.from_checkpoint("starter", "cpu")
    project.set_base(predictor.ref)
    for seed in range(8):
        pixels = picture(seed)
        name = f"{seed}.png"
        project.add_image(name, shape=(SIDE, SIDE), content_hash=content_hash(pixels), array=pixels)
        y, x = np.mgrid[:SIDE, :SIDE]
        project.add(NewAnnotation(name, (x - 256) ** 2 + (y - 256) ** 2 < 60**2, "disc"))
    masks = project.annotations()
    job = TrainingJob(
        project=str(project.path),
        base=project.base,
        parent="base",
        train_ids=tuple(mask.id for mask in masks[:6]),
        judge_ids=tuple(mask.id for mask in masks[6:]),
        config=TrainConfig(steps=400, patience=None),
        device="cpu",
    )
    idle: list[float] = []
    clicking(address, 7, idle, lambda: len(idle) < TURNS)
    learning, over = threading.Event(), threading.Event()

    def listen(message: object) -> None:
        if isinstance(message, Progress):
            if message.phase == "training":
                learning.set()
        else:
            over.set()

    runner = RemoteRunner(Connection(address), InlineRunner())
    runner.start(job, listen)
    learning.wait(300)
    busy: list[float] = []

    def goes_on() -> bool:
        time.sleep(0.3)  # a person looks at the answer
        return len(busy) < TURNS and not over.is_set()

    clicking(address, 8, busy, goes_on)
    runner.cancel()
    runner.wait(60)
    runner.close()
    before, meanwhile = (np.percentile(times[2:], 95) * 1e3 for times in (idle, busy))
    print(
        f"clicks p95: idle {before:.0f} ms, while a round runs {meanwhile:.0f} ms "
        f"({len(busy)} clicks): {meanwhile / before:.2f}x"
    )


def over_a_network(address: str) -> None:
    """Click as the dock does, with windows encoded on the server, and as it does without one.

    Every first click is on a small object, so that its window is encoded, which is the only thing
    for which a click needs the network.
    """
    far, near = (Predictor.from_checkpoint("starter", "cpu") for _ in range(2))
    rng = np.random.default_rng(3)
    grey = rng.normal(100, 12, (2 * SIDE, 2 * SIDE))
    rows, columns = np.mgrid[: 2 * SIDE, : 2 * SIDE]
    places = [(60 + 110 * (n % 9), 60 + 110 * (n // 9)) for n in range(TURNS)]
    for x, y in places:
        grey[(columns - x) ** 2 + (rows - y) ** 2 < 12**2] += 60
    image = np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, 2)
    with network(httpx.URL(address).port) as between:
        between.delay = 0.015
        connection = Connection(between.address)
        far.encoder = RemoteEncoder(connection, far)
        for predictor in (far, near):
            predictor.set_image(image)

        def click(predictor: Predictor, place: tuple[int, int]) -> bool:
            x, y = place
            prompt = Prompt(box=(x - 14, y - 14, x + 14, y + 14))
            proposal = predictor.propose(prompt, refiners=REFINERS)
            return predictor.look_closer(proposal, refiners=REFINERS) is not None

        looked = [click(predictor, places[0]) for predictor in (far, near)]
        if not all(looked):
            raise RuntimeError("no window was encoded, so that no network was measured")
        ours, beside = [], []
        for place in places[1:]:
            ours.append(timed(lambda place=place: click(far, place)))
            beside.append(timed(lambda place=place: click(near, place)))
        connection.close()
    more = (np.array(ours) - np.array(beside)) * 1e3
    print(
        f"clicks on new small objects, 30 ms round trips: {np.median(ours) * 1e3:.0f} ms, without "
        f"a server {np.median(beside) * 1e3:.0f} ms: {np.median(more):+.0f} ms "
        f"(p95 {np.percentile(more, 95):+.0f})"
    )


def ask_anything(address: str, seed: int, requests: int, done: list[int]) -> None:
    """Send valid requests of all kinds about a few images, none the same as one before."""
    rng = np.random.default_rng(seed)
    contents = [png(picture(n)) for n in range(4)]
    with httpx.Client(base_url=address, timeout=300) as client:
        for number in range(requests):
            content = contents[int(rng.integers(4))]
            x, y = rng.uniform(200, 310, 2).tolist()
            match number % 5:
                case 0:
                    box = f"{x - 60},{y - 60},{x + 60},{y + 60}"
                    answer = client.post("/v1/masks", files={"image": content}, data={"box": box})
                case 1:
                    form = {"points": f"{x},{y},1;{y},{x},0"}
                    coco = {"Accept": "application/json"}
                    files = {"image": content}
                    answer = client.post("/v1/masks", files=files, data=form, headers=coco)
                case 2:
                    answer = client.post("/v1/images", files={"image": content})
                    image = answer.json()["id"]
                    said = [{"x": x, "y": y}]
                case _:
                    asked = {"points": said, "box": BOX}
                    answer = client.post(f"/v1/images/{image}/proposals", json=asked)
                    said = [*said, {"x": y, "y": x, "label": 0}]
            answer.raise_for_status()
            done[0] += 1


def many(address: str, requests: int, clients: int) -> None:
    server, done = psutil.Process().children()[0], [[0] for _ in range(clients)]
    threads = [
        threading.Thread(target=ask_anything, args=(address, n, requests // clients, count))
        for n, count in enumerate(done)
    ]
    for thread in threads:
        thread.start()
    thousands = 0
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.2)
        answered = sum(count[0] for count in done)
        if answered // 1000 > thousands:
            thousands = answered // 1000
            print(f"{answered:6} requests: {own_memory(server):.0f} MiB", flush=True)
    time.sleep(5)
    answered = sum(count[0] for count in done)
    print(f"{answered:6} requests, idle: {own_memory(server):.0f} MiB")


def own_memory(process: psutil.Process) -> float:
    """MiB that no other process shares: libraries come and go as the system likes."""
    return float(process.memory_full_info().uss / 2**20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", action="store_true")
    parser.add_argument("--network", action="store_true")
    parser.add_argument("--many", type=int, default=0)
    parser.add_argument("--clients", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "served") as address:
        if asked.network:
            over_a_network(address)
            return
        if asked.many:
            many(address, asked.many, asked.clients)
            return
        one_shot(address)
        several(address)
        if asked.rounds:
            beside_a_round(address, Path(folder))


if __name__ == "__main__":
    main()
