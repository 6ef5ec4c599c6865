"""How many clicks learning saves: the whole sequence, frozen and learning, and what it costs.

Every run of the sequence is kept in `--out` as JSON and not run again, so that the script may be
stopped and started. Needs a folder of photographs, one of masks, and a CSV with columns of classes
and groups. The rows after the sequences are timings and want quiet cores.

    python benchmarks/learning.py --images D/images --masks D/masks --manifest D/manifest.csv \
        --class-column class --group-column tile --out learning [--seeds 3] [--limit N]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import a_round
import numpy as np
import torch
import training_step
from a_round import Labelled
from rich.console import Console
from rich.table import Table
from segment_anything import SamPredictor

from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.config import TrainConfig
from napari_sam_tune.core.evaluation.robot import Robot
from napari_sam_tune.core.evaluation.simulate import order_groups, run_sequence
from napari_sam_tune.core.exchange.labelled_images import read_pairs, true_objects
from napari_sam_tune.core.images.files import read_image, spatial_shape, to_rgb8
from napari_sam_tune.core.project.project import Project
from napari_sam_tune.core.rounds.gate import decide
from napari_sam_tune.core.rounds.plan import MASKS_BETWEEN_ROUNDS
from napari_sam_tune.core.scoring import inscribed_radius
from napari_sam_tune.core.session.session import Session
from napari_sam_tune.core.training.job import ObjectScore
from napari_sam_tune.demo import draw_clicks
from napari_sam_tune.starter.evaluate import click_through
from napari_sam_tune.starter.images import make_image

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from napari_sam_tune.core.exchange.labelled_images import LabelledImage

SYNTHETIC_SEED = 424_242
SYNTHETIC_SIDE = 256
RESAMPLES = 2000
SMALL, THIN = 0.002, 6
"""Share of the image, and px, below which an object is small or thin."""

Rows = list[dict[str, Any]]


def labelled(given: argparse.Namespace) -> list[LabelledImage]:
    """The photographs and their masks."""
    return read_pairs(
        given.images,
        given.masks,
        manifest=given.manifest,
        class_column=given.class_column,
        group_column=given.group_column,
    )


def sequence(
    given: argparse.Namespace, seed: int, noise: float, kind: str, *, zoom: bool = True
) -> Rows:
    """One run of the sequence protocol, from its file if it was run before.

    Kinds: "frozen"; "recall", where earlier masks come back; "rounds" of fine-tuning; and both,
    "learning".
    """
    learn, recall = kind in {"rounds", "learning"}, kind in {"recall", "learning"}
    path = given.out / f"{kind}{'' if zoom else '-no-zoom'}-{seed}-noise{noise:g}.json"
    if not path.exists():
        groups = order_groups(labelled(given), seed, given.limit)
        robot = Robot(max_clicks=20, target=0.85, noise=noise, seed=seed)
        with tempfile.TemporaryDirectory() as scratch:
            project = Project.open(Path(scratch) / "project")
            predictor = Predictor.from_checkpoint(given.model, device=given.device)
            with Session(project, predictor, source="robot", zoom=zoom, recall=recall) as session:
                every = MASKS_BETWEEN_ROUNDS if learn else None
                result = run_sequence(session, groups, robot, every=every)
                session.answerer.apply_swap()
                document = result.to_json()
                if learn:
                    document["elsewhere"] = elsewhere(predictor, given.synthetic)
        path.write_text(json.dumps(document), encoding="utf-8")
    document = json.loads(path.read_text(encoding="utf-8"))
    rows: Rows = document["objects"]
    return rows


def elsewhere(predictor: Predictor, images: int) -> dict[str, float]:
    """Scores on synthetic images after one and three clicks and from a box.

    Answers are SAM's own, from the weights that answer on such an image.
    """
    sam = SamPredictor(predictor.sam)
    found = []
    for index in range(images):
        rng = np.random.default_rng([SYNTHETIC_SEED, index])
        picture, defects = make_image(rng, SYNTHETIC_SIDE)
        predictor.set_image(picture)
        sam.set_image(to_rgb8(picture))
        result = click_through(sam, defects[0].mask, 3)
        found.append((result.scores[0], result.scores[2], result.box_iou))
    means = np.mean(found, axis=0)
    return {"score_1": float(means[0]), "score_3": float(means[1]), "box": float(means[2])}


def clicks(rows: Rows) -> int:
    """All clicks of some objects."""
    return sum(row["clicks"] for row in rows)


def last_third(rows: Rows) -> Rows:
    """The objects labelled last."""
    return rows[len(rows) - len(rows) // 3 :]


def mean_score(rows: Rows, click: int) -> float:
    """Mean score after so many clicks."""
    return float(np.mean([row["score_at"][click - 1] for row in rows]))


def never(rows: Rows) -> float:
    """Share of objects that never reached the target."""
    return float(np.mean([not row["reached"] for row in rows]))


def class_ratio(pairs: list[tuple[Rows, Rows]], name: str) -> tuple[float, float, float]:
    """Learning / frozen clicks of one class, with a 95 % bootstrap interval over objects."""
    both = [
        (learnt["clicks"], plain["clicks"])
        for frozen, learning in pairs
        for plain, learnt in zip(frozen, learning, strict=True)
        if plain["class"] == name
    ]
    values = np.array(both, float)
    rng = np.random.default_rng(0)
    drawn = values[rng.integers(0, len(values), (RESAMPLES, len(values)))].sum(1)
    low, high = np.percentile(drawn[:, 0] / drawn[:, 1], [2.5, 97.5])
    total = values.sum(0)
    return float(total[0] / total[1]), float(low), float(high)


def sequences(
    given: argparse.Namespace, noise: float, seeds: Iterable[int], kind: str = "learning"
) -> list[tuple[Rows, Rows]]:
    """(frozen, another kind) of each seed, in the same order of objects."""
    return [
        (sequence(given, seed, noise, "frozen"), sequence(given, seed, noise, kind))
        for seed in seeds
    ]


def add_clicks(table: Table, pairs: list[tuple[Rows, Rows]], what: str, asked: str) -> None:
    """A row of the ratio of clicks, of all objects and of the last third."""
    ratios = [clicks(learning) / clicks(frozen) for frozen, learning in pairs]
    thirds = [clicks(last_third(b)) / clicks(last_third(a)) for a, b in pairs]
    seen = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    late = ", ".join(f"{ratio:.2f}" for ratio in thirds)
    table.add_row(
        what, asked, f"{np.mean(ratios):.2f} ({seen}); last third {np.mean(thirds):.2f} ({late})"
    )


def small_or_thin(given: argparse.Namespace) -> set[tuple[str, int]]:
    """(stem, number) of objects below 0.2 % of their image or thinner than 6 px."""
    found = set()
    for pair in labelled(given):
        shape = spatial_shape(read_image(pair.image))
        for target in true_objects(pair, shape):
            share = np.count_nonzero(target.mask) / target.mask.size
            if share < SMALL or 2 * inscribed_radius(target.mask) < THIN:
                found.add((pair.stem, target.number))
    return found


def clicks_to(rows: Rows, level: float) -> float:
    """Mean clicks until a score, the cap where it was never reached."""
    first = []
    for row in rows:
        reached = [k for k, score in enumerate(row["score_at"], start=1) if score >= level]
        first.append(reached[0] if reached else len(row["score_at"]))
    return float(np.mean(first))


def promoted_share(gain: float, objects: int = 20, rounds: int = 300) -> float:
    """How often the gate lets a candidate pass that is better by `gain`.

    Single objects spread by .09 around it and single prompts by .06 more, as rounds were seen to.
    """
    rng = np.random.default_rng(0)
    config = TrainConfig()
    promoted = 0
    for _ in range(rounds):
        scores = []
        for index, shift in enumerate(rng.normal(gain, 0.09, objects)):
            for prompt in ("point", "box", "robot"):
                for draw in range(config.draws):
                    after = 0.6 + shift + rng.normal(0, 0.06)
                    name = f"o{index}"
                    scores.append(ObjectScore(name, name, "defect", prompt, draw, 0.6, after))
        promoted += decide(scores, config).promote
    return promoted / rounds


def photographs(given: argparse.Namespace) -> Iterator[Labelled]:
    """The photographs in the order in which they are labelled."""
    for group in order_groups(labelled(given), 0):
        for pair in group:
            image = read_image(pair.image)
            masks = [found.mask for found in true_objects(pair, spatial_shape(image))]
            yield Labelled(image, pair.image.name, masks, pair.label, pair.group, pair.image)


def add_costs(table: Table, given: argparse.Namespace) -> None:
    """Rows of what learning costs."""
    same, better = promoted_share(0.0), promoted_share(0.05)
    table.add_row(
        "gate, simulated: identical; +.05 on 20 objects",
        "≤ 10 %; ≥ 80 %",
        f"{same:.0%}; {better:.0%}",
    )
    times = a_round.measured(photographs(given), 50, given.model, given.device, TrainConfig())
    before, during = times.p95()
    asked = "≤ 30 s; clicks ≤ 1.5×"
    seen = f"{times.rounds[0]:.0f} s; {during / before:.2f}× ({during * 1e3:.0f} ms). {times.said}"
    table.add_row("a round with 50 masks, start to swap; p95 of clicks", asked, seen)
    torch.set_num_threads(1)
    ratios = [step / plain for _, step, plain in training_step.measured("vit_b", 6)]
    seen = f"{ratios[0]:.2f}×; with corrections {ratios[1]:.2f}×"
    table.add_row("vit_b shape: a step / the bare decoder's", "≤ 1.25×", seen)


def main() -> None:
    """Run what was not run yet and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("images", "masks", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--manifest", type=Path)
    parser.add_argument("--class-column")
    parser.add_argument("--group-column")
    parser.add_argument("--model", default="starter")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--noisy-seeds", type=int, default=1)
    parser.add_argument("--limit", type=int, help="only so many groups")
    parser.add_argument("--synthetic", type=int, default=500)
    parser.add_argument("--no-costs", action="store_true", help="only the sequences")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    given.out.mkdir(parents=True, exist_ok=True)
    table = Table("what", "asked", "seen")
    pairs = sequences(given, 0.0, range(given.seeds))
    add_clicks(table, pairs, "clicks, learning / frozen", "≤ 0.60; last third ≤ 0.50")
    add_clicks(table, sequences(given, 0.0, [0], "recall"), "recalling alone, seed 0", "")
    add_clicks(table, sequences(given, 0.0, [0], "rounds"), "rounds alone, seed 0", "")
    ends = [(last_third(frozen), last_third(learning)) for frozen, learning in pairs]
    for click in (1, 3):
        gain = np.mean([mean_score(b, click) - mean_score(a, click) for a, b in ends])
        table.add_row(f"last third: score after {click}", "+.15", f"{gain:+.3f}")
    shares = np.mean([(never(a), never(b)) for a, b in ends], axis=0)
    table.add_row("last third: never reached", "half", f"{shares[0]:.2f} to {shares[1]:.2f}")
    for name in sorted({row["class"] for row in pairs[0][0]}):
        ratio, low, high = class_ratio(pairs, name)
        table.add_row(f"clicks, class {name}", "≤ 1.03", f"{ratio:.2f} ({low:.2f} to {high:.2f})")
    if given.noisy_seeds:
        noisy = sequences(given, 1.0, range(given.noisy_seeds))
        add_clicks(table, noisy, "the same, careless clicks", "≤ 0.65")
    before = elsewhere(Predictor.from_checkpoint(given.model, device=given.device), given.synthetic)
    for seed in range(given.seeds):
        path = given.out / f"learning-{seed}-noise0.json"
        after = json.loads(path.read_text(encoding="utf-8"))["elsewhere"]
        change = ", ".join(f"{name} {after[name] - before[name]:+.3f}" for name in before)
        table.add_row(f"elsewhere, seed {seed}", "≥ −.02", change)
    small = small_or_thin(given)
    both = [sequence(given, 0, 0.0, "frozen", zoom=zoom) for zoom in (False, True)]
    counts = [
        clicks_to([row for row in rows if (row["stem"], row["object"]) in small], 0.80)
        for rows in both
    ]
    seen = f"{counts[1] / counts[0]:.2f} ({counts[0]:.1f} to {counts[1]:.1f}, {len(small)} objects)"
    table.add_row("small or thin: clicks to .80, zoom / no zoom", "≤ 0.75", seen)
    if not given.no_costs:
        add_costs(table, given)
    draw_clicks(
        [row["clicks"] for row in pairs[0][0]],
        [row["clicks"] for row in pairs[0][1]],
        given.out / "clicks.png",
    )
    Console().print(table)


if __name__ == "__main__":
    main()
