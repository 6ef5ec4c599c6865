"""What an evaluation leaves in a folder: `report.md`, `metrics.json`, charts and pictures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from napari_sam_tune.core.answers.tuned import use
from napari_sam_tune.core.evaluation.charts import draw_classes, draw_losses, draw_objects
from napari_sam_tune.core.evaluation.comparison import METRICS, by_class, summarise
from napari_sam_tune.core.evaluation.looking import Look
from napari_sam_tune.core.evaluation.measuring import IN_WORDS, PROMPTS, first_prompt
from napari_sam_tune.core.evaluation.pictures import Row, draw_before_after
from napari_sam_tune.core.images.rgb_source import rgb_source
from napari_sam_tune.core.storage.durable import make_folder, replacing_file
from napari_sam_tune.core.texts.plain_text import code_in_markdown, in_markdown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.answers.tuned import TunedWeights
    from napari_sam_tune.core.evaluation.comparison import Difference, Summary
    from napari_sam_tune.core.evaluation.evaluation import Evaluation, ObjectComparison
    from napari_sam_tune.core.evaluation.measuring import Measured, PromptName
    from napari_sam_tune.core.project.project import Project
    from napari_sam_tune.core.prompts import Mask

METRICS_FILE: Final = "metrics.json"
METRIC_COLUMNS: Final = ("", "base", "tuned", "difference", "95 % interval")
_PICTURES_OF_A_KIND: Final = 2
_CLASS_METRICS: Final = ("point_iou", "box_iou", "box_boundary_iou", "noc80")


@dataclass(frozen=True)
class Chosen:
    """An object worth a picture.

    Attributes:
        name: of its file, "best-1" and so on.
        row: the object.

    """

    name: str
    row: ObjectComparison


def choose_pictures(objects: Sequence[ObjectComparison]) -> list[Chosen]:
    """Choose the objects that gained most, those around the median, and those that lost most."""
    ordered = sorted(objects, key=lambda row: (-row.gain, row.annotation_id))
    count = min(_PICTURES_OF_A_KIND, max(1, len(ordered) // 3))
    middle = (len(ordered) - count) // 2
    kinds = {
        "best": ordered[:count],
        "worst": ordered[::-1][:count],
        "middle": ordered[middle : middle + count],
    }
    chosen: dict[str, Chosen] = {}
    for kind, rows in kinds.items():
        for number, row in enumerate(rows, start=1):
            chosen.setdefault(row.annotation_id, Chosen(f"{kind}-{number}", row))
    return list(chosen.values())


def write_evaluation(
    out: Path,
    evaluation: Evaluation,
    project: Project,
    predictor: Predictor,
    tuned: TunedWeights,
    weights: Path,
) -> None:
    """Write everything about an evaluation into a folder.

    Args:
        out: receives `metrics.json`, `report.md`, `objects.png`, `classes.png` (of several
            classes), `loss.png` (where the weights know it) and `pictures/*.png`.
        evaluation: what was found.
        project: the objects' project.
        predictor: the base model; it is in use again afterwards.
        tuned: the weights.
        weights: their file, to be named in the report.

    Raises:
        StorageError: the disk is full or not writable.

    """
    make_folder(out / "pictures", "The report")
    summary, classes = summarise(evaluation.objects), by_class(evaluation.objects)
    chosen = choose_pictures(evaluation.objects)
    _draw_pictures(out / "pictures", chosen, project, predictor, tuned)
    draw_objects(evaluation.objects, out / "objects.png")
    if len(classes) > 1:
        draw_classes(classes, out / "classes.png")
    losses = [float(loss) for loss in tuned.info.get("losses", ())]
    if losses:
        draw_losses(losses, out / "loss.png")
    about = {
        "project": str(project.path),
        "weights": str(weights),
        "version": tuned.version,
        "base": dict(tuned.info["base"]),
        "split": evaluation.split,
        "remark": evaluation.remark,
    }
    report = _report(about, summary, classes, chosen, losses=bool(losses))
    _write(out / "report.md", report)
    document = about | {
        "summary": summary.to_json(),
        "classes": {name: found.to_json() for name, found in classes.items()},
        "rows": [row.to_json() for row in evaluation.objects],
    }
    # last: where it is, the report is whole
    _write(out / METRICS_FILE, json.dumps(document, indent=1))


def _write(path: Path, text: str) -> None:
    with replacing_file(path) as file:
        file.write(text.encode())


def _draw_pictures(
    folder: Path,
    chosen: Sequence[Chosen],
    project: Project,
    predictor: Predictor,
    tuned: TunedWeights,
) -> None:
    for choice in chosen:
        row = choice.row
        look = Look.at(project.annotation(row.annotation_id), predictor.input_side)
        image = rgb_source(project.open_image(row.image_id))
        answers = {}
        for name, model in (("tuned", tuned), ("base", None)):
            use(predictor, model)
            predictor.set_image(image)
            answers[name] = {
                p: look.drawn(look.ask(predictor, first_prompt(p, look.truth))) for p in PROMPTS
            }
        rows = [_row(p, look.truth, answers["base"][p], answers["tuned"][p], row) for p in PROMPTS]
        title = f"{row.image_id}  ·  {row.label}"
        seen = image.rgb(look.window)
        draw_before_after(folder / f"{choice.name}.png", title, seen, look.truth, rows)


def _row(kind: PromptName, truth: Mask, base: Mask, tuned: Mask, found: ObjectComparison) -> Row:
    captions = _caption(found.base, kind), _caption(found.tuned, kind)
    return Row(IN_WORDS[kind], first_prompt(kind, truth), base, tuned, captions)


def _caption(measured: Measured, kind: PromptName) -> str:
    answer = getattr(measured, kind)
    return f"IoU {answer.iou:.2f}, predicted {answer.predicted_iou:.2f}"


def metric_rows(summary: Summary) -> list[tuple[str, str, str, str, str]]:
    """Return name, base, tuned, difference and interval of each metric, as people read them."""
    rows = []
    for key, found in summary.metrics.items():
        metric = METRICS[key]
        digits = 1 if key.startswith("noc") else 3
        arrow = "↓" if metric.lower_is_better else "↑"
        rows.append((f"{metric.name} {arrow}", *_formatted(found, digits)))
    before, after = (_or_dash(summary.correlation[name]) for name in ("base", "tuned"))
    rows.append(("correlation of predicted with true IoU ↑", before, after, "", ""))
    return rows


def _formatted(found: Difference, digits: int) -> tuple[str, str, str, str]:
    return (
        f"{found.base:.{digits}f}",
        f"{found.tuned:.{digits}f}",
        signed(found.difference, digits),
        "–" if found.interval is None else " … ".join(signed(e, digits) for e in found.interval),
    )


def signed(value: float, digits: int) -> str:
    """Return "+0.10" or "−0.01", with a real minus sign; zero has none."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return f"{'+' if value > 0 else '−'}{text}"


