"""Thin defects with an HQ-style token, beside looking closer at them.

    python benchmarks/hq_token.py DATA --out DIR [--seeds 2] [--steps 200] [--side 384]

HQ-SAM (Ke et al., "Segment Anything in High Quality", 2023): one more output token in the frozen
mask decoder, whose MLP's dot product with features fused from the decoder, the embedding and an
early stage of the encoder is added to the base's logits. Here the token reads and is not read, so
that nothing else changes, and its MLP begins at zero: the untrained model is the base model.

DATA is magnetic_tile: images/, masks/ and manifest.csv (columns stem, class, tile). Thin objects
are learnt, and synthetic cracks and scratches; some that are not thin are only asked about. Even
seeds learn from one half of the tiles and are measured on the other, odd seeds the other way round;
every seed has synthetic pictures of its own. With `--models token decoder` the base's own decoder
also learns, from the same objects and for as many steps. What was measured is kept in DIR.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from segment_anything.modeling import MaskDecoder
from segment_anything.modeling.common import LayerNorm2d
from segment_anything.modeling.mask_decoder import MLP
from torch import Tensor, nn
from torch.nn import functional

from napari_sam_tune.core.answers.chain import REFINERS
from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.config import TrainConfig
from napari_sam_tune.core.evaluation.robot import Clicker, Robot
from napari_sam_tune.core.exchange.labelled_images import read_pairs, true_objects
from napari_sam_tune.core.images.files import content_hash, read_image, spatial_shape
from napari_sam_tune.core.models.checkpoints import LoadedModel, load_model
from napari_sam_tune.core.models.starter import (
    EMBED_DIM,
    STAGE_WIDTHS,
    StarterEncoder,
    set_image_size,
)
from napari_sam_tune.core.models.weights_file import read_weights
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.prompts import Prompt, Proposal
from napari_sam_tune.core.scoring import iou, is_thin, score
from napari_sam_tune.core.training.fit import fit
from napari_sam_tune.core.training.job import TrainingJob
from napari_sam_tune.starter.defects import THIN
from napari_sam_tune.starter.images import make_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Results = dict[tuple[Any, ...], NDArray[np.float64]]

EARLY, NARROW, WIDE = STAGE_WIDTHS[1], EMBED_DIM // 8, EMBED_DIM // 4
SIDE, SMALLEST, THICK = 512, 40, 5
TRAIN_SEED, TEST_SEED = 515_151, 626_262
DECODER = tuple(
    f"mask_decoder.{part}"
    for part in ("transformer", "mask_tokens", "output_upscaling", "output_hypernetworks_mlps")
)
TRAINED = {"token": (("mask_decoder.hq",), 1e-3), "decoder": (DECODER, 2e-4)}
"""What learns, and how fast."""
PROMPTS = ("box", "click 1", "click 3")
SHOWN = {
    "photographs": ("crack", "break", "blowhole", "uneven"),
    "their cracks": ("crack",),
    "synthetic": ("synthetic",),
    "thick": ("thick",),
}
"""Rows of the table, and which classes they are about."""


class EarlyEncoder(StarterEncoder):
    """The starter's encoder, its stride-4 stage packed behind the embedding's channels."""

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, S, S) to (B, EMBED_DIM + 4 EARLY, S / 8, S / 8)."""
        early = self.stage4(self.stage2(image))
        fine = self.stage8(early)
        tokens = self.stage16(fine).permute(0, 2, 3, 1)
        for block in self.blocks:
            tokens = block(tokens)
        embedding = self.after_blocks((tokens, fine))
        return torch.cat([embedding, functional.pixel_unshuffle(early, 2)], 1)


