"""A crash before, within and after every write, rename and flush: nothing lost, nothing halved."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import crashing
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KILLS = int(os.environ.get("SAM_TUNE_KILLS", "0"))
POINTS = 10**6 if KILLS >= 200 else 6
"""Of each case; the `stress` environment takes all of them."""
QUICK = [name for name in crashing.CASES if not name.startswith("export")]
CASES = list(crashing.CASES) if KILLS >= 200 else [*QUICK, "export coco", "export yolo"]
# last those for which the forker imports torch: so large a process takes far longer to fork
CASES.sort(key=[*crashing.CASES, *crashing.WITH_TORCH][::-1].index, reverse=True)


@pytest.fixture(scope="module")
def forker() -> Iterator[subprocess.Popen[str]]:
    """Has imported everything; see `crashing`."""
    command = [sys.executable, crashing.__file__]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.stdin.close()


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and looks where its threads are")
@pytest.mark.parametrize("name", CASES)
def test_whenever_a_kill_strikes_nothing_is_lost_halved_or_left_over(
    tmp_path: Path, forker: subprocess.Popen[str], name: str
) -> None:
    forker.stdin.write(f"{name}\t{tmp_path / 'case'}\t{POINTS}\n")
    forker.stdin.flush()
    points, faults = json.loads(forker.stdout.readline())
    assert not faults, "\n".join(faults)
    assert points > 5
