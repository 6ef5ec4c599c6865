"""Weights as files that other programs read; each format is a function that writes one."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.checkpoints import load_base, save_sam_checkpoint
from napari_sam_tune.core.durable import publish_file, saving
from napari_sam_tune.core.errors import CheckpointError, ProjectError, StorageError
from napari_sam_tune.core.lora import adapted_weight
from napari_sam_tune.core.predictor import Predictor
from napari_sam_tune.core.tuned import TunedWeights, use
from napari_sam_tune.core.weights import write_weights
from napari_sam_tune.formats.model_card import model_card
from napari_sam_tune.formats.usage import (
    half_names,
    use_exported,
    use_onnx,
    use_ours,
    use_sam,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from segment_anything.modeling import Sam

    from napari_sam_tune.core.project import BaseRef, Project


@dataclass(frozen=True)
class WeightsFormat:
    """A format that weights go out in.

    Attributes:
        write: writes weights on their base to a path, which is a file or a new folder.
        usage: says in Markdown how to use what was written, from its name and the architecture.

    """

    write: Callable[[BaseRef, TunedWeights, Path], None]
    usage: Callable[[str, str], str]


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


def _onnx(base: BaseRef, tuned: TunedWeights, path: Path) -> None:
    from napari_sam_tune.formats.graphs import write_onnx

    write_onnx(_merged(base, tuned), *_halves(path, ".onnx"))


def _exported(base: BaseRef, tuned: TunedWeights, path: Path) -> None:
    from napari_sam_tune.formats.graphs import write_exported

    write_exported(_merged(base, tuned), *_halves(path, ".pt2"))


def _halves(path: Path, suffix: str) -> tuple[Path, Path]:
    """Return where encoder and decoder go, a folder for them made."""
    encoder, decoder = (path.parent / name for name in half_names(path.name, suffix))
    encoder.parent.mkdir(exist_ok=True)
    return encoder, decoder


WRITERS: Final[Mapping[str, WeightsFormat]] = {
    "sam": WeightsFormat(_whole_sam, use_sam),
    "safetensors": WeightsFormat(_ours, use_ours),
    "lora": WeightsFormat(_adapters, use_ours),
    "onnx": WeightsFormat(_onnx, use_onnx),
    "pt2": WeightsFormat(_exported, use_exported),
}
"""sam: a whole model as an ordinary SAM checkpoint, adapters merged; safetensors: only what was
trained, with its description; lora: the adapters alone; onnx and pt2 (`torch.export`): encoder and
decoder as graphs, adapters merged."""


def export_weights(
    project: Project, tuned: TunedWeights, path: Path, form: str, *, overwrite: bool = False
) -> list[Path]:
    """Write weights in a format and a model card beside them, all of it or nothing.

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
    base = _base_of(project, tuned)
    if path.is_file():
        _require_absent(path, overwrite=overwrite)
    with saving("The weights", path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            built = Path(folder) / path.name
            WRITERS[form].write(base, tuned, built)
            _write_card(project, base, tuned, form, built)
            return _publish(Path(folder), path, overwrite=overwrite)


def _base_of(project: Project, tuned: TunedWeights) -> BaseRef:
    base = project.base
    if base is None:
        raise ProjectError(f"{project.path} has no base model yet, so there are no weights in it.")
    made_on = tuned.info.get("base", {})
    if made_on.get("sha256", base.sha256) != base.sha256:
        raise CheckpointError(
            f"These weights were made on the model {made_on.get('name')}, the project builds on "
            f"{base.name}. Name the project they belong to."
        )
    return base


def _write_card(
    project: Project, base: BaseRef, tuned: TunedWeights, form: str, path: Path
) -> None:
    """Write the card into a folder, or beside a file."""
    architecture = tuned.info.get("architecture") or load_base(base).architecture
    usage = WRITERS[form].usage(path.name, architecture)
    card = path / "README.md" if path.is_dir() else path.with_name(f"{path.name}.md")
    text = model_card(project, base, tuned, architecture, form, usage)
    card.write_text(text, encoding="utf-8")


def _publish(folder: Path, path: Path, *, overwrite: bool) -> list[Path]:
    """Move what was built to where it was asked for, the card last."""
    built = sorted(
        (file for file in folder.rglob("*") if file.is_file()),
        key=lambda file: (file.suffix == ".md", file),
    )
    files = [path.parent / file.relative_to(folder) for file in built]
    for file in files:
        _require_absent(file, overwrite=overwrite)
    for source, file in zip(built, files, strict=True):
        file.parent.mkdir(exist_ok=True)
        source.chmod(0o644)
        publish_file(source, file)
    return files


def _require_absent(file: Path, *, overwrite: bool) -> None:
    if file.exists() and not overwrite:
        raise StorageError(f"{file} exists already; add --overwrite, or choose another name.")
