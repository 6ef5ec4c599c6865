"""Low-rank adapters (LoRA, Hu et al. 2021) for a SAM, and merging them back into its weights.

Ours, and not peft's: SAM fuses q, k and v into one layer, of which peft could only adapt all three
with one pair of matrices, and it renames the layers of a model that others hold on to. Here an
adapter belongs to a range of a layer's outputs, stands beside the layer while it learns, and is two
tensors in a weights file: `LAYER.lora_A.NAME` (rank, inputs) and `LAYER.lora_B.NAME` (outputs,
rank), the scale alpha / rank already in B, so that W + B·A is the merged weight.
"""

from __future__ import annotations

import math
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_sam_tune.core.errors import CheckpointError, TrainingError
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from segment_anything.modeling import Sam

    from napari_sam_tune.core.config import LoraConfig

_ADAPTER: Final = re.compile(r"^(?P<layer>.+)\.lora_(?P<matrix>[AB])\.(?P<name>[a-z_0-9]+)$")
_WHOLE: Final = "all"
_FUSED: Final = ("q", "k", "v")
_DECODER_PROJECTIONS: Final = ("q_proj", "k_proj", "v_proj", "out_proj")

Rows = dict[str, slice]
"""Which outputs of a layer each of its adapters belongs to."""


class LoraLinear(nn.Module):
    """A frozen linear layer and low-rank deltas on some of its outputs.

    With B zero at first it is the layer itself, exactly.
    """

    def __init__(self, linear: nn.Linear, rows: Rows, config: LoraConfig) -> None:
        super().__init__()
        self.linear = linear
        self.rows = rows
        self.scale = (config.alpha or config.rank) / config.rank
        self.dropout = config.dropout
        like = linear.weight
        self.lora_A = nn.ParameterDict()
        self.lora_B = nn.ParameterDict()
        for name, outputs in rows.items():
            count = len(range(*outputs.indices(linear.out_features)))
            down = torch.empty(config.rank, linear.in_features, device=like.device)
            nn.init.kaiming_uniform_(down, a=math.sqrt(5))
            self.lora_A[name] = nn.Parameter(down)
            self.lora_B[name] = nn.Parameter(torch.zeros(count, config.rank, device=like.device))

    @property
    def weight(self) -> Tensor:
        """The layer's weight with the deltas, as it is without dropout: (outputs, inputs)."""
        delta = torch.zeros_like(self.linear.weight)
        for name, outputs in self.rows.items():
            part = self.lora_B[name] @ self.lora_A[name] * self.scale
            delta = torch.slice_scatter(delta, part, 0, outputs.start, outputs.stop)
        return self.linear.weight + delta

    @property
    def bias(self) -> Tensor:
        """The layer's own, (outputs,)."""
        return self.linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """(…, inputs) to (…, outputs)."""
        answer: Tensor = self.linear(x)
        # the model stays in eval(), so dropout goes by whether gradients are wanted
        hidden = functional.dropout(x, self.dropout, training=torch.is_grad_enabled())
        delta = torch.zeros_like(answer)
        for name, outputs in self.rows.items():
            low = functional.linear(hidden, self.lora_A[name])
            part = functional.linear(low, self.lora_B[name]) * self.scale
            delta = torch.slice_scatter(
                delta, part.to(delta.dtype), -1, outputs.start, outputs.stop
            )
        return answer + delta


@dataclass(frozen=True)
class Adapters:
    """Adapters for some layers of a model.

    Attributes:
        layers: what stands in each layer's place, by the layer's name.

    """

    layers: dict[str, LoraLinear]

    @classmethod
    def of(cls, sam: Sam, config: LoraConfig, seed: int) -> Adapters:
        """Make adapters for a model, which is not touched.

        Args:
            sam: the model.
            config: which layers, and of what rank.
            seed: of the matrices A.

        Raises:
            TrainingError: the model has no such layers, or they are too small for the rank.

        """
        layers = _layers(sam, config)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls({name: LoraLinear(*layers[name], config) for name in layers})

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """Their parameters by name in a weights file, as trained: without the scale."""
        return {
            f"{layer}.{matrix}.{name}": parameter
            for layer, module in self.layers.items()
            for matrix in ("lora_A", "lora_B")
            for name, parameter in getattr(module, matrix).items()
        }

    @contextmanager
    def within(self, sam: Sam) -> Iterator[None]:
        """Put them into the model for a while."""
        try:
            for name, module in self.layers.items():
                _replace(sam, name, module)
            yield
        finally:
            for name, module in self.layers.items():
                _replace(sam, name, module.linear)


def _replace(sam: Sam, name: str, module: nn.Module) -> None:
    parent, _, attribute = name.rpartition(".")
    setattr(sam.get_submodule(parent), attribute, module)


