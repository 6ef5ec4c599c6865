"""What all tests share: one torch thread, and where real photographs are, if they are there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Two torch thread pools on a busy two-core machine slow each other ten-fold.
os.environ["OMP_NUM_THREADS"] = "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the demo, which takes minutes: begun last it would keep one core waiting."""
    items.sort(key=lambda item: item.path.name != "test_demo.py")


@pytest.fixture(scope="session")
def magnetic_tile() -> Path:
    """Folder of real defect photographs, named by SAM_TUNE_DATA; not part of the project."""
    folder = os.environ.get("SAM_TUNE_DATA")
    if folder is None:
        pytest.skip("SAM_TUNE_DATA names no folder of real photographs")
    return Path(folder)