class HighQuality(nn.Module):
    """The token, its MLP and the fusion: all that learns."""

    def __init__(self, token: Tensor) -> None:
        super().__init__()
        self.token = nn.Parameter(token.detach().clone())
        self.mlp = MLP(EMBED_DIM, EMBED_DIM, NARROW, 3)
        nn.init.zeros_(self.mlp.layers[-1].weight)
        nn.init.zeros_(self.mlp.layers[-1].bias)
        self.embedding = _fusing(
            nn.ConvTranspose2d(EMBED_DIM, WIDE, 2, 2), nn.ConvTranspose2d(WIDE, NARROW, 2, 2)
        )
        self.early = _fusing(
            nn.Conv2d(EARLY, WIDE, 3, padding=1), nn.ConvTranspose2d(WIDE, NARROW, 2, 2)
        )
        self.decoded = _fusing(
            nn.Conv2d(NARROW, WIDE, 3, padding=1), nn.Conv2d(WIDE, NARROW, 3, padding=1)
        )

    def forward(self, read: Tensor, embedding: Tensor, early: Tensor, decoded: Tensor) -> Tensor:
        """Logits (N, 1, 4h, 4w) of N tokens (N, C); features of one image, (N, …) decoded."""
        fused = self.decoded(decoded) + self.embedding(embedding) + self.early(early)
        return torch.einsum("nc,nchw->nhw", self.mlp(read), fused)[:, None]


def _fusing(first: nn.Module, second: nn.Module) -> nn.Sequential:
    return nn.Sequential(first, LayerNorm2d(WIDE), nn.GELU(), second)


class HQDecoder(MaskDecoder):  # type: ignore[misc]
    """segment-anything's decoder with the token."""

    def __init__(self, base: MaskDecoder) -> None:
        super().__init__(
            transformer_dim=EMBED_DIM, transformer=base.transformer, iou_head_hidden_dim=128
        )
        self.load_state_dict(base.state_dict())
        self.hq = HighQuality(base.mask_tokens.weight[:1])
        self.passed: list[Any] = []
        for module in (*self.transformer.layers, self.transformer.final_attn_token_to_image):
            module.register_forward_pre_hook(
                lambda _, args, inputs: self.passed.append(inputs), with_kwargs=True
            )
        self.output_upscaling.register_forward_hook(lambda _, args, out: self.passed.append(out))

    def predict_masks(
        self, image_embeddings: Tensor, image_pe: Tensor, **prompts: Tensor
    ) -> tuple[Tensor, Tensor]:
        """As `MaskDecoder.predict_masks`, of embeddings from `EarlyEncoder`."""
        embedding, early = torch.split(image_embeddings, [EMBED_DIM, 4 * EARLY], 1)
        self.passed.clear()
        logits, ious = super().predict_masks(embedding, image_pe, **prompts)
        *blocks, last, decoded = self.passed
        own = self.hq.token.expand(len(logits), 1, -1)
        read = own
        for layer, inputs in zip(self.transformer.layers, blocks, strict=True):
            read = _read(layer, read, own, **inputs)
        attend, norm = self.transformer.final_attn_token_to_image, self.transformer.norm_final_attn
        read = norm(read + attend.forward(q=read + own, k=last["k"], v=last["v"]))[:, 0]
        return logits + self.hq(read, embedding, functional.pixel_shuffle(early, 2), decoded), ious


def _read(
    layer: Any,
    read: Tensor,
    own: Tensor,
    queries: Tensor,
    keys: Tensor,
    query_pe: Tensor,
    key_pe: Tensor,
) -> Tensor:
    """What a `TwoWayAttentionBlock` makes of a token (N, 1, C) that the others do not see."""
    values = torch.cat([queries, read], 1)
    if layer.skip_first_layer_pe:
        read = layer.self_attn(q=read, k=values, v=values)
    else:
        placed = values + torch.cat([query_pe, own], 1)
        read = read + layer.self_attn(q=placed[:, -1:], k=placed, v=values)
    read = layer.norm1(read)
    seen = layer.cross_attn_token_to_image(q=read + own, k=keys + key_pe, v=keys)
    read = layer.norm2(read + seen)
    out: Tensor = layer.norm3(read + layer.mlp(read))
    return out


def starter(side: int) -> LoadedModel:
    """The starter for inputs of so many px."""
    model = load_model("starter", torch.device("cpu"))
    set_image_size(model.sam, side)
    return model


