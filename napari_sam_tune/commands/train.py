"""`napari-sam-tune train` and `napari-sam-tune config`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_sam_tune.commands.stopping import Stopped, advising
from napari_sam_tune.commands.terminal import Device, progress_bar, say, strong
from napari_sam_tune.core.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_sam_tune.core.rounds.run import RunResult
    from napari_sam_tune.core.training.job import Progress


def train(
    project: Annotated[Path, typer.Argument(help="Project with accepted masks.")],
    out: Annotated[Path, typer.Option(help="Folder of the run; made if it is absent.")],
    config: Annotated[
        Path | None, typer.Option(help="YAML file; `napari-sam-tune config` prints one.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting, such as parts=lora, lora.rank=8 or steps=200."),
    ] = None,
    start: Annotated[
        str, typer.Option(help="Version to start from: base, current, or its 12 digits.")
    ] = "base",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out, with its own config.")
    ] = False,
    enter: Annotated[
        bool, typer.Option("--enter", help="Put the weights in use if the gate finds them better.")
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write TensorBoard's logs.")
    ] = False,
    device: Device = "auto",
    processes: Annotated[
        int, typer.Option(min=1, help="Train with so many processes, one a GPU.")
    ] = 1,
) -> None:
    """Train on a project's masks: decoder, LoRA, neck, norms, whole model or a promptless head."""
    from napari_sam_tune.core.training.world import is_alone, is_first

    if processes > 1 and is_alone():
        _launch(processes)
        return
    from napari_sam_tune.core.config import TrainConfig
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.rounds.run import enter as enter_project
    from napari_sam_tune.core.rounds.run import train as run
    from napari_sam_tune.core.training.run_folder import CONFIG
    from napari_sam_tune.core.training.settings import read_config, with_settings

    opened = Project.open(project, create=False)
    path = out / CONFIG if resume and config is None else config
    chosen = with_settings(read_config(path) if path else TrainConfig.for_a_run(), set_ or [])
    version = opened.current_version if start == "current" else start
    training = run(
        opened, out, chosen, start=version, resume=resume, device=device, tensorboard=tensorboard
    )
    with advising("To go on where the run was last saved, add --resume to the same command."):
        result = _followed(training, show=is_first())
    if not is_first():
        return
    if result.held_out is not None:
        before = "" if result.held_out_before is None else f"{result.held_out_before:.3f} before, "
        say(f"Held out: {before}{result.held_out:.3f} now.")
    say("Weights: ", strong(result.weights), wrap=False)
    if enter:
        enter_project(opened, result)
        said = "It proposes in the dock now." if result.verdict is None else result.verdict.reason
        say(said)


def print_config() -> None:
    """Print the defaults of a run as YAML, with a comment on every key."""
    from napari_sam_tune.core.config import TrainConfig
    from napari_sam_tune.core.training.settings import commented

    sys.stdout.write(commented(TrainConfig.for_a_run()))


def _followed(training: Generator[Progress, None, RunResult], *, show: bool) -> RunResult:
    """Show a training's progress until it ends."""
    bar = progress_bar()
    bar.disable = not show
    with bar:
        task = bar.add_task("Loading", total=None)
        while True:
            try:
                step = next(training)
            except StopIteration as ended:
                result: RunResult = ended.value
                return result
            loss = "" if step.loss is None else f", loss {step.loss:.3f}"
            said = f"{step.phase.capitalize()}{loss}"
            bar.update(task, description=said, completed=step.step, total=step.steps)


def _launch(processes: int) -> None:
    """Start this command again, in several processes that find each other."""
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import main as torchrun

    own = ["--standalone", f"--nproc-per-node={processes}", "--module", "napari_sam_tune"]
    try:
        torchrun([*own, *sys.argv[1:]])
    except ChildFailedError as error:
        raise TrainingError(
            f"{len(error.failures)} of the {processes} processes ended before their time; what "
            "they said stands above."
        ) from error
    except SignalException as signalled:
        raise Stopped(signalled.sigval) from signalled
