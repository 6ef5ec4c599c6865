"""`napari-sam-tune predict`: masks of images outside any project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_sam_tune.commands.left_out import Strict, say_left_out
from napari_sam_tune.commands.terminal import Device, progress_bar, say, strong
from napari_sam_tune.core.errors import PromptError
from napari_sam_tune.core.exchange.left_out import LeftOut
from napari_sam_tune.core.models.catalogue import MODEL_NAMES, STARTER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.answers.tuned import TunedWeights
    from napari_sam_tune.core.batch.predict import Prediction
    from napari_sam_tune.core.promptless.head import PromptlessModel
    from napari_sam_tune.core.prompts import Prompt


def predict(
    images: Annotated[list[Path], typer.Argument(help="Images, or folders of images.")],
    out: Annotated[Path, typer.Option(help="Folder for masks and overlays.")],
    weights: Annotated[
        Path | None, typer.Option(help="Tuned weights; else the base model answers alone.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help=f"Base model: {', '.join(MODEL_NAMES)} or a file; else the weights'."),
    ] = None,
    box: Annotated[
        list[str] | None, typer.Option(help="X0,Y0,X1,Y1 in px; repeat for more objects.")
    ] = None,
    point: Annotated[
        list[str] | None, typer.Option(help="X,Y in px; repeat for more objects.")
    ] = None,
    auto: Annotated[
        bool, typer.Option("--auto", help="Find objects without box or point.")
    ] = False,
    baseline: Annotated[
        bool, typer.Option("--baseline", help="Write the base model's answer beside it.")
    ] = False,
    device: Device = "auto",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are there already.")
    ] = False,
    strict: Strict = False,
) -> None:
    """Draw masks with tuned weights, from boxes, points or nothing, and say how good they are."""
    from napari_sam_tune.core.batch import predict as prediction
    from napari_sam_tune.core.images.files import read_image, to_rgb8
    from napari_sam_tune.formats.predictions import write_prediction

    prompts = _prompts(box or [], point or [], auto)
    if baseline and weights is None:
        raise PromptError("--baseline sets weights beside their base model: give --weights too.")
    names = ("", "_base") if baseline else ("",)
    left_out = LeftOut()
    paths = prediction.find_images(images, out, left_out)
    paths = prediction.answerable(paths, prompts or (), left_out)
    if not overwrite:
        _refuse_existing(out, [path.stem + name for path in paths for name in names])
    predictor, asked = _open(weights, model, device, baseline=baseline)
    with progress_bar() as bar:
        for path in bar.track(paths, description="Predicting"):
            pixels = read_image(path)
            answers = prediction.predict(predictor, (asked, None)[: len(names)], pixels, prompts)
            for name, found in zip(names, answers, strict=True):
                masks = [answer.mask for answer in found]
                write_prediction(out, path.stem + name, to_rgb8(pixels), masks)
                _print(path, "base" if name or asked is None else "tuned", found)
    say("Masks and overlays are in ", strong(out), ".")
    say_left_out(left_out, strict=strict)


def _prompts(boxes: Sequence[str], points: Sequence[str], auto: bool) -> list[Prompt] | None:
    """Return what is asked, None for everything there is."""
    from napari_sam_tune.core.batch.predict import parse_box, parse_point

    prompts = [*map(parse_box, boxes), *map(parse_point, points)]
    if auto == bool(prompts):
        raise PromptError(
            "Say what to draw: either --box X0,Y0,X1,Y1 and --point X,Y, each as often as there "
            "are objects, or --auto."
        )
    return prompts or None


def _open(
    weights: Path | None, model: str | None, device: str, *, baseline: bool
) -> tuple[Predictor, TunedWeights | PromptlessModel | None]:
    """Return a base model, and what answers on it; None where it answers alone."""
    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.answers.tuned import open_tuned
    from napari_sam_tune.core.models.weights_file import is_head
    from napari_sam_tune.core.promptless.head import load_head

    if weights is None:
        return Predictor.from_checkpoint(model or STARTER, device), None
    predictor, tuned = open_tuned(weights, model=model, device=device)
    if baseline and not tuned.tensors:
        raise PromptError(
            f"{weights.name} is a whole model, not tuned weights that name their base model: "
            "say by --model which one to set it beside."
        )
    if not is_head(tuned.tensors):
        return predictor, tuned
    classes = tuned.info["classes"]
    return predictor, load_head(predictor, tuned.tensors, classes, version=tuned.version)


def _refuse_existing(out: Path, stems: Sequence[str]) -> None:
    from napari_sam_tune.formats.predictions import prediction_files

    for stem in stems:
        for file in prediction_files(out, stem):
            if file.exists():
                raise FileExistsError(f"{file} exists already: choose another --out, --overwrite.")


def _print(path: Path, which: str, found: Sequence[Prediction]) -> None:
    if not found:
        say(f"{path.name}  {which}: nothing found")
    for answer in found:
        say(
            f"{path.name}  {which}, {answer.asked}: predicted IoU {answer.iou:.2f}, "
            f"{int(answer.mask.sum())} px"
        )
