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

KILLS = int(os.environ.get("SAM_TUNE_KILLS", "20"))
POINTS = 10**6 if KILLS >= 200 else 6
"""Of each case; the `stress` environment takes all of them."""
QUICK = [name for name in crashing.CASES if not name.startswith("export")]
CASES = list(crashing.CASES) if KILLS >= 200 else [*QUICK, "export coco", "export yolo"]
# last those for which the forker imports torch: so large a process takes far longer to fork
LAST = [*crashing.CASES, *crashing.WITH_TORCH][::-1]
CASES.sort(key=LAST.index, reverse=True)
KILLED = ["accept", "change", "embed", "export yolo"]
if KILLS >= 200:
    KILLED += ["label", "promote", "import", "merge", "repair", "export coco"]
KILLED.sort(key=LAST.index, reverse=True)
MOMENTS = KILLS // 4
"""Of each case."""


@pytest.fixture(scope="module")
def forker() -> Iterator[subprocess.Popen[str]]:
    """Has imported everything; see `crashing`."""
    command = [sys.executable, crashing.__file__]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.stdin.close()


def asked(
    forker: subprocess.Popen[str], how: str, name: str, folder: Path, most: int
) -> tuple[int, list[str]]:
    forker.stdin.write(f"{how}\t{name}\t{folder}\t{most}\n")
    forker.stdin.flush()
    done, faults = json.loads(forker.stdout.readline())
    return done, faults


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and looks where its threads are")
@pytest.mark.parametrize("name", CASES)
def test_whenever_a_kill_strikes_nothing_is_lost_halved_or_left_over(
    tmp_path: Path, forker: subprocess.Popen[str], name: str
) -> None:
    points, faults = asked(forker, "points", name, tmp_path / "case", POINTS)
    assert not faults, "\n".join(faults)
    assert points > 5


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.parametrize("name", KILLED)
def test_a_kill_from_outside_loses_halves_and_leaves_nothing(
    tmp_path: Path, forker: subprocess.Popen[str], name: str
) -> None:
    kills, faults = asked(forker, "moments", name, tmp_path / "case", MOMENTS)
    print(f"{name}: {kills} kills", flush=True)  # what `-s` shows
    assert not faults, "\n".join(faults)
    assert kills == MOMENTS
