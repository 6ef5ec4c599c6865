"""What takes seconds to import waits: torch for a model, torchvision for who needs it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from smaller import starters_at

NAMES = "from napari_sam_tune import Project, Prompt, Proposal, SamTuneError, Session, TrainConfig"
HELP = """
import napari_sam_tune.cli
from typer.testing import CliRunner
shown = CliRunner().invoke(napari_sam_tune.cli.app, ["--help"])
assert shown.exit_code == 0, shown.output
"""
WRITERS = """
from napari_sam_tune.formats.registry import FORMATS
written = [known.load_writer() for known in FORMATS.values() if known.writer]
assert len(written) > 10
"""
NOT_LOADED = """
import sys
assert not {"torch", "torchvision", "segment_anything", "napari"} & set(sys.modules)
"""

ANSWER = """
import numpy as np
import sys
from napari_sam_tune import Predictor, Prompt
ours = Predictor.from_checkpoint("starter")
ours.set_image(np.zeros((64, 96), np.uint8))
ours.propose(Prompt(((40, 30),), (1,)))
assert not {"torchvision", "torch._dynamo"} & set(sys.modules)

import segment_anything
assert not hasattr(segment_anything, "__warningregistry__")
assert "torchvision" not in sys.modules
from segment_anything import *
assert SamPredictor(ours.sam).model is ours.sam
assert "vit_h" in segment_anything.sam_model_registry
assert not hasattr(segment_anything, "sam_2")
"""


@pytest.mark.parametrize(
    "code",
    [NAMES, HELP, WRITERS],
    ids=["names of the package", "command line", "writers of masks"],
)
def test_no_torch_is_loaded_before_a_model_is(code: str) -> None:
    _run(f"{code}\n{NOT_LOADED}")


def test_a_model_answers_without_torchvision_which_others_in_the_process_still_get() -> None:
    with starters_at(128):
        _run(ANSWER)


def _run(code: str) -> None:
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
