"""Hot swap: from a candidate's promotion to the next proposal it answers, beside a plain click.

Asked: at most 100 ms above one click, with the embeddings untouched.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from napari_sam_tune import Predictor, Project, Prompt, Session

SWAPS = 30


def decoder_weights(predictor: Predictor, seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        name: tensor + 1e-3 * torch.randn(tensor.shape, generator=generator)
        for name, tensor in predictor.sam.state_dict().items()
        if name.startswith("mask_decoder.")
    }


def main() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (512, 512), dtype=np.uint8)
    clicks, swaps = [], []
    with tempfile.TemporaryDirectory() as folder:
        predictor = Predictor.from_checkpoint("starter", device="cpu")
        project = Project.open(Path(folder) / "project")
        versions = [
            project.save_weights(decoder_weights(predictor, seed), {"parent": "base"})
            for seed in (1, 2)
        ]
        with Session(project, predictor) as session:
            session.open_image(image, "noise.png")
            for turn in range(SWAPS):
                x, y = rng.uniform(0, 511, 2)
                prompt = Prompt(points=[(x, y)], labels=[1])
                session.propose(prompt)
                key = predictor.encoder_key
                began = time.perf_counter()
                session.propose(prompt)
                clicks.append(time.perf_counter() - began)
                session.rollback(versions[turn % 2])
                began = time.perf_counter()
                proposal = session.propose(prompt)
                swaps.append(time.perf_counter() - began)
                if proposal.weights_version != versions[turn % 2] or predictor.encoder_key != key:
                    raise SystemExit("The swap did not happen, or it touched the encoder.")
    table = Table("what", "median, ms", "worst, ms", title="Hot swap (starter, one torch thread)")
    for name, seconds in (("a click", clicks), ("swap and click", swaps)):
        table.add_row(name, f"{statistics.median(seconds) * 1e3:.1f}", f"{max(seconds) * 1e3:.1f}")
    extra = statistics.median(b - a for a, b in zip(clicks, swaps, strict=True)) * 1e3
    table.add_row("the swap alone", f"{extra:.1f}", "asked ≤ 100")
    Console().print(table)


if __name__ == "__main__":
    main()