def with_token(seed: int, side: int) -> LoadedModel:
    """The starter with an untrained token, which gives the starter's masks."""
    model = starter(side)
    torch.manual_seed(seed)
    encoder = EarlyEncoder(side)
    encoder.load_state_dict(model.sam.image_encoder.state_dict())
    model.sam.image_encoder, model.sam.mask_decoder = encoder, HQDecoder(model.sam.mask_decoder)
    model.sam.eval()
    return model


class Picture(NamedTuple):
    """An image and the masks of some of its objects, by class."""

    name: str
    pixels: NDArray[Any]
    objects: list[tuple[str, NDArray[np.bool_]]]
    group: str


def photographs(data: Path, *, thin: bool) -> list[Picture]:
    """Those of DATA with thin objects, or with others, which are of the class "thick"."""
    found = []
    for pair in read_pairs(
        data / "images",
        data / "masks",
        manifest=data / "manifest.csv",
        class_column="class",
        group_column="tile",
    ):
        pixels = read_image(pair.image)
        objects = true_objects(pair, spatial_shape(pixels))
        label = pair.label if thin else "thick"
        wanted = [(label, o.mask) for o in objects if is_thin(o.mask) == thin]
        found.append(Picture(pair.stem, pixels, wanted, pair.group))
    return [picture for picture in found if picture.objects]


def synthetic(seed: int, count: int) -> list[Picture]:
    """Pictures with thin cracks and scratches, of the kind the starter was trained on."""
    found: list[Picture] = []
    for index in range(100 * count):
        pixels, defects = make_image(np.random.default_rng([seed, index]), SIDE)
        lines = [d.mask for d in defects if d.kind in THIN and d.mask.sum() >= SMALLEST]
        thin = [("synthetic", mask) for mask in lines if is_thin(mask)]
        if thin:
            found.append(Picture(f"synthetic {index}", pixels, thin, f"synthetic {index}"))
        if len(found) == count:
            break
    return found


def learnt(
    model: LoadedModel, pictures: list[Picture], what: str, seed: int, steps: int
) -> dict[str, Tensor]:
    """Train one of `TRAINED`; return its tensors."""
    parts, rate = TRAINED[what]
    with TemporaryDirectory() as folder:
        project = Project.open(Path(folder) / "hq.project")
        for name, pixels, objects, group in pictures:
            shape, key = spatial_shape(pixels), content_hash(pixels)
            project.add_image(name, shape=shape, content_hash=key, array=pixels, group=group)
            for label, mask in objects:
                project.add(NewAnnotation(name, mask, label, source="robot"))
        ids = tuple(annotation.id for annotation in project.annotations())
        config = TrainConfig.for_a_run().model_copy(
            update={
                "parts": parts,
                "learning_rate": rate,
                "steps": steps,
                "seed": seed,
                "corrections": 2,
            }
        )
        job = TrainingJob(str(project.path), model.ref, "base", ids, (), config, "cpu")
        return read_weights(project.weights_path(drive(job, model)))[0]


def drive(job: TrainingJob, model: LoadedModel) -> str:
    training, losses = fit(job, model=model), [0.0]
    while True:
        try:
            progress = next(training)
        except StopIteration as end:
            return str(end.value.version)
        losses += [] if progress.loss is None else [progress.loss]
        if progress.phase == "training" and progress.step % 25 == 0:
            print(progress.step, f"{np.mean(losses[-25:]):.3f}", flush=True)


def asked(predictor: Predictor, truth: NDArray[np.bool_], *, zoom: bool) -> list[tuple[float, ...]]:
    """(score, IoU) after each of `PROMPTS`, as `Session` answers."""

    def propose(prompt: Prompt, previous: Proposal | None = None) -> Proposal:
        proposal = predictor.propose(prompt, previous, refiners=REFINERS)
        return (predictor.look_closer(proposal, refiners=REFINERS) if zoom else None) or proposal

    rows, columns = np.nonzero(truth)
    tight = columns.min() - 0.5, rows.min() - 0.5, columns.max() + 0.5, rows.max() + 0.5
    boxed = propose(Prompt(box=tight)).mask
    clicker = Clicker(truth, Robot(max_clicks=3), np.random.default_rng(0), {"proposing": 0.0})
    clicker.run(lambda p: propose(p, clicker.proposal if clicker.scores else None), 0.999)
    scores, ious = clicker.padded(clicker.scores), clicker.padded(clicker.ious)
    return [(score(boxed, truth), iou(boxed, truth)), (scores[0], ious[0]), (scores[2], ious[2])]


