"""Every format that weights go out in.

This module needs no torch: writers are imported when used.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.texts.wording import mark
from napari_sam_tune.formats.weights.usage import (
    half_names,
    use_exported,
    use_head,
    use_onnx,
    use_ours,
    use_sam,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_sam_tune.core.answers.tuned import TunedWeights
    from napari_sam_tune.core.models.base import BaseRef

    Writer = Callable[[BaseRef, TunedWeights, Path], None]

_WRITERS: Final = "napari_sam_tune.formats.weights.writers"


@dataclass(frozen=True)
class WeightsFormat:
    """A format that weights go out in.

    Attributes:
        name: as people type it.
        title: as a dialog calls it.
        writer: "module:function" of what writes weights on their base to a path, which is a file
            or a new folder.
        usage: says in Markdown how to use what was written, from its name and the architecture.
        suffix: of the file that is written; "" where it is a folder.
        halves: suffix of encoder and decoder where they are two files, else "".

    """

    name: str
    title: str
    writer: str
    usage: Callable[[str, str], str]
    suffix: str = ""
    halves: str = ""

    def write(self, base: BaseRef, tuned: TunedWeights, path: Path) -> None:
        """Write weights on their base.

        Raises:
            CheckpointError: the format cannot hold these weights.

        """
        module, name = self.writer.split(":")
        write: Writer = getattr(import_module(module), name)
        write(base, tuned, path)

    def files(self, path: Path) -> list[Path]:
        """Return what is written when `path` is asked for, the card last."""
        if not self.halves:
            return [path, path.with_name(f"{path.name}.md")]
        halves = [path.parent / name for name in half_names(path.name, self.halves)]
        in_folder = path.suffix != self.halves
        return [*halves, path / "README.md" if in_folder else path.with_name(f"{path.name}.md")]


WEIGHTS_FORMATS: Final = {
    form.name: form
    for form in (
        WeightsFormat(
            "sam",
            mark("SAM checkpoint, adapters merged"),
            f"{_WRITERS}:write_sam",
            use_sam,
            suffix=".pth",
        ),
        WeightsFormat(
            "safetensors",
            mark("Only what was trained, self-describing"),
            f"{_WRITERS}:write_ours",
            use_ours,
            suffix=".safetensors",
        ),
        WeightsFormat(
            "lora",
            mark("LoRA adapters alone"),
            f"{_WRITERS}:write_adapters",
            use_ours,
            suffix=".safetensors",
        ),
        WeightsFormat(
            "promptless",
            mark("Finder kept last, alone"),
            f"{_WRITERS}:write_head",
            use_head,
            suffix=".safetensors",
        ),
        WeightsFormat(
            "onnx",
            mark("ONNX graphs, encoder and decoder"),
            f"{_WRITERS}:write_onnx_graphs",
            use_onnx,
            halves=".onnx",
        ),
        WeightsFormat(
            "pt2",
            mark("torch.export graphs, encoder and decoder"),
            f"{_WRITERS}:write_exported_graphs",
            use_exported,
            halves=".pt2",
        ),
    )
}
"""By name. sam: a whole model as an ordinary SAM checkpoint, adapters merged; safetensors: only
what was trained, with its description; lora: the adapters alone; promptless: the head and its neck;
onnx and pt2 (`torch.export`): encoder and decoder as graphs, adapters merged."""
