"""A SAM as two graphs of plain tensors, for programs without this code: ONNX or `torch.export`.

The encoder takes an image as it is, the decoder what segment-anything's own ONNX decoder takes
(`segment_anything.utils.onnx.SamOnnxModel`), with the same names, so that what reads the one reads
the other. It answers with all four masks: the first is for prompts of several clicks or a box, the
others are the candidates for a single click.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import torch
from segment_anything.utils.onnx import SamOnnxModel
from torch import Tensor, nn
from torch.nn import functional

from napari_sam_tune.core.errors import CheckpointError
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from pathlib import Path

    from torch.export import ExportedProgram

    from napari_sam_tune.core.models.network import Network

ENCODER_INPUTS: Final = ("image",)
ENCODER_OUTPUTS: Final = ("image_embeddings",)
DECODER_INPUTS: Final = (
    "image_embeddings",
    "point_coords",
    "point_labels",
    "mask_input",
    "has_mask_input",
    "orig_im_size",
)
DECODER_OUTPUTS: Final = ("masks", "iou_predictions", "low_res_masks")
MOST_POINTS: Final = 1024
_LARGEST_IMAGE: Final = 1 << 16


class EncoderGraph(nn.Module):
    """Preprocessing and image encoder.

    (1, 3, H, W) float32 RGB from 0 to 255, its longest side resized to the model's input size
    already, to (1, C, h, w).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.encoder = network.sam.image_encoder
        self.side = network.side
        self.register_buffer("mean", network.sam.pixel_mean)
        self.register_buffer("std", network.sam.pixel_std)

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        height, width = image.shape[-2:]
        normal = (image - self.mean) / self.std
        embedding: Tensor = self.encoder(
            functional.pad(normal, (0, self.side - width, 0, self.side - height))
        )
        return embedding


class DecoderGraph(SamOnnxModel):  # type: ignore[misc]
    """segment-anything's prompt encoder and decoder, for the starter's prompt encoder too.

    Inputs, by `DECODER_INPUTS`: (1, C, h, w); (1, N, 2) as (x, y) in px of the encoder's input;
    (1, N): 1 and 0 for clicks inside and outside, 2 and 3 for a box's corners, -1 for padding, of
    which there must be one where there is no box; (1, 1, 4h, 4w) logits; (1,), 1 where they count;
    (2,), the image's height and width. All are float32.

    Outputs, by `DECODER_OUTPUTS`: (1, 4, H, W) logits at the image's size; (1, 4); (1, 4, 4h, 4w).
    """

    def __init__(self, network: Network) -> None:
        super().__init__(network.sam, return_single_mask=False)
        # without the image encoder, whose weights `torch.export` would save along
        self.model = nn.ModuleDict({"prompt_encoder": network.sam.prompt_encoder})
        self.paints = network.paints

    def forward(
        self,
        image_embeddings: Tensor,
        point_coords: Tensor,
        point_labels: Tensor,
        mask_input: Tensor,
        has_mask_input: Tensor,
        orig_im_size: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See the class."""
        encoder: Any = self.model.prompt_encoder
        if self.paints:
            dense = encoder.dense_in_graph(point_coords, point_labels, mask_input, has_mask_input)
        else:
            dense = self._embed_masks(mask_input, has_mask_input)
        masks, ious = self.mask_decoder.predict_masks(
            image_embeddings=image_embeddings,
            image_pe=encoder.get_dense_pe(),
            sparse_prompt_embeddings=self._embed_points(point_coords, point_labels),
            dense_prompt_embeddings=dense,
        )
        return self.mask_postprocessing(masks, orig_im_size), ious, masks

    def mask_postprocessing(self, masks: Tensor, orig_im_size: Tensor) -> Tensor:
        """As segment-anything's, in words that `torch.export` can follow."""
        side = self.img_size
        framed = functional.interpolate(masks, (side, side), mode="bilinear", align_corners=False)
        height, width = _sizes(self.resize_longest_image_size(orig_im_size, side), side)
        return functional.interpolate(
            framed[..., :height, :width],
            _sizes(orig_im_size.to(torch.int64), _LARGEST_IMAGE),
            mode="bilinear",
            align_corners=False,
        )


def _sizes(lengths: Tensor, most: int) -> tuple[int, int]:
    """Read (height, width) out of a tensor, and promise the tracer what they can be."""
    height: Any = lengths[0].item()
    width: Any = lengths[1].item()
    for length in (height, width):
        torch._check(length >= 1)
        torch._check(length <= most)
    return height, width


def encoder_program(network: Network) -> ExportedProgram:
    """Trace the encoder, for images of every shape."""
    side = network.side
    example = torch.zeros(1, 3, side // 2, side - side // 4)
    height, width = (torch.export.Dim(name, min=2, max=side) for name in ("height", "width"))
    with torch.no_grad():
        return torch.export.export(
            EncoderGraph(network).eval(), (example,), dynamic_shapes=({2: height, 3: width},)
        )


def decoder_program(network: Network) -> ExportedProgram:
    """Trace prompt encoder and decoder, for any number of points up to `MOST_POINTS`."""
    channels, height, width = network.embedding_shape
    points = torch.export.Dim("num_points", min=1, max=MOST_POINTS)
    example = (
        torch.zeros(1, channels, height, width),
        torch.zeros(1, 3, 2),
        torch.ones(1, 3),
        torch.zeros(1, 1, 4 * height, 4 * width),
        torch.zeros(1),
        torch.tensor([float(network.side)] * 2),
    )
    with torch.no_grad():
        return torch.export.export(
            DecoderGraph(network).eval(),
            example,
            dynamic_shapes=(None, {1: points}, {1: points}, None, None, None),
        )


def write_onnx(network: Network, encoder: Path, decoder: Path) -> None:
    """Write both graphs as ONNX, opset 18; above 1.5 GB weights go into a file beside.

    Raises:
        CheckpointError: ONNX is not installed.

    """
    try:
        for package in ("onnx", "onnxscript"):  # torch imports them by itself
            import_module(package)
    except ImportError as error:
        raise CheckpointError(
            tr('ONNX is not installed: pip install "napari-sam-tune[onnx]".')
        ) from error
    for program, inputs, outputs, path in (
        (encoder_program(network), ENCODER_INPUTS, ENCODER_OUTPUTS, encoder),
        (decoder_program(network), DECODER_INPUTS, DECODER_OUTPUTS, decoder),
    ):
        exported = torch.onnx.export(
            program,
            dynamo=True,
            input_names=list(inputs),
            output_names=list(outputs),
            opset_version=18,
            verbose=False,
        )
        exported.save(path)  # type: ignore[union-attr]


def write_exported(network: Network, encoder: Path, decoder: Path) -> None:
    """Write both graphs as `torch.export` does (`.pt2`), which `torch.export.load` reads."""
    torch.export.save(encoder_program(network), encoder)
    torch.export.save(decoder_program(network), decoder)