def _layers(sam: Sam, config: LoraConfig) -> dict[str, tuple[nn.Linear, Rows]]:
    """Return the layers to adapt, by name, each with its adapters' outputs."""
    fused: list[str] = [name for name in _FUSED if name in config.targets]
    found: dict[str, tuple[nn.Linear, Rows]] = {}
    blocks = len(sam.image_encoder.blocks) if hasattr(sam.image_encoder, "blocks") else 0
    first = max(0, blocks - (config.blocks or blocks))
    for index in range(first, blocks):
        block, prefix = sam.image_encoder.blocks[index], f"image_encoder.blocks.{index}"
        if fused:
            width = block.attn.qkv.out_features // 3
            starts = {name: _FUSED.index(name) * width for name in fused}
            rows: Rows = {name: slice(start, start + width) for name, start in starts.items()}
            found[f"{prefix}.attn.qkv"] = block.attn.qkv, rows
        if "mlp" in config.targets:
            for part in ("lin1", "lin2"):
                layer = getattr(block.mlp, part)
                found[f"{prefix}.mlp.{part}"] = layer, {_WHOLE: slice(0, layer.out_features)}
    if "decoder" in config.targets:
        for name, layer in sam.mask_decoder.transformer.named_modules():
            if name.rpartition(".")[2] in _DECODER_PROJECTIONS:
                full = f"mask_decoder.transformer.{name}"
                found[full] = layer, {_WHOLE: slice(0, layer.out_features)}
    if not found:
        raise TrainingError(
            tr(
                "The model has no layers for LoRA on {targets}: its encoder has no attention "
                "blocks. Set lora.targets to decoder, or train other parts.",
                targets=", ".join(config.targets),
            )
        )
    too_high = [n for n, (layer, _) in found.items() if config.rank > layer.in_features // 2]
    if too_high:
        raise TrainingError(
            tr(
                "A LoRA of rank {rank} holds more numbers than {layer} itself, which is {width} "
                "wide. Set lora.rank to a small number, such as 8.",
                rank=config.rank,
                layer=too_high[0],
                width=found[too_high[0]][0].in_features,
            )
        )
    return found


def scale_adapters(tensors: Mapping[str, Tensor], config: LoraConfig) -> dict[str, Tensor]:
    """Return tensors with adapters as a weights file holds them, the scale in B."""
    return _times(tensors, (config.alpha or config.rank) / config.rank)


def unscaled(tensors: Mapping[str, Tensor], config: LoraConfig) -> dict[str, Tensor]:
    """Undo `scaled`."""
    return _times(tensors, config.rank / (config.alpha or config.rank))


def _times(tensors: Mapping[str, Tensor], scale: float) -> dict[str, Tensor]:
    return {
        name: tensor.detach() * scale if ".lora_B." in name else tensor
        for name, tensor in tensors.items()
    }


def adapted_weight(name: str) -> str | None:
    """Return the name of the weight that an adapter's tensor changes; None for other tensors."""
    found = _ADAPTER.match(name)
    return f"{found['layer']}.weight" if found else None


def merged(tensors: Mapping[str, Tensor], base: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return plain tensors of a SAM: adapters added to the weights they belong to.

    Args:
        tensors: of a weights file, by name; those that are no adapters stay as they are.
        base: the base model's tensors, of which those adapted are looked up.

    Raises:
        CheckpointError: an adapter's other half is missing, or it does not fit the model.

    """
    plain = {name: tensor for name, tensor in tensors.items() if adapted_weight(name) is None}
    for name, down in tensors.items():
        found = _ADAPTER.match(name)
        if found is None or found["matrix"] == "B":
            continue
        layer, part = found["layer"], found["name"]
        target, up = f"{layer}.weight", tensors.get(f"{layer}.lora_B.{part}")
        if up is None or target not in base:
            raise CheckpointError(
                tr("These weights do not fit: {name} has nothing to belong to.", name=name)
            )
        weight = plain.get(target, base[target]).detach().float().clone()
        rows = weight.shape[0] // 3
        start = _FUSED.index(part) * rows if part in _FUSED else 0
        stop = start + rows if part in _FUSED else weight.shape[0]
        delta = up.to(weight) @ down.to(weight)
        if delta.shape != weight[start:stop].shape:
            raise CheckpointError(
                tr(
                    "These weights do not fit: {name} makes a delta of {shape}, {target} wants "
                    "{wanted}.",
                    name=name,
                    shape=tuple(delta.shape),
                    target=target,
                    wanted=tuple(weight[start:stop].shape),
                )
            )
        weight[start:stop] += delta
        plain[target] = weight
    return plain