def _or_dash(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def class_rows(classes: Mapping[str, Summary]) -> list[tuple[str, ...]]:
    """Return class, objects, and base → tuned of the most telling metrics."""
    rows = []
    for label, summary in classes.items():
        cells = []
        for key in _CLASS_METRICS:
            found, digits = summary.metrics[key], 1 if key.startswith("noc") else 2
            cells.append(f"{found.base:.{digits}f} → {found.tuned:.{digits}f}")
        rows.append((label, str(summary.objects), *cells))
    return rows


def class_columns() -> tuple[str, ...]:
    """Return the names of what `class_rows` returns."""
    return ("class", "objects", *(METRICS[key].name for key in _CLASS_METRICS))


def headline(summary: Summary) -> str:
    """Say in one sentence what tuning did."""
    parts = []
    for prompt, name in IN_WORDS.items():
        found = summary.metrics[f"{prompt}_iou"]
        sure = "" if found.sure else " (not sure to differ)"
        parts.append(f"{found.base:.2f} → {found.tuned:.2f} from a {name}{sure}")
    return f"Mean IoU on {summary.objects} objects: {', '.join(parts)}."


def _report(
    about: Mapping[str, Any],
    summary: Summary,
    classes: Mapping[str, Summary],
    chosen: Sequence[Chosen],
    *,
    losses: bool,
) -> str:
    return "\n".join(_lines(about, summary, classes, chosen, losses)) + "\n"


def _lines(
    about: Mapping[str, Any],
    summary: Summary,
    classes: Mapping[str, Summary],
    chosen: Sequence[Chosen],
    losses: bool,
) -> Iterator[str]:
    yield from ("# Tuned against base", "", f"**{headline(summary)}**", "")
    if about["remark"]:
        yield from (in_markdown(about["remark"]), "")
    yield f"- weights: {code_in_markdown(about['weights'])} (version {about['version']})"
    base, digest = in_markdown(about["base"]["name"]), in_markdown(about["base"]["sha256"][:12])
    yield f"- base model: {base} (SHA-256 {digest}…)"
    project = code_in_markdown(about["project"])
    yield f"- project: {project}, {summary.objects} objects, split `{about['split']}`"
    yield ""
    yield from (*_table(METRIC_COLUMNS, metric_rows(summary)), "")
    yield (
        "Every object was asked about with a click on its centre and with its tight box; then a "
        "robot went on clicking on each model's own errors, 20 clicks at most. Differences are "
        "paired by object; intervals are bootstrapped over groups of images. ↑ more is better, "
        "↓ less is better."
    )
    yield from ("", "![IoU of every object](objects.png)", "")
    if len(classes) > 1:
        yield from ("## Classes", "", *_table(class_columns(), class_rows(classes)), "")
        yield from ("![IoU of each class](classes.png)", "")
    if losses:
        yield from ("## Training", "", "![Loss of each step](loss.png)", "")
    yield from ("## Before and after", "")
    yield "The largest gains, the largest losses (or smallest gains) and the middle."
    for choice in chosen:
        row = choice.row
        yield from (
            "",
            f"### {choice.name}: {in_markdown(row.image_id)}, {in_markdown(row.label)}",
            "",
        )
        yield f"Score {signed(row.gain, 2)}, mean of click and box."
        yield from ("", f"![{choice.name}](pictures/{choice.name}.png)")


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield f"| {' | '.join(map(in_markdown, row))} |"
