"""What all tests share: one torch thread, and where real photographs are, if they are there."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
from hypothesis import settings

# What is imported while tests are collected is a million objects that stay; looking through them
# again and again would take a fifth of that time.
gc.disable()

# Where others want the processors, one example takes as long as it takes.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# Two torch thread pools on a busy two-core machine slow each other ten-fold.
os.environ["OMP_NUM_THREADS"] = "1"
# What the terminal breaks at the end of a line is not found again, wherever the test's folder is.
os.environ["COLUMNS"] = "400"


def _flush(descriptor: int) -> None:
    os.fstat(descriptor)  # it must be open


# What is written is there for all processes, flushed or not, and nobody here pulls the plug of the
# machine; waiting for the disk takes longer than much of what is tested. Tests of what is flushed,
# and when, watch these two or cut the power themselves (`crashing.Disk`).
os.fsync = _flush
os.sync = lambda: None

DEVICE = os.environ.get("SAM_TUNE_DEVICE", "cuda")
"""Where tests marked `cuda` run; "cpu" tries the tests themselves where there is no GPU."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a GPU where there is none, and begin with the demo.

    That takes minutes: begun last it would keep one core waiting.
    """
    import torch  # whoever only hands out tests to other processes does without

    if DEVICE == "cuda" and not torch.cuda.is_available():
        left_out = [item for item in items if item.get_closest_marker("cuda")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("cuda")]
    items.sort(key=lambda item: item.path.name != "test_demo.py")


def pytest_collection_finish() -> None:
    """Collect garbage from here on, and pass over all that was imported up to now.

    Ten times less often than Python does, which takes a fifteenth of the time of the dock's tests.
    """
    gc.freeze()
    gc.set_threshold(7_000, 10, 10)
    gc.enable()


@pytest.fixture(scope="session")
def device() -> str:
    """Where tests marked `cuda` run."""
    return DEVICE


@pytest.fixture(scope="session")
def magnetic_tile() -> Path:
    """Folder of real defect photographs, named by SAM_TUNE_DATA; not part of the project."""
    folder = os.environ.get("SAM_TUNE_DATA")
    if folder is None:
        pytest.skip("SAM_TUNE_DATA names no folder of real photographs")
    return Path(folder)
