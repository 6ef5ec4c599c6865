"""Importing the model's code, which takes seconds, on a thread beside the viewer's."""

from __future__ import annotations

import os
import sys

from vispy.visuals.line.dash_atlas import DashAtlas

from napari_sam_tune.ui.canvas.looks import MAKERS
from napari_sam_tune.ui.garbage import collected_later


def import_model_code() -> None:
    """Let torch load while the person still chooses images.

    torchvision imports triton if it can, and triton's LLVM crashes a process that already runs
    Mesa's (seen: torch 2.15, Mesa's llvmpipe under X). Nothing is compiled in the viewer, so
    triton is hidden while torchvision loads.
    """
    hide = "triton" not in sys.modules
    if hide:
        sys.modules["triton"] = None  # type: ignore[assignment]
    with collected_later():
        try:
            _import()
        finally:
            if hide:
                del sys.modules["triton"]


def _import() -> None:
    import torch
    import torchvision  # noqa: F401 - segment-anything's, for "Segment everything"

    # what a session needs in the viewer's thread, where importing it would be felt
    import napari_sam_tune.core.answers.answerer
    import napari_sam_tune.core.answers.predictor
    import napari_sam_tune.core.session.session
    import napari_sam_tune.core.stacks.carrying
    import napari_sam_tune.core.suggestions.review  # noqa: F401

    # napari imports what a kind of layer needs when the first one is made
    for make in MAKERS.values():
        make()
    DashAtlas()  # vispy works out how lines are dashed when the first Labels layer is shown

    # One core stays for the viewer: torch's threads wait by spinning, which starves it.
    torch.set_num_threads(max(1, (os.cpu_count() or 1) - 1))
