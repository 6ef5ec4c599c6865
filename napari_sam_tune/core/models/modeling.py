"""The parts of a SAM as segment-anything defines them, without torchvision.

`import segment_anything` runs its predictor and its mask generator, too, and those import
torchvision, whose operators import torch's compiler: a third of the time that loading a model took.
Here its definitions alone are needed. So the package is put in its place before it runs, its
`modeling` is imported from it, and it runs when anything in the process asks it for more.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from types import ModuleType

_PACKAGE: Final = "segment_anything"


def _package_that_runs_when_asked() -> ModuleType:
    spec = find_spec(_PACKAGE)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"No module named {_PACKAGE!r}", name=_PACKAGE)
    package, run = module_from_spec(spec), spec.loader.exec_module
    lock, has_run = RLock(), False

    def get(name: str) -> Any:
        nonlocal has_run
        # whoever looks through all modules asks for names like these; `import *` for the last one
        if not name.startswith("__") or name == "__all__":
            with lock:
                if not has_run:
                    has_run = True
                    try:
                        run(package)
                    except BaseException:
                        has_run = False
                        raise
            if name in vars(package):
                return vars(package)[name]
        raise AttributeError(f"module {_PACKAGE!r} has no attribute {name!r}", name=name)

    package.__getattr__ = get  # type: ignore[method-assign]
    return package


if _PACKAGE not in sys.modules:
    sys.modules[_PACKAGE] = _package_that_runs_when_asked()

from segment_anything.modeling import (  # noqa: E402
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)
from segment_anything.modeling.common import LayerNorm2d  # noqa: E402
from segment_anything.modeling.image_encoder import Attention, Block  # noqa: E402

__all__ = [
    "Attention",
    "Block",
    "ImageEncoderViT",
    "LayerNorm2d",
    "MaskDecoder",
    "PromptEncoder",
    "Sam",
    "TwoWayTransformer",
]
