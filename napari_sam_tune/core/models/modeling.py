"""The parts of a SAM as segment-anything defines them, without torchvision.

`import segment_anything` runs its predictor and its mask generator, too, and those import
torchvision, whose operators import torch's compiler: a third of the time that loading a model took.
Here its definitions alone are needed. So the package is put in its place before it runs, its
`modeling` is imported from it, and it runs when anything in the process asks it for more.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from types import ModuleType

_PACKAGE: Final = "segment_anything"


def _package_that_runs_when_asked() -> ModuleType:
    spec = find_spec(_PACKAGE)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"No module named {_PACKAGE!r}", name=_PACKAGE)
    package, run = module_from_spec(spec), spec.loader.exec_module

    def run_and_get(name: str) -> Any:
        del package.__getattr__
        try:
            run(package)
        except BaseException:
            package.__getattr__ = run_and_get  # type: ignore[method-assign]
            raise
        return getattr(package, name)

    package.__getattr__ = run_and_get  # type: ignore[method-assign]
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
