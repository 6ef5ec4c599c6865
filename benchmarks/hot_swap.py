"""Hot swap: from a candidate's promotion to the next proposal it answers, beside a plain click.

Asked: at most 100 ms above one click, with the embeddings untouched.

    python benchmarks/hot_swap.py [--model starter|vit_b] [--device cpu] [--swaps 30]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from model_shapes import model_of
from rich.console import Console
from rich.table import Table

from napari_sam_tune import Predictor, Project, Prompt, Session

ASKED_MS = 100


def decoder_weights(predictor: Predictor, seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        name: tensor.cpu() + 1e-3 * torch.randn(tensor.shape, generator=generator)
        for name, tensor in predictor.sam.state_dict().items()
        if name.startswith("mask_decoder.")
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model", default="starter", choices=["starter", "vit_b", "vit_l", "vit_h"]
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--swaps", type=int, default=30)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (512, 512), dtype=np.uint8)
    clicks, swaps = [], []
    with tempfile.TemporaryDirectory() as folder:
        predictor = Predictor.from_checkpoint(
            model_of(given.model, Path(folder)), device=given.device
        )
        project = Project.open(Path(folder) / "project")
        versions = [
            project.save_weights(decoder_weights(predictor, seed), {"parent": "base"})
            for seed in (1, 2)
        ]
        with Session(project, predictor) as session:
            session.open_image(image, "noise.png")
            for turn in range(given.swaps):
                x, y = rng.uniform(0, 511, 2)
                prompt = Prompt(points=[(x, y)], labels=[1])
                session.propose(prompt)
                key = predictor.weights.encoder_key
                began = time.perf_counter()
                session.propose(prompt)
                clicks.append(time.perf_counter() - began)
                session.rollback(versions[turn % 2])
                began = time.perf_counter()
                proposal = session.propose(prompt)
                swaps.append(time.perf_counter() - began)
                swapped = proposal.weights_version == versions[turn % 2]
                if not swapped or predictor.weights.encoder_key != key:
                    raise SystemExit("The swap did not happen, or it touched the encoder.")
    table = Table(
        "what", "median, ms", "worst, ms", title=f"Hot swap ({given.model}, {given.device})"
    )
    for name, seconds in (("a click", clicks), ("swap and click", swaps)):
        table.add_row(name, f"{statistics.median(seconds) * 1e3:.1f}", f"{max(seconds) * 1e3:.1f}")
    extra = statistics.median(b - a for a, b in zip(clicks, swaps, strict=True)) * 1e3
    table.add_row("the swap alone", f"{extra:.1f}", f"asked ≤ {ASKED_MS}")
    Console().print(table)
    if given.json:
        figures = {"model": given.model, "swaps": given.swaps, "swap_ms": extra}
        figures["click_ms"] = statistics.median(clicks) * 1e3
        given.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
