"""Weights as files that other programs read; each format is a function that writes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.answers.tuned import TunedWeights, read_tuned, use
from napari_sam_tune.core.errors import CheckpointError, ProjectError, StorageError
from napari_sam_tune.core.models.base import BASE_VERSION
from napari_sam_tune.core.models.checkpoints import load_base, save_sam_checkpoint
from napari_sam_tune.core.models.lora import adapted_weight
from napari_sam_tune.core.models.weights_file import is_head, write_weights
from napari_sam_tune.core.promptless.store import newest_head
from napari_sam_tune.core.storage.durable import publish_file, saving
from napari_sam_tune.formats.publishing import building
from napari_sam_tune.formats.weights.model_card import model_card
from napari_sam_tune.formats.weights.usage import (
    half_names,
    use_exported,
    use_head,
    use_onnx,
    use_ours,
    use_sam,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from segment_anything.modeling import Sam

    from napari_sam_tune.core.models.base import BaseRef
    from napari_sam_tune.core.project.project import Project


@dataclass(frozen=True)
class WeightsFormat:
    """A format that weights go out in.

    Attributes:
        write: writes weights on their base to a path, which is a file or a new folder.
        usage: says in Markdown how to use what was written, from its name and the architecture.
        halves: suffix of encoder and decoder where they are two files, else "".

    """

    write: Callable[[BaseRef, TunedWeights, Path], None]
    usage: Callable[[str, str], str]
    halves: str = ""

    def files(self, path: Path) -> list[Path]:
        """Return what is written when `path` is asked for, the card last."""
        if not self.halves:
            return [path, path.with_name(f"{path.name}.md")]
        halves = [path.parent / name for name in half_names(path.name, self.halves)]
        in_folder = path.suffix != self.halves
        return [*halves, path / "README.md" if in_folder else path.with_name(f"{path.name}.md")]


def _merged(base: BaseRef, tuned: TunedWeights) -> Sam:
    predictor = Predictor(load_base(base))
    use(predictor, tuned)
    return predictor.sam


def _whole_sam(base: BaseRef, tuned: TunedWeights, path: Path) -> None:
    save_sam_checkpoint(_merged(base, tuned), path)


def _ours(_: BaseRef, tuned: TunedWeights, path: Path) -> None:
    write_weights(path, tuned.tensors, tuned.info)


def _adapters(_: BaseRef, tuned: TunedWeights, path: Path) -> None:
    found = {name: t for name, t in tuned.tensors.items() if adapted_weight(name) is not None}
    if not found:
        raise CheckpointError(
            "These weights hold no LoRA adapters. Train with --set parts=lora, or choose another "
            "format."
        )
    write_weights(path, found, tuned.info)


def _head(_: BaseRef, tuned: TunedWeights, path: Path) -> None:
    if not is_head(tuned.tensors):
        raise CheckpointError(
            "These weights are no promptless head. Train one with --set parts=promptless, or "
            "choose another format."
        )
    write_weights(path, tuned.tensors, tuned.info)


def _onnx(base: BaseRef, tuned: TunedWeights, path: Path) -> None:
    from napari_sam_tune.formats.weights.graphs import write_onnx

    encoder, decoder, _ = WRITERS["onnx"].files(path)
    encoder.parent.mkdir(exist_ok=True)
    write_onnx(_merged(base, tuned), encoder, decoder)


def _exported(base: BaseRef, tuned: TunedWeights, path: Path) -> None:
    from napari_sam_tune.formats.weights.graphs import write_exported

    encoder, decoder, _ = WRITERS["pt2"].files(path)
    encoder.parent.mkdir(exist_ok=True)
    write_exported(_merged(base, tuned), encoder, decoder)


WRITERS: Final[Mapping[str, WeightsFormat]] = {
    "sam": WeightsFormat(_whole_sam, use_sam),
    "safetensors": WeightsFormat(_ours, use_ours),
    "lora": WeightsFormat(_adapters, use_ours),
    "promptless": WeightsFormat(_head, use_head),
    "onnx": WeightsFormat(_onnx, use_onnx, halves=".onnx"),
    "pt2": WeightsFormat(_exported, use_exported, halves=".pt2"),
}
"""sam: a whole model as an ordinary SAM checkpoint, adapters merged; safetensors: only what was
trained, with its description; lora: the adapters alone; promptless: the head and its neck; onnx and
pt2 (`torch.export`): encoder and decoder as graphs, adapters merged."""


def weights_of(project: Project, form: str, version: str = "current") -> TunedWeights:
    """Return what of a project is exported in a format.

    Args:
        project: with a base model.
        form: one of `WRITERS`; "promptless" means the head kept last, whatever the version.
        version: "current", "base", or a version's 12 digits.

    Raises:
        ProjectError: there is no base model, no such version, or no head.
        CheckpointError: the file is damaged.

    """
    base = _base_of(project)
    if form == "promptless":
        head = newest_head(project)
        if head is None:
            raise ProjectError(
                "The project has no promptless head. Train one with --set parts=promptless --enter."
            )
        return read_tuned(head, base)
    chosen = project.current_version if version == "current" else version
    if chosen == BASE_VERSION:
        return TunedWeights({}, {}, BASE_VERSION)
    return read_tuned(project.weights_path(chosen), base)


def export_weights(
    project: Project, tuned: TunedWeights, path: Path, form: str, *, overwrite: bool = False
) -> list[Path]:
    """Write weights in a format and a model card beside them.

    All files are built before the first one is moved to its place.

    Args:
        project: they belong to.
        tuned: the weights; without a tensor they are the base model's own.
        path: of the file; of a folder, or a name for two files, where the format is two graphs.
        form: one of `WRITERS`.
        overwrite: replace files that are there.

    Returns:
        The files, the card last.

    Raises:
        CheckpointError: there is no such format, it cannot hold these weights, or they were made on
            another model.
        ProjectError: the project has no base model.
        StorageError: a file is there already, or the disk refused.

    """
    if form not in WRITERS:
        raise CheckpointError(f"There is no format {form!r}; there are {', '.join(WRITERS)}.")
    base = _base_of(project)
    _check_base(base, tuned)
    path = path.absolute()  # "." has a name then
    for file in WRITERS[form].files(path):
        if file.exists() and not overwrite:
            raise StorageError(f"{file} exists already; add --overwrite, or choose another name.")
    with saving("The export", path.parent), building(path) as folder:
        built = folder / path.name
        WRITERS[form].write(base, tuned, built)
        _write_card(project, base, tuned, form, built)
        return _publish(folder, path.parent)


def _base_of(project: Project) -> BaseRef:
    if project.base is None:
        raise ProjectError(f"{project.path} has no base model yet, so there are no weights in it.")
    return project.base


def _check_base(base: BaseRef, tuned: TunedWeights) -> None:
    made_on = tuned.info.get("base", {})
    if made_on.get("sha256", base.sha256) != base.sha256:
        raise CheckpointError(
            f"These weights were made on the model {made_on.get('name')}, the project builds on "
            f"{base.name}. Name the project they belong to."
        )


def _write_card(
    project: Project, base: BaseRef, tuned: TunedWeights, form: str, path: Path
) -> None:
    architecture = tuned.info.get("architecture") or load_base(base).architecture
    usage = WRITERS[form].usage(path.name, architecture)
    text = model_card(project, base, tuned, architecture, form, usage)
    WRITERS[form].files(path)[-1].write_text(text, encoding="utf-8")


def _publish(built: Path, target: Path) -> list[Path]:
    """Move what was built in a folder into another one, the card last."""
    files = (file for file in built.rglob("*") if file.is_file())
    published = []
    for source in sorted(files, key=lambda file: (file.suffix == ".md", file)):
        file = target / source.relative_to(built)
        file.parent.mkdir(exist_ok=True)
        source.chmod(0o644)
        publish_file(source, file)
        published.append(file)
    return published
