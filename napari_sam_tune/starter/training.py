"""Training the starter from nothing: `train`, seeded, resumable at any moment, on any device.

    python -m napari_sam_tune.starter.training --run DIR --hours 2

A run is a folder: `checkpoint.pt` (everything needed to go on), `best.safetensors` (the averaged
weights with the best validation so far) and `log.jsonl` (one line for each validation). Images and
prompts depend only on the seed and the step, so an interrupted run continues as if it had not been.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from napari_sam_tune.core.models import starter_pyramid
from napari_sam_tune.core.models.starter import EMBED_DIM
from napari_sam_tune.core.storage.durable import make_folder
from napari_sam_tune.starter.batches import Batch, BatchSpec, batches
from napari_sam_tune.starter.photographs import read_set, read_surfaces
from napari_sam_tune.starter.rounds import DefectMap, StepRecord, train_step
from napari_sam_tune.starter.validation import validate
from napari_sam_tune.starter.weights import (
    build_edition,
    load_starter_state,
    save_starter,
    starter_metadata,
)

if TYPE_CHECKING:
    from segment_anything.modeling import Sam

LEARNING_RATE: Final = 1e-3
WARM_UP: Final = 60
"""Steps of linear warm-up; a rate of 2e-3 collapses to empty masks."""
PLATEAU: Final = 2000
"""Steps after which the rate falls with the inverse square root: no end has to be known."""
WEIGHT_DECAY: Final = 0.02
CLIP: Final = 1.0
AVERAGING: Final = 0.999
"""Decay of the weights' moving average, which takes the place of annealing."""
MAX_CORRECTIONS: Final = 7
BALANCED: Final = (200, 800)
"""Steps between which balanced cross entropy gives way to focal loss."""
CHECKPOINT_SECONDS: Final = 120.0
VALIDATION_SECONDS: Final = 1200.0
VALIDATION_SIZE: Final = 256
JUDGED: Final = ("iou_1", "iou_3", "iou_5", "iou_box")
"""The figures whose mean, real photographs' included, decides which weights are the best."""
SHORT_REPORT: Final = 25
"""Steps between reports of the training's own figures."""

Progress = Callable[[dict[str, Any]], None]


