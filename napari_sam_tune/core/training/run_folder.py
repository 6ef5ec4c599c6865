"""A run's folder: its config, its log, where to go on from, and the weights it has made."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from napari_sam_tune.core.errors import TrainingError
from napari_sam_tune.core.models.checkpoints import UNREADABLE
from napari_sam_tune.core.models.weights_file import write_weights
from napari_sam_tune.core.storage.durable import make_folder, replacing_file
from napari_sam_tune.core.training.course import Course

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from napari_sam_tune.core.config import TrainConfig
    from napari_sam_tune.core.images.surfaces import FamiliarSurfaces

WEIGHTS, STATE, LOG, CONFIG = "weights.safetensors", "state.pt", "log.jsonl", "config.yaml"


class RunFolder:
    """What a run leaves on disk; every file is written whole or not at all.

    Args:
        path: the folder, made if it is absent.
        tensorboard: also write TensorBoard's logs, into `tensorboard/`.

    Raises:
        TrainingError: TensorBoard's logs are asked for and it is not installed.

    """

    def __init__(self, path: Path, *, tensorboard: bool = False) -> None:
        self.path = Path(path)
        make_folder(self.path, "The run")
        self._board = _board(self.path / "tensorboard") if tensorboard else None

    @property
    def weights(self) -> Path:
        """The weights file."""
        return self.path / WEIGHTS

    def log(self, step: int, values: Mapping[str, float | None]) -> None:
        """Append a line to the log: what is known after so many steps."""
        known = {name: value for name, value in values.items() if value is not None}
        with (self.path / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **known}) + "\n")
        if self._board is not None:
            for name, value in known.items():
                self._board.add_scalar(name, value, step)

    def keep(
        self,
        course: Course,
        learning: Mapping[str, Tensor],
        best: Mapping[str, Tensor],
        optimizer: torch.optim.Optimizer,
    ) -> None:
        """Write where to go on from.

        Raises:
            StorageError: the disk refused; what was kept before is untouched.

        """
        state = {
            "config": course.config.model_dump(mode="json"),
            "course": course.to_json(),
            "learning": {name: tensor.detach() for name, tensor in learning.items()},
            "best": dict(best),
            "optimizer": optimizer.state_dict(),
        }
        with replacing_file(self.path / STATE) as file:
            torch.save(state, file)

    @torch.no_grad()
    def restore(
        self,
        config: TrainConfig,
        learning: Mapping[str, Tensor],
        optimizer: torch.optim.Optimizer,
    ) -> tuple[Course, dict[str, Tensor]]:
        """Go on from where a run stopped: return its course and the best parameters so far.

        A run that had not come to its first look at held-out objects begins anew.

        Raises:
            TrainingError: the run was begun with another config, or its state is damaged.

        """
        course = Course(config)
        if not (self.path / STATE).exists():
            self._cut_log(0)
            return course, {}
        try:
            state = torch.load(self.path / STATE, map_location="cpu", weights_only=True)
        except (OSError, *UNREADABLE) as error:
            raise TrainingError(
                f"{self.path / STATE} cannot be read ({error}). Delete it to begin the run anew."
            ) from error
        _same_config(state["config"], config.model_dump(mode="json"))
        for name, parameter in learning.items():
            parameter.copy_(state["learning"][name])
        optimizer.load_state_dict(state["optimizer"])
        known = {field.name for field in fields(Course)}
        for name, value in state["course"].items():
            if name in known:
                setattr(course, name, value)
        self._cut_log(course.steps)
        return course, dict(state["best"])

    def write_weights(
        self,
        tensors: Mapping[str, Tensor],
        info: Mapping[str, Any],
        surfaces: FamiliarSurfaces | None = None,
    ) -> str:
        """Write the weights and return their version; see `weights_file.write_weights`."""
        return write_weights(self.weights, tensors, info, surfaces)

    def close(self) -> None:
        """Write out what is left of the logs."""
        if self._board is not None:
            self._board.close()

    def _cut_log(self, steps: int) -> None:
        """Forget lines after a step: those steps are done again."""
        log = self.path / LOG
        if not log.exists():
            return
        lines = log.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if json.loads(line)["step"] <= steps]
        with replacing_file(log) as file:
            file.write("".join(f"{line}\n" for line in kept).encode())


def _board(path: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise TrainingError(
            'TensorBoard is not installed: pip install "napari-sam-tune[tensorboard]".'
        ) from error
    return SummaryWriter(path)


def _same_config(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    differing = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
    if differing:
        said = "; ".join(f"{key} was {before.get(key)}, is {now.get(key)}" for key in differing)
        raise TrainingError(
            f"The run was begun with another config, so going on would be another run: {said}. Use "
            "the same, or begin anew without --resume."
        )
