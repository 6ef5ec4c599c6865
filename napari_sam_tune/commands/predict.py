"""`napari-sam-tune predict`: masks of images outside any project."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_sam_tune.commands.left_out import Strict, say_left_out
from napari_sam_tune.commands.stacks import Channels, StackAxes, reading_of
from napari_sam_tune.commands.terminal import Cluster, Device, progress_bar, say, strong
from napari_sam_tune.core.cluster.cluster import open_cluster
from napari_sam_tune.core.cluster.worker import kept
from napari_sam_tune.core.errors import ClusterError, PromptError
from napari_sam_tune.core.exchange.left_out import LeftOut
from napari_sam_tune.core.models.catalogue import MODEL_NAMES, STARTER

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.answers.tuned import TunedWeights
    from napari_sam_tune.core.batch.predict import Prediction
    from napari_sam_tune.core.images.planes import ImageInFile
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
    cluster: Cluster = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are there already.")
    ] = False,
    axes: StackAxes = None,
    channels: Channels = None,
    strict: Strict = False,
) -> None:
    """Draw masks with tuned weights, from boxes, points or nothing, and say how good they are."""
    from napari_sam_tune.core.batch import predict as prediction

    prompts = _prompts(box or [], point or [], auto)
    if baseline and weights is None:
        raise PromptError("--baseline sets weights beside their base model: give --weights too.")
    names = ("", "_base") if baseline else ("",)
    left_out = LeftOut()
    found = prediction.find_images(images, out, left_out, reading_of(axes, channels))
    found = prediction.answerable(found, prompts or (), left_out)
    if not overwrite:
        _refuse_existing(out, [image.stem + name for image in found for name in names])
    asked = _Asked(weights, model, device, baseline)
    pieces = [_ImageToDraw(image, out, asked, prompts) for image in found]
    with closing(_drawn(pieces, asked, out, cluster)) as drawn, progress_bar() as bar:
        for lines in bar.track(drawn, total=len(found), description="Predicting"):
            for line in lines:
                say(line)
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


@dataclass(frozen=True)
class _Asked:
    """What answers.

    Attributes:
        weights: tuned ones; None where the base model answers alone.
        model: the base model; None for the weights' own, or the starter.
        device: see `resolve_device`.
        baseline: whether the base model answers beside the weights.
        content: the SHA-256 of the file of weights where a worker opens it.

    """

    weights: Path | None
    model: str | None
    device: str
    baseline: bool
    content: str | None = None


Answering = tuple["Predictor", "TunedWeights | PromptlessModel | None"]
"""A base model, and what answers on it; None where it answers alone."""


def _open(asked: _Asked) -> Answering:
    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.answers.tuned import open_tuned
    from napari_sam_tune.core.models.checkpoints import file_sha256
    from napari_sam_tune.core.models.weights_file import is_head
    from napari_sam_tune.core.promptless.head import load_head

    weights, model, device = asked.weights, asked.model, asked.device
    if weights is None:
        return Predictor.from_checkpoint(model or STARTER, device), None
    if asked.content is not None and file_sha256(weights) != asked.content:
        raise ClusterError(f"A worker sees another file in the place of {weights}.")
    predictor, tuned = open_tuned(weights, model=model, device=device)
    if asked.baseline and not tuned.tensors:
        raise PromptError(
            f"{weights.name} is a whole model, not tuned weights that name their base model: "
            "say by --model which one to set it beside."
        )
    if not is_head(tuned.tensors):
        return predictor, tuned
    classes = tuned.info["classes"]
    return predictor, load_head(predictor, tuned.tensors, classes, version=tuned.version)


@dataclass(frozen=True)
class _ImageToDraw:
    """An image, to be drawn here or by a worker."""

    image: ImageInFile
    out: Path
    asked: _Asked
    prompts: list[Prompt] | None

    @property
    def files(self) -> tuple[Path, ...]:
        """See `Piece`."""
        return self.image.path, *([] if self.asked.weights is None else [self.asked.weights])

    def do(self) -> list[str]:
        """Draw it on a worker; see `draw`."""
        return self.draw(*kept(_open, self.asked))

    def draw(
        self, predictor: Predictor, answering: TunedWeights | PromptlessModel | None
    ) -> list[str]:
        """Write masks and overlays; return what is to be said of them."""
        from napari_sam_tune.core.batch.predict import predict
        from napari_sam_tune.core.images.files import to_rgb8
        from napari_sam_tune.core.images.large_image import LargeImage
        from napari_sam_tune.formats.predictions import write_in_tiles, write_prediction

        models = (answering, None) if self.asked.baseline else (answering,)
        pixels = self.image.open()
        said = []
        for model, found in zip(
            models, predict(predictor, models, pixels, self.prompts), strict=True
        ):
            name = "" if model is answering else "_base"
            stem = self.image.stem + name
            if isinstance(pixels, LargeImage):
                write_in_tiles(self.out, stem, pixels, [answer.placed for answer in found])
            else:
                masks = [answer.mask for answer in found]
                write_prediction(self.out, stem, to_rgb8(pixels), masks)
            said += _lines(self.image.name, "base" if model is None else "tuned", found)
        return said


def _drawn(
    pieces: Sequence[_ImageToDraw], asked: _Asked, out: Path, cluster: str | None
) -> Generator[list[str]]:
    """Draw image after image, here or on a cluster; yield what is to be said of each."""
    from napari_sam_tune.core.images.names import absolute
    from napari_sam_tune.core.models.checkpoints import file_sha256, placed
    from napari_sam_tune.core.storage.durable import make_folder

    if cluster is None:
        opened = _open(asked)
        make_folder(out, "The prediction")  # what is said of it is said before the work
        for piece in pieces:
            yield piece.draw(*opened)
        return
    model = None if asked.model is None else placed(asked.model)
    if asked.weights is None:
        asked = replace(asked, model=model)
    else:
        weights, content = absolute(asked.weights), file_sha256(asked.weights)
        asked = replace(asked, model=model, weights=weights, content=content)
    make_folder(out, "The prediction")
    with open_cluster(cluster) as joined:
        sent = [
            replace(
                piece,
                image=replace(piece.image, path=absolute(piece.image.path)),
                out=absolute(out),
                asked=asked,
            )
            for piece in pieces
        ]
        yield from joined.each(sent, into=out)


def _refuse_existing(out: Path, stems: Sequence[str]) -> None:
    from napari_sam_tune.formats.predictions import prediction_files

    for stem in stems:
        for file in prediction_files(out, stem):
            if file.exists():
                raise FileExistsError(
                    f"{file} exists already: choose another --out or --overwrite."
                )


def _lines(name: str, which: str, found: Sequence[Prediction]) -> list[str]:
    if not found:
        return [f"{name}  {which}: nothing found"]
    return [
        f"{name}  {which}, {answer.asked}: predicted IoU {answer.iou:.2f}, {answer.placed.area} px"
        for answer in found
    ]
