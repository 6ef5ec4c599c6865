"""Processes that tests kill, there at once: what is slow about starting one is what it imports.

    python forking.py MODULE

Waits for lines "FIFO<tab>ARGUMENT<tab>…", forks a process for each, which calls the module's `main`
with these arguments and says into the FIFO what that prints, and prints that process's id.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def forker(module: str, folder: Path) -> Iterator[Callable[..., tuple[int, TextIO]]]:
    """Import a module beside this file, once; what is yielded starts processes of its `main`.

    Each is known by its id and what it says; once it is killed, that has an end.

    Args:
        module: its name.
        folder: for FIFOs.

    """
    numbers = count()
    command = [sys.executable, __file__, module]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def start(*arguments: object) -> tuple[int, TextIO]:
            fifo = folder / f"fifo {next(numbers)}"
            os.mkfifo(fifo)
            process.stdin.write("\t".join(map(str, (fifo, *arguments))) + "\n")
            process.stdin.flush()
            return int(process.stdout.readline()), fifo.open(encoding="utf-8")

        yield start
        process.stdin.close()


def _fork_for_every_line(main: Callable[..., None]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system forgets them by itself
    for line in sys.stdin:
        fifo, *arguments = line.rstrip("\n").split("\t")
        child = os.fork()
        if not child:
            with Path(fifo).open("w", encoding="utf-8") as said, redirect_stdout(said):
                main(*arguments)
            os._exit(0)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    # what a process wrote outlives it, flushed or not; waiting for the disk takes most of the time
    os.fsync = lambda _: None
    _fork_for_every_line(import_module(sys.argv[1]).main)