def check_identical(side: int, picture: Picture) -> None:
    """Make sure that the untrained token leaves the starter's answers as they are."""
    answers = []
    for model in (starter(side), with_token(0, side)):
        predictor = Predictor(model)
        predictor.set_image(picture.pixels)
        answers.append(predictor.propose(Prompt(points=[(100.0, 100.0)], labels=[1])).logits)
    np.testing.assert_array_equal(answers[0], answers[1])


def measured(given: argparse.Namespace, what: str, seed: int) -> Results:
    """Train and ask about objects held out, unless that was done before.

    Returns figures (2, 3, 2) by object, (kind, picture, number): without and with zoom, after each
    of `PROMPTS`, score and IoU.
    """
    path = given.out / f"{what}-{seed}.json"
    if not path.exists():
        print(what, "seed", seed, flush=True)
        found = photographs(given.data, thin=True)
        check_identical(given.side, found[0])
        model = with_token(seed, given.side) if what == "token" else starter(given.side)
        tiles = sorted({picture.group for picture in found})[seed % 2 :: 2]
        thick = photographs(given.data, thin=False)
        test = [picture for picture in [*found, *thick[seed::THICK]] if picture.group not in tiles]
        test += synthetic(TEST_SEED + seed, given.synthetic // 4)
        predictor, rows = Predictor(model), []
        if what != "base":
            train = [picture for picture in found if picture.group in tiles]
            train += synthetic(TRAIN_SEED + seed, given.synthetic)
            predictor.weights.load(learnt(model, train, what, seed, given.steps), what)
        for picture in test:
            predictor.set_image(picture.pixels)
            for number, (kind, truth) in enumerate(picture.objects):
                figures = [asked(predictor, truth, zoom=zoom) for zoom in (False, True)]
                rows.append(((kind, f"{picture.name}, seed {seed}", number), figures))
        path.write_text(json.dumps(rows), encoding="utf-8")
    kept = json.loads(path.read_text(encoding="utf-8"))
    return {tuple(key): np.array(figures) for key, figures in kept}


def add_rows(table: Table, results: dict[str, Results], shown: str) -> None:
    """Mean score and IoU, and the score's gain on the base with zoom with its standard error."""
    common = set.intersection(*(set(by_object) for by_object in results.values()))
    keys = sorted(key for key in common if key[0] in SHOWN[shown])
    crops = np.array([results["base"][key][1] for key in keys])
    for what, by_object in results.items():
        for zoom, name in enumerate((what, f"{what}, zoom")):
            figures = np.array([by_object[key][zoom] for key in keys])
            gains = (figures - crops)[..., 0]
            means, errors = figures.mean(0), gains.std(0, ddof=1) / np.sqrt(len(keys))
            cells = [
                f"{mean[0]:.3f} ({mean[1]:.3f}), {gain:+.3f} ± {error:.3f}"
                for mean, gain, error in zip(means, gains.mean(0), errors, strict=True)
            ]
            table.add_row(f"{shown} ({len(keys)})", name, *cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=["token"], choices=list(TRAINED))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--side", type=int, default=384, help="of the encoder's input, in px")
    parser.add_argument("--synthetic", type=int, default=60, help="pictures to learn from")
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    results: dict[str, Results] = {}
    for what in ("base", *given.models):
        results[what] = {}
        for seed in range(given.seeds):
            results[what] |= measured(given, what, seed)
    table = Table("thin objects", "answered by", *PROMPTS)
    for shown in SHOWN:
        add_rows(table, results, shown)
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
