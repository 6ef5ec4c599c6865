"""Run by Python as it starts in every process that tests start: see `smaller`."""

from __future__ import annotations

import gc
import os
import sys
from importlib.abc import MetaPathFinder
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class _Shrinking(MetaPathFinder):
    """Waits for the module that loads models, so that nothing is imported ahead of its time."""

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name != "napari_sam_tune.core.models.checkpoints":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        assert spec is not None
        assert spec.loader is not None
        execute = spec.loader.exec_module

        def execute_and_shrink(module: ModuleType) -> None:
            from smaller import shrink

            execute(module)
            shrink(module)

        spec.loader.exec_module = execute_and_shrink
        return spec


# What these processes import stays: looked through as often as Python does, it takes a fifth of
# their start.
gc.set_threshold(100_000, 50, 100)
if "SAM_TUNE_STARTERS_AT" in os.environ:
    sys.meta_path.insert(0, _Shrinking())
