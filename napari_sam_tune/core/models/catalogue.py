"""The models this program knows: their names, how a file is told, built and where it is published.

To add one, add an entry here. This module needs no torch.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_sam_tune.core.errors import CheckpointError
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

_HERE: Final = "napari_sam_tune.core.models"


@dataclass(frozen=True)
class Architecture:
    """A kind of SAM.

    Attributes:
        name: as messages and files call it.
        builder: "module:function" of what builds one untrained; imported when used.
        mark: a tensor by which a state dict is told to be of this kind.
        width: what that tensor's first dimension must be, of four; None where having it is enough.
        completion: "module:function" of what adds to a state dict what its file leaves out; None
            where it is whole.
        package: a program that reads a whole model of this kind; None where it is only this one.
        pixel_mean, pixel_std: what its encoder wants pixels (R, G, B from 0 to 255) normalised by.

    """

    name: str
    builder: str
    mark: str
    width: int | None = None
    completion: str | None = None
    package: str | None = None
    pixel_mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    pixel_std: tuple[float, float, float] = (58.395, 57.12, 57.375)

    def is_of(self, state: Mapping[str, Tensor]) -> bool:
        """Whether a state dict is of this kind."""
        tensor = state.get(self.mark)
        if tensor is None or self.width is None:
            return tensor is not None
        return tensor.ndim == 4 and tensor.shape[0] == self.width


def _vit(name: str, width: int) -> Architecture:
    return Architecture(
        name,
        builder=f"segment_anything.build_sam:build_sam_{name}",
        mark="image_encoder.patch_embed.proj.weight",
        width=width,
        package="segment_anything",
    )


ARCHITECTURES: Final = {
    kind.name: kind
    for kind in (
        Architecture(
            "starter",
            builder=f"{_HERE}.starter:build_starter",
            mark="image_encoder.stage2.0.weight",
        ),
        # the second edition
        Architecture(
            "starter2",
            builder=f"{_HERE}.starter_pyramid:build_pyramid_starter",
            mark="image_encoder.lateral32.1.weight",
            completion=f"{_HERE}.starter_pyramid:with_trunk",
            pixel_mean=(127.0, 127.0, 127.0),
            pixel_std=(128.0, 128.0, 128.0),
        ),
        Architecture(
            "vit_t",
            builder=f"{_HERE}.tiny_vit:build_vit_t",
            mark="image_encoder.layers.0.blocks.0.conv1.c.weight",
            package="mobile_sam",
        ),
        _vit("vit_b", 768),
        _vit("vit_l", 1024),
        _vit("vit_h", 1280),
    )
}
"""By name."""


@dataclass(frozen=True)
class OfficialCheckpoint:
    """A checkpoint published with "Segment Anything" (Kirillov et al., 2023), or MobileSAM's.

    Attributes:
        name: "vit_b", "vit_l", "vit_h" or "vit_t".
        title: what people call it.
        url: where its authors publish it.
        sha256: hex digest of the whole file.
        megabytes: of the file.

    """

    name: str
    title: str
    url: str
    sha256: str
    megabytes: int

    @property
    def size(self) -> str:
        """For people, e.g. "375 MB"."""
        if self.megabytes < 1000:
            return f"{self.megabytes} MB"
        return f"{self.megabytes / 1000:.1f} GB"

    @property
    def path(self) -> Path:
        """Where the file is kept on this machine, there or not."""
        return checkpoint_folder() / self.url.rsplit("/", 1)[1]

    @property
    def by_hand(self) -> str:
        """How to get the file without this program, in one sentence."""
        return tr(
            "By hand: download {url} ({size}) and put it at {path} (SHA-256 {sha256}).",
            url=self.url,
            size=self.size,
            path=self.path,
            sha256=self.sha256,
        )


_SERVER: Final = "https://dl.fbaipublicfiles.com/segment_anything"
OFFICIAL: Final = {
    checkpoint.name: checkpoint
    for checkpoint in (
        OfficialCheckpoint(
            "vit_b",
            "SAM ViT-B",
            f"{_SERVER}/sam_vit_b_01ec64.pth",
            "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
            375,
        ),
        OfficialCheckpoint(
            "vit_l",
            "SAM ViT-L",
            f"{_SERVER}/sam_vit_l_0b3195.pth",
            "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
            1249,
        ),
        OfficialCheckpoint(
            "vit_h",
            "SAM ViT-H",
            f"{_SERVER}/sam_vit_h_4b8939.pth",
            "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
            2564,
        ),
        # "Faster Segment Anything" (Zhang et al., 2023)
        OfficialCheckpoint(
            "vit_t",
            "MobileSAM",
            "https://github.com/ChaoningZhang/MobileSAM/raw/master/weights/mobile_sam.pt",
            "6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
            41,
        ),
    )
}
"""By name."""

STARTER: Final = "starter"
"""The model that comes with the program, whatever its edition."""
MODEL_NAMES: Final = (STARTER, *OFFICIAL)
"""Names by which a base model is asked for; a path is the other way."""


def checkpoint_folder() -> Path:
    """Where checkpoints are kept: `$SAM_TUNE_CHECKPOINTS`, or the user's cache folder."""
    if folder := os.environ.get("SAM_TUNE_CHECKPOINTS"):
        return Path(folder).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("napari-sam-tune", appauthor=False) / "checkpoints"


def official(name: str) -> OfficialCheckpoint:
    """Look an official checkpoint up by name.

    Raises:
        CheckpointError: there is none of that name.

    """
    if name not in OFFICIAL:
        raise CheckpointError(
            tr(
                "There is no official model named “{name}”; there are {names}.",
                name=name,
                names=", ".join(OFFICIAL),
            )
        )
    return OFFICIAL[name]
