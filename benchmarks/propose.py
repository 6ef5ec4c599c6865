"""`Predictor.propose` against bare `SamPredictor.predict`: same weights, same clicks, alternating.

Asked: at most .43 times the median of ViT-B's first clicks, 1.05 elsewhere. Of ViT-B's shape the
bare predictor has segment-anything's own model, as whoever reads the file with it has; of the
starter, which only we can read, ours. The embeddings are noise, so no encoder runs.

    python benchmarks/propose.py [--clicks 40] [--model starter vit_b]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from segment_anything import SamPredictor, sam_model_registry

from napari_sam_tune import Predictor, Prompt
from napari_sam_tune.core.geometry.windows import resized_shape
from napari_sam_tune.core.models.checkpoints import load_model
from napari_sam_tune.core.storage.embeddings import Embedding

if TYPE_CHECKING:
    from collections.abc import Callable

    from segment_anything.modeling import Sam

    from napari_sam_tune.core.models.checkpoints import LoadedModel

SHAPES = [(600, 800), (3000, 4000)]


def models(name: str) -> tuple[LoadedModel, Sam]:
    """The starter, or an official architecture with random weights, as we and SAM load it."""
    if name == "starter":
        loaded = load_model(name)
        return loaded, loaded.sam
    torch.manual_seed(0)
    sam = sam_model_registry[name]().eval()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sam.pth"
        torch.save(sam.state_dict(), file)
        return load_model(file), sam


def opened(loaded: LoadedModel, sam: Sam, shape: tuple[int, int]) -> tuple[Predictor, SamPredictor]:
    """Both predictors with the same noise for an embedding."""
    predictor, bare = Predictor(loaded), SamPredictor(sam)
    encoder = loaded.sam.prompt_encoder
    size = (encoder.embed_dim, *encoder.image_embedding_size)
    features = np.random.default_rng(0).normal(size=size).astype(np.float16)
    input_size = resized_shape(shape, predictor.input_side)
    predictor.set_image(np.zeros(shape, np.uint8), Embedding(features, shape, input_size))
    bare.features = torch.from_numpy(features).float()[None]
    bare.original_size, bare.input_size, bare.is_image_set = shape, input_size, True
    return predictor, bare


def clicked(action: Callable[[], object]) -> float:
    """Seconds that one answer takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def compare(
    predictor: Predictor, bare: SamPredictor, shape: tuple[int, int], kind: str, clicks: int
) -> tuple[list[float], list[float]]:
    """Seconds of ours and of the bare operation, alternating, the first pair left out."""
    rng = np.random.default_rng(1)
    ours, theirs = [], []
    for _ in range(clicks + 1):
        x, y = rng.random(2) * (shape[1] - 1, shape[0] - 1)
        points, labels = np.array([[x, y]]), np.array([1])
        if kind == "one click":
            prompt, previous, logits = Prompt(points, labels), None, None
        elif kind == "second click":
            previous = predictor.propose(Prompt(points, labels))
            points, labels = np.array([[x, y], [0, 0]]), np.array([1, 0])
            prompt, logits = Prompt(points, labels), previous.logits[:1]
        else:
            box = (x / 2, y / 2, x + 1, y + 1)
            prompt, previous, logits = Prompt(box=box), None, None
        arguments = (
            {"box": np.array(prompt.box)}
            if kind == "box"
            else {"point_coords": points, "point_labels": labels, "mask_input": logits}
        )
        several = kind == "one click"
        ours.append(clicked(lambda: predictor.propose(prompt, previous)))  # noqa: B023
        theirs.append(clicked(lambda: bare.predict(**arguments, multimask_output=several)))  # noqa: B023
    return ours[1:], theirs[1:]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clicks", type=int, default=40)
    parser.add_argument("--model", nargs="+", default=["starter", "vit_b"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = Table("model", "image", "prompt", "ours, ms", "bare, ms", "ratio")
    for name in arguments.model:
        loaded, sam = models(name)
        for shape in SHAPES:
            predictor, bare = opened(loaded, sam, shape)
            for kind in ("one click", "second click", "box"):
                ours, theirs = compare(predictor, bare, shape, kind, arguments.clicks)
                ratio = statistics.median(ours) / statistics.median(theirs)
                table.add_row(
                    name,
                    f"{shape[0]} × {shape[1]}",
                    kind,
                    f"{statistics.median(ours) * 1e3:.1f}",
                    f"{statistics.median(theirs) * 1e3:.1f}",
                    f"{ratio:.2f}",
                )
    Console().print(table)


if __name__ == "__main__":
    main()
