"""Gives this environment what others of the same run have compiled of the same modules.

    python tests/bytecode.py OTHER_ENVIRONMENT ...

Without it each fresh environment compiles torch, sympy, scipy … once more, and each of two test
processes at once. Python itself looks at size and time of a module's file before it believes its
bytecode; where uv made one file appear in several environments they are the same.
"""

import shutil
import sys
import sysconfig
from pathlib import Path


def main() -> None:
    """Copy what is missing here; say how many files that were."""
    here = Path(sysconfig.get_path("purelib"))
    site, copied = here.relative_to(sys.prefix), 0
    for other in sys.argv[1:]:
        for theirs in (Path(other) / site).glob("**/__pycache__/*.pyc"):
            ours = here / theirs.relative_to(Path(other) / site)
            if not ours.exists() and _stamp(ours) == _stamp(theirs) is not None:
                ours.parent.mkdir(exist_ok=True)
                shutil.copyfile(theirs, ours)
                copied += 1
    print(f"{copied} modules are compiled already")


def _stamp(compiled: Path) -> tuple[int, int] | None:
    """Size and time of the file of which this is the bytecode; None where there is none."""
    try:
        source = (compiled.parent.parent / f"{compiled.name.split('.')[0]}.py").stat()
    except OSError:
        return None
    return source.st_size, source.st_mtime_ns


if __name__ == "__main__":
    main()
