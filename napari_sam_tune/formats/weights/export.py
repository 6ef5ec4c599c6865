"""Weights as files that other programs read, and a model card beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam_tune.core.answers.tuned import TunedWeights, read_tuned
from napari_sam_tune.core.errors import CheckpointError, ProjectError
from napari_sam_tune.core.models.base import BASE_VERSION
from napari_sam_tune.core.models.checkpoints import load_base
from napari_sam_tune.core.promptless.store import newest_head
from napari_sam_tune.core.storage.durable import publish_file, saving
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.formats.publishing import building, exists_already
from napari_sam_tune.formats.weights.catalogue import WEIGHTS_FORMATS
from napari_sam_tune.formats.weights.model_card import model_card

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_tune.core.models.base import BaseRef
    from napari_sam_tune.core.project.project import Project


def weights_of(project: Project, form: str, version: str = "current") -> TunedWeights:
    """Return what of a project is exported in a format.

    Args:
        project: with a base model.
        form: one of `WEIGHTS_FORMATS`; "promptless" means the head kept last, whatever the version.
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
                tr(
                    "This project has no trained finder (promptless head) yet. Choose “Trained "
                    "finder” in the dock and press “Train it”, or train one by “napari-sam-tune "
                    "train” with --set parts=promptless --enter."
                )
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
        form: one of `WEIGHTS_FORMATS`.
        overwrite: replace files that are there.

    Returns:
        The files, the card last.

    Raises:
        CheckpointError: there is no such format, it cannot hold these weights, or they were made on
            another model.
        ProjectError: the project has no base model.
        StorageError: a file is there already, or the disk refused.

    """
    if form not in WEIGHTS_FORMATS:
        raise CheckpointError(
            f"There is no format {form!r}; there are {', '.join(WEIGHTS_FORMATS)}."
        )
    base = _base_of(project)
    _check_base(base, tuned)
    path = path.absolute()  # "." has a name then
    for file in WEIGHTS_FORMATS[form].files(path):
        if file.exists() and not overwrite:
            raise exists_already(file)
    with saving("The export", path.parent), building(path) as folder:
        built = folder / path.name
        WEIGHTS_FORMATS[form].write(base, tuned, built)
        _write_card(project, base, tuned, form, built)
        return _publish(folder, path.parent)


def _base_of(project: Project) -> BaseRef:
    if project.base is None:
        raise ProjectError(
            tr(
                "{project} has no base model yet, so there are no weights in it.",
                project=project.path,
            )
        )
    return project.base


def _check_base(base: BaseRef, tuned: TunedWeights) -> None:
    made_on = tuned.info.get("base", {})
    if made_on.get("sha256", base.sha256) != base.sha256:
        raise CheckpointError(
            tr(
                "These weights were made on the model {name}, the project builds on {base}. Name "
                "the project they belong to.",
                name=made_on.get("name"),
                base=base.name,
            )
        )


def _write_card(
    project: Project, base: BaseRef, tuned: TunedWeights, form: str, path: Path
) -> None:
    architecture = tuned.info.get("architecture") or load_base(base).architecture
    usage = WEIGHTS_FORMATS[form].usage(path.name, architecture)
    text = model_card(project, base, tuned, architecture, form, usage)
    WEIGHTS_FORMATS[form].files(path)[-1].write_text(text, encoding="utf-8")


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
