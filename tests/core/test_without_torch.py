"""Torch takes seconds to load: it is not loaded before a model is."""

from __future__ import annotations

import subprocess
import sys

import pytest

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


@pytest.mark.parametrize(
    "code",
    [NAMES, HELP, WRITERS],
    ids=["names of the package", "command line", "writers of masks"],
)
def test_no_torch_is_loaded_before_a_model_is(code: str) -> None:
    command = [sys.executable, "-c", f"{code}\n{NOT_LOADED}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
