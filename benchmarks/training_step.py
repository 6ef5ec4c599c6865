"""One training step on cached embeddings against the decoder's bare forward and backward.

The step is `fit`'s own, taken from its generator: reading embeddings, drawing prompts, the loss,
the optimiser. The bare operation sends as many prompts of as many tokens through `mask_decoder`
and back, with the mean of its output as the loss. Both alternate in one run.

    python benchmarks/training_step.py [--model starter|vit_b] [--steps 20] [--threads 1]
"""

from __future__ import annotations

import argparse
import copy
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from segment_anything import sam_model_registry

from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.config import TrainConfig
from napari_sam_tune.core.geometry.windows import resized_shape
from napari_sam_tune.core.images.files import content_hash
from napari_sam_tune.core.models.base import BaseRef
from napari_sam_tune.core.models.checkpoints import LoadedModel
from napari_sam_tune.core.models.starter import build_starter
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.storage.embeddings import Embedding, EmbeddingCache
from napari_sam_tune.core.training.fit import fit
from napari_sam_tune.core.training.job import TrainingJob

if TYPE_CHECKING:
    from segment_anything.modeling import Sam

ASKED, CACHED_ASKED = 1.25, 0.5
SHAPE = (384, 512)
IMAGES, OBJECTS = 8, 3
DECODER = ("mask_decoder",)


def a_project(folder: Path, predictor: Predictor) -> Project:
    """Images with a few discs each, their embeddings (noise) in the cache."""
    project = Project.open(folder)
    cache = EmbeddingCache(project.path / "embeddings.zarr")
    rng = np.random.default_rng(0)
    encoder = predictor.sam.prompt_encoder
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    for number in range(IMAGES):
        image = rng.integers(0, 255, SHAPE, dtype=np.uint8)
        name, key = f"{number}.png", content_hash(image)
        project.add_image(name, shape=SHAPE, content_hash=key, array=image)
        features = rng.normal(size=(encoder.embed_dim, *encoder.image_embedding_size))
        size = resized_shape(SHAPE, predictor.input_side)
        embedding = Embedding(features.astype(np.float16), SHAPE, size)
        cache.put(predictor.weights.encoder_key, key, embedding)
        for y, x in rng.integers(40, 340, (OBJECTS, 2)):
            mask = (rows - y) ** 2 + (columns - x) ** 2 < 30**2
            project.add(NewAnnotation(name, mask, "disc"))
    return project


def bare_step(sam: Sam, config: TrainConfig) -> float:
    """Time forward and backward of one step's prompts, in seconds."""
    encoder, decoder = sam.prompt_encoder, sam.mask_decoder
    features = torch.randn(1, encoder.embed_dim, *encoder.image_embedding_size)
    positions = encoder.get_dense_pe()
    began = time.perf_counter()
    for first in range(0, config.batch_size, config.prompts_per_image):
        count = min(config.prompts_per_image, config.batch_size - first)
        points = torch.rand(count, 1, 2) * 300, torch.ones(count, 1)
        sparse, dense = encoder(points=points, boxes=None, masks=None)
        masks, ious = decoder.predict_masks(
            image_embeddings=features,
            image_pe=positions,
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
        )
        (masks.mean() + ious.mean()).backward()
    return time.perf_counter() - began


def encoding(sam: Sam, config: TrainConfig) -> float:
    """Time what a step of a training without cached embeddings does first, in seconds.

    That is running the frozen encoder on each of its images.
    """
    side = sam.image_encoder.img_size
    pixels = torch.randn(1, 3, side, side)
    began = time.perf_counter()
    with torch.no_grad():
        for _ in range(0, config.batch_size, config.prompts_per_image):
            sam.image_encoder(pixels)
    return time.perf_counter() - began


def measured(name: str, steps: int) -> list[tuple[str, float, float]]:
    """Return (what, seconds of our step, seconds of the bare step) without and with corrections."""
    sam = build_starter() if name == "starter" else sam_model_registry[name]().eval()
    model = LoadedModel(sam, BaseRef(name, "0" * 64), name)
    bare = copy.deepcopy(sam).requires_grad_(False)
    bare.mask_decoder.requires_grad_(True)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        project = a_project(Path(folder) / "p.project", Predictor(model))
        ids = tuple(annotation.id for annotation in project.annotations())
        for what, share in (("the same", 0.0), ("with corrections, as in use", None)):
            config = TrainConfig(steps=steps, parts=DECODER, prompts_per_mask=1e9, zoom_share=0)
            if share is not None:
                config = config.model_copy(update={"correction_share": share})
            job = TrainingJob(str(project.path), model.ref, "base", ids, (), config, "cpu")
            ours, theirs = [], []
            training = fit(job, model=model)
            while next(training).phase != "training":
                pass
            for _ in range(steps - 1):
                theirs.append(bare_step(bare, config))
                began = time.perf_counter()
                next(training)
                ours.append(time.perf_counter() - began)
            training.close()
            # a step has corrections or not: the mean says what a round costs
            average = statistics.fmean if share is None else statistics.median
            rows.append((what, average(ours), average(theirs)))
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="starter", choices=["starter", "vit_b"])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    table = Table("prompts", "step [ms]", "bare [ms]", "ratio", "asked")
    for what, step, plain in measured(given.model, given.steps):
        asked = f"≤ {ASKED}" if what == "the same" else ""
        row = f"{step * 1e3:.0f}", f"{plain * 1e3:.0f}", f"{step / plain:.2f}", asked
        table.add_row(what, *row)
    sam = build_starter() if given.model == "starter" else sam_model_registry[given.model]().eval()
    whole = encoding(sam, TrainConfig()) + step
    row = f"{step * 1e3:.0f}", f"{whole * 1e3:.0f}", f"{step / whole:.2f}", f"≤ {CACHED_ASKED}"
    table.add_row("the latter / with the frozen encoder in it", *row)
    Console().print(table)


if __name__ == "__main__":
    main()