@dataclasses.dataclass
class Run:
    """Everything a run must remember between steps."""

    sam: Sam
    head: DefectMap
    average: Sam
    optimizer: torch.optim.AdamW
    step: int = 0
    begun: int = 0
    seconds: float = 0.0
    best: float = -1.0

    def state(self) -> dict[str, Any]:
        """Tensors and numbers only, so that it loads without unpickling code."""
        return {
            "sam": self.sam.state_dict(),
            "head": self.head.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "begun": self.begun,
            "seconds": self.seconds,
            "best": self.best,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self.sam.load_state_dict(state["sam"])
        self.head.load_state_dict(state["head"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.begun = state["step"], state.get("begun", 0)
        self.seconds, self.best = state["seconds"], state["best"]


def new_run(seed: int, device: torch.device, trunk_rate: float = 0.0) -> Run:
    """A run at step 0, initialised from `seed`.

    The trunk learns at `trunk_rate` times the rate of the rest; at 0 it is frozen.
    """
    torch.manual_seed(seed)
    sam = build_edition(starter_pyramid.ARCHITECTURE).to(device)
    sam.image_encoder.to(memory_format=torch.channels_last)
    head = DefectMap(EMBED_DIM).to(device)
    trunk = list(sam.image_encoder.trunk.parameters())
    for parameter in trunk:
        parameter.requires_grad_(trunk_rate > 0)
    known = {id(parameter) for parameter in trunk}
    rest = [p for p in (*sam.parameters(), *head.parameters()) if id(p) not in known]
    groups = []
    for parameters, scale in ((rest, 1.0), (trunk, trunk_rate)):
        if scale > 0:
            decayed = [p for p in parameters if p.ndim > 1]
            others = [p for p in parameters if p.ndim <= 1]
            groups.append({"params": decayed, "weight_decay": WEIGHT_DECAY, "scale": scale})
            groups.append({"params": others, "weight_decay": 0.0, "scale": scale})
    optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=(0.9, 0.98))
    average = copy.deepcopy(sam).requires_grad_(False)
    return Run(sam, head, average, optimizer)


def begin_from(run: Run, weights: Path) -> None:
    """Let a new run go on from a weights file, at the step that the file names.

    The optimizer and the training-only head begin anew, hence a second warm-up. Of the first
    edition, whose encoder is another, prompt encoder and mask decoder are taken, at step 0.
    """
    state = load_starter_state(weights)
    described = starter_metadata(weights)
    if described["architecture"] != starter_pyramid.ARCHITECTURE:
        state = {n: t for n, t in state.items() if not n.startswith("image_encoder.")}
        described = {}
    for sam in (run.sam, run.average):
        sam.load_state_dict({**sam.state_dict(), **state})
    run.step = run.begun = int(described.get("steps", "0"))


def learning_rate(step: int, begun: int = 0, left: float = 1.0) -> float:
    """Linear warm-up, a plateau, then inverse square root; times the share `left` of annealing."""
    warm = min(1.0, (step - begun + 1) / WARM_UP) * left
    return float(LEARNING_RATE * warm * min(1.0, (PLATEAU / (step + 1)) ** 0.5))


def corrections_at(step: int, generator: torch.Generator) -> int:
    """How many correction rounds a step runs: few while the first click still means nothing."""
    most = min(MAX_CORRECTIONS, 1 + step // 300)
    return int(torch.randint(1, most + 1, (1,), generator=generator))


def advance(
    run: Run, batch: Batch, seed: int, *, bf16: bool = True, left: float = 1.0
) -> StepRecord:
    """One optimizer step; `run.step` counts it. `left` scales the learning rate."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + run.step)
    for group in run.optimizer.param_groups:
        group["lr"] = group["scale"] * learning_rate(run.step, run.begun, left)
    start, end = BALANCED
    balance = min(1.0, max(0.0, (end - run.step) / (end - start)))
    record = train_step(
        run.sam,
        run.head,
        batch,
        generator,
        corrections=corrections_at(run.step, generator),
        bf16=bf16,
        balance=balance,
    )
    parameters = [p for group in run.optimizer.param_groups for p in group["params"]]
    torch.nn.utils.clip_grad_norm_(parameters, CLIP)
    run.optimizer.step()
    run.optimizer.zero_grad(set_to_none=True)
    run.step += 1
    _average(run)
    return record


@torch.no_grad()
def _average(run: Run) -> None:
    """Move the averaged weights towards the current ones; quickly at first."""
    decay = min(AVERAGING, (1 + run.step) / (10 + run.step))
    pairs = zip(run.average.parameters(), run.sam.parameters(), strict=True)
    learning = [(average, own) for average, own in pairs if own.requires_grad]
    averages, owns = zip(*learning, strict=True)
    torch._foreach_lerp_(list(averages), list(owns), weight=1 - decay)


def mean_of(records: list[StepRecord]) -> dict[str, float]:
    """The mean of each figure of some steps."""
    names = [field.name for field in dataclasses.fields(StepRecord)]
    return {
        name: round(sum(getattr(record, name) for record in records) / len(records), 4)
        for name in names
    }


def save_checkpoint(run: Run, folder: Path) -> None:
    """Replace the checkpoint in one step: a crash leaves the old one or the new one."""
    temporary = folder / ".checkpoint.pt"
    torch.save(run.state(), temporary)
    temporary.replace(folder / "checkpoint.pt")


def examine(run: Run, folder: Path, seed: int, real: tuple[str, ...] = ()) -> dict[str, Any]:
    """Validate the averaged weights, keep them if they are the best, and log a line."""
    figures = validate(run.average, VALIDATION_SIZE, real)
    judged = [value for name, value in figures.items() if name.removeprefix("real_") in JUDGED]
    quality = round(sum(judged) / len(judged), 4)
    line: dict[str, Any] = {"step": run.step, "hours": round(run.seconds / 3600, 3)}
    line |= {**figures, "quality": quality}
    if quality > run.best:
        run.best = quality
        described = {"steps": run.step, "seed": seed, "hours": line["hours"], "quality": quality}
        metadata = {name: str(value) for name, value in described.items()}
        save_starter(run.average, folder / "best.safetensors", metadata)
    with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")
    return line


class _Timer:
    """Does something whenever `seconds` have passed since it last did."""

    def __init__(self, seconds: float, what: Callable[[], None]) -> None:
        self._seconds, self._what = seconds, what
        self._last = time.monotonic()

    def do_if_due(self) -> None:
        if time.monotonic() - self._last > self._seconds:
            self.do()

    def do(self) -> None:
        self._what()
        self._last = time.monotonic()


@dataclasses.dataclass(frozen=True)
class _Extent:
    """How far a call of `train` goes: so many hours from `began`, or to so many steps."""

    hours: float | None
    steps: int | None
    anneal: float
    began: float = dataclasses.field(default_factory=time.monotonic)

    def left(self, first: int, step: int) -> float:
        """Share that is still ahead at `step`, of hours or of steps since `first`: the less."""
        shares = [1.0]
        if self.hours is not None:
            shares.append(1 - (time.monotonic() - self.began) / (self.hours * 3600))
        if self.steps is not None:
            shares.append((self.steps - step) / max(self.steps - first, 1))
        return min(shares)

    def rate(self, left: float) -> float:
        """Share of the learning rate where a share `left` is still ahead."""
        return min(1.0, left / self.anneal) if self.anneal else 1.0


def _restore_or_begin(state: Run, folder: Path, start: Path | None) -> bool:
    """Go on from the checkpoint in `folder`, else from the weights `start`; True for the latter."""
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists():
        state.restore(torch.load(checkpoint, map_location=state.sam.device, weights_only=True))
    elif start is not None:
        begin_from(state, start)
        return True
    return False


def _paths(folders: Sequence[Path], read: Callable[[Path], object]) -> tuple[str, ...]:
    """Return folders from the root; what is wrong with one is said here, not in a child."""
    found = [folder.resolve() for folder in folders]
    for folder in found:
        read(folder)
    return tuple(map(str, found))


def _steps(state: Run, source: Iterator[Batch], seed: int, extent: _Extent) -> Iterator[StepRecord]:
    """Take steps until the asked hours or steps are over."""
    first = state.step
    while (left := extent.left(first, state.step)) > 0:
        began = time.monotonic()
        record = advance(state, next(source), seed, left=extent.rate(left))
        state.seconds += time.monotonic() - began
        yield record


def train(
    run: Path,
    *,
    hours: float | None = None,
    steps: int | None = None,
    anneal: float = 0.0,
    seed: int = 0,
    sizes: Sequence[int] = (128, 256, 512),
    device: str = "cpu",
    threads: int = 1,
    images: int = 6,
    objects: int = 3,
    processes: int = 1,
    start: Path | None = None,
    real: Sequence[Path] = (),
    surfaces: Sequence[Path] = (),
    trunk_rate: float = 0.0,
    examine_every: float = VALIDATION_SECONDS,
    progress: Progress | None = None,
) -> Path:
    """Train, or go on training, in the folder `run`; returns the best weights so far.

    Stops after `hours` of this call or at step number `steps` of the whole run, whichever comes
    first; with neither it goes on until interrupted, and loses two minutes at most. The learning
    rate falls to nothing over the last share `anneal` of what is asked, hours or steps; keep a copy
    of the run from before, to go on from. Each step has pictures of one of `sizes` px (repeat one
    to see it more often), `images` of them at 256 px, with `objects` targets each. A new run begins
    from the weights `start` if there are any, at the step they were trained to, and only better
    ones replace them. Three in ten pictures are crops of the photographs in the folders `real`, and
    a third has defects drawn on those of sound `surfaces` (see `photographs`), if there are any.
    The ImageNet trunk learns at `trunk_rate` times the rate of the rest. The weights are examined
    every `examine_every` seconds, and at the end, which comes after `hours`. `progress` is called
    with the figures of every validation and, in between, of the last `SHORT_REPORT` steps.
    """
    extent = _Extent(hours, steps, anneal)
    photographs, sound = _paths(real, read_set), _paths(surfaces, read_surfaces)
    torch.set_num_threads(threads)
    make_folder(run, "The run")
    report = progress or (lambda line: None)
    state = new_run(seed, torch.device(device), trunk_rate)
    has_begun_from = _restore_or_begin(state, run, start)
    spec = BatchSpec(images, objects, tuple(sizes), seed, real=photographs, surfaces=sound)
    examining = _Timer(examine_every, lambda: report(examine(state, run, seed, photographs)))
    saving = _Timer(CHECKPOINT_SECONDS, lambda: save_checkpoint(state, run))
    recent: list[StepRecord] = []
    with batches(spec, state.step, processes) as source:
        if has_begun_from:  # while the first pictures are made
            examining.do()
        for record in _steps(state, source, seed, extent):
            recent.append(record)
            if len(recent) == SHORT_REPORT:
                report({"step": state.step, **mean_of(recent)})
                recent.clear()
            examining.do_if_due()
            saving.do_if_due()
    examining.do()
    saving.do()
    return run / "best.safetensors"


def _main() -> None:
    parser = argparse.ArgumentParser(description="Train the starter.")
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--hours", type=float)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--anneal", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256, 512])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--images", type=int, default=6)
    parser.add_argument("--objects", type=int, default=3)
    parser.add_argument("--start", type=Path)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--real", type=Path, nargs="*", default=[])
    parser.add_argument("--surfaces", type=Path, nargs="*", default=[])
    parser.add_argument("--trunk-rate", type=float, default=0.0)
    parser.add_argument("--examine-every", type=float, default=VALIDATION_SECONDS)
    options = parser.parse_args()

    def report(line: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    train(**vars(options), progress=report)


if __name__ == "__main__":
    _main()
