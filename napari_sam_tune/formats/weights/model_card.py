"""A model card: what exported weights are, what they learnt from, how good they are, how to use."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import yaml

from napari_sam_tune import __version__
from napari_sam_tune.core.models.weights_file import is_head
from napari_sam_tune.core.project.split import SPLITS
from napari_sam_tune.core.rounds.report import RoundReport
from napari_sam_tune.core.texts.plain_text import block_in_markdown, in_markdown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_sam_tune.core.answers.tuned import TunedWeights
    from napari_sam_tune.core.models.base import BaseRef
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.rounds.gate import Verdict


def model_card(
    project: Project, base: BaseRef, tuned: TunedWeights, architecture: str, form: str, usage: str
) -> str:
    """Describe exported weights in Markdown.

    Args:
        project: they belong to; its masks are counted as they are now.
        base: the model they build on.
        tuned: the weights.
        architecture: of the model.
        form: name of the format.
        usage: how to use what was written.

    """
    sections = {
        f"# {in_markdown(architecture)} {tuned.version}": _summary(
            project, base, tuned, architecture, form
        ),
        "## Data": _data(project, tuned.info),
        "## Scores": _scores(project, tuned),
        "## Config": _config(tuned.info),
        "## Use": usage,
    }
    return "\n\n".join(f"{title}\n\n{text}" for title, text in sections.items()) + "\n"


def _summary(
    project: Project, base: BaseRef, tuned: TunedWeights, architecture: str, form: str
) -> str:
    info = tuned.info
    trained = {version.version: version.created for version in project.versions()}
    made = trained.get(tuned.version)
    rows: list[tuple[str, object]] = [
        ("Weights version", tuned.version),
        ("Trained", _date(made) if made is not None else None),
        ("Exported", f"{_date(datetime.now(UTC).timestamp())} by napari-sam-tune {__version__}"),
        ("Format", form),
        ("Base model", f"{base.name} (SHA-256 {base.sha256})"),
        ("Architecture", architecture),
        ("Parts trained", ", ".join(info["parts"]) if info.get("parts") else None),
        ("Went on from", info.get("went_on_from")),
        ("Input size", f"{info['input_size']} px, longest side" if "input_size" in info else None),
        ("Pixel mean", _numbers(info.get("pixel_mean"))),
        ("Pixel deviation", _numbers(info.get("pixel_std"))),
    ]
    kind = "Segment Anything weights, tuned on masks of a project."
    if is_head(tuned.tensors):
        kind = "A head that draws masks without a prompt, trained on a project's images."
    if not tuned.tensors:
        kind = "The base model itself; nothing in it was tuned."
    known = [(name, value) for name, value in rows if value is not None]
    return f"{kind}\n\n{_table(('', ''), known)}"


def _data(project: Project, info: Mapping[str, Any]) -> str:
    masks = Counter((a.label, a.split) for a in project.annotations())
    images = Counter(record.split for record in project.annotated_images())
    rows = [
        (label, *(masks[label, split] for split in SPLITS))
        for label in sorted({label for label, _ in masks})
    ]
    rows.append(("images", *(images[split] for split in SPLITS)))
    counted = _table(("masks of class", *SPLITS), rows)
    text = f"What the project held when this was exported:\n\n{counted}\n\n" + (
        "The split is by group of images: “train” is learnt from, “held_out” chooses between "
        "weights, “test” does neither."
    )
    if "masks" in info:
        prompts = info.get("prompts", {})
        drawn = "".join(f", {count} {in_markdown(kind)} prompts" for kind, count in prompts.items())
        text += f" These weights learnt from {info['masks']} masks{drawn}."
    return text


def _scores(project: Project, tuned: TunedWeights) -> str:
    if (head := tuned.info.get("held_out")) is not None:
        return f"Mean IoU over classes on held-out images: {head:.3f}."
    scores = tuned.info.get("scores", {})
    if not scores.get("objects"):
        return "These weights were not measured on held-out objects."
    rows = [("all", scores["objects"], scores["current"], scores["candidate"])]
    verdict = _verdict(project, tuned.version)
    by_class = {} if verdict is None else verdict.by_class
    rows.extend((label, c.objects, c.before, c.after) for label, c in sorted(by_class.items()))
    shown = [(*row[:2], *(f"{score:.3f}" for score in row[2:])) for row in rows]
    text = (
        "Mean score (IoU; for thin objects F1 with a tolerance) on held-out objects, of the "
        f"weights in use before ({in_markdown(tuned.info.get('parent', 'base'))}) and of these:\n\n"
        + _table(("class", "objects", "before", "after"), shown)
    )
    return text if verdict is None else f"{text}\n\n{in_markdown(verdict.reason)}"


def _verdict(project: Project, version: str) -> Verdict | None:
    """Return what the gate said when a version was first put to use."""
    for promotion in project.promotions():
        verdict = RoundReport.from_json(promotion.report).verdict
        if promotion.version == version and verdict is not None:
            return verdict
    return None


def _config(info: Mapping[str, Any]) -> str:
    if "config" not in info:
        return "Not recorded in these weights."
    config = yaml.safe_dump(dict(info["config"]), sort_keys=False, allow_unicode=True)
    return block_in_markdown(config, "yaml")


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(value: object) -> str:
    return in_markdown(" ".join(str(value).split()))


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _numbers(values: Sequence[float] | None) -> str | None:
    return None if values is None else ", ".join(f"{value:g}" for value in values)
