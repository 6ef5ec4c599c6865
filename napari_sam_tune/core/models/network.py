"""A base model as all other rooms know it: what it takes, what it answers, and none of its parts.

Kinds of encoders differ here and in their own modules alone. A base whose parts are not those of
segment-anything's `Sam` is a subclass of `Network` that `LoadedModel.network` hands out.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from napari_sam_tune.core.errors import CheckpointError
from napari_sam_tune.core.models import starter_pyramid
from napari_sam_tune.core.models.starter import PaintingPromptEncoder
from napari_sam_tune.core.models.trunk import NECK, Halves, in_halves

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from segment_anything.modeling import Sam

    State = Mapping[str, Tensor]

PADDING, NEGATIVE, POSITIVE, TOP_LEFT, BOTTOM_RIGHT = -1, 0, 1, 2, 3
"""Kinds of a prompt's tokens, as segment-anything numbers them."""
_ENCODER: Final = "image_encoder."
_LIGHT: Final = 3e12
"""Parameters times pixels of the input up to which an encoder is run freely on a CPU, in training
too: the starter (1.4e12) takes .4 s an image, MobileSAM (6.4e12) 2.3 s, ViT-B (9.4e13) ten."""


class Network:
    """A SAM with the weights, the input size and the device it has when it is asked.

    Args:
        sam: the model.

    Attributes:
        sam: see above; for what treats it as a torch module, or is made for segment-anything's.

    """

    def __init__(self, sam: Sam) -> None:
        self.sam = sam

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return torch.device(self.sam.device)

    def to(self, device: torch.device, *, encoder: bool) -> None:
        """Move it to a device, its image encoder only if asked to."""
        parts = [self.sam] if encoder else [self.sam.prompt_encoder, self.sam.mask_decoder]
        for module in parts:
            module.to(device)

    @property
    def side(self) -> int:
        """Side of the square, padded input, in px."""
        return int(self.sam.image_encoder.img_size)

    @property
    def embedding_shape(self) -> tuple[int, int, int]:
        """(C, rows, columns) of an image's embedding."""
        rows, columns = self.sam.prompt_encoder.image_embedding_size
        return int(self.sam.prompt_encoder.embed_dim), int(rows), int(columns)

    @property
    def logits_side(self) -> int:
        """Rows, and columns, of logits and of the mask input."""
        return int(self.sam.prompt_encoder.mask_input_size[0])

    @property
    def mask_threshold(self) -> float:
        """Of logits: what lies above it belongs to the object."""
        return float(self.sam.mask_threshold)

    @property
    def input_format(self) -> dict[str, Any]:
        """What its encoder takes, as weights files say it."""
        return {
            "pixel_mean": self.sam.pixel_mean.flatten().tolist(),
            "pixel_std": self.sam.pixel_std.flatten().tolist(),
            "input_size": self.side,
        }

    @property
    def is_light(self) -> bool:
        """Whether encoding an image costs so little that a CPU does it while the person waits."""
        parameters: int = sum(p.numel() for p in self.sam.image_encoder.parameters())
        return parameters * self.side**2 <= _LIGHT

    def encoder_state(self) -> dict[str, Tensor]:
        """Return the image encoder's tensors by their names in the SAM; not copied."""
        state: dict[str, Tensor] = self.sam.image_encoder.state_dict(prefix=_ENCODER)
        return state

    # ---------------------------------------------------------------- encoding

    def preprocess(self, pixels: Tensor) -> Tensor:
        """Normalise (B, 3, h, w) RGB from 0 to 255, resized already, and pad: (B, 3, S, S)."""
        framed: Tensor = self.sam.preprocess(pixels.to(self.device))
        return framed

    def encode(self, framed: Tensor) -> Tensor:
        """Return the embeddings (B, C, rows, columns) of preprocessed pixels."""
        features: Tensor = self.sam.image_encoder(framed)
        return features

    def encode_in_stages(self, framed: Tensor) -> tuple[Tensor, dict[int, Tensor] | None]:
        """As `encode`, with what an ImageNet trunk saw on the way, by stride; None without one."""
        stages = self.trunk_stages(framed)
        if stages is None:
            return self.encode(framed), None
        return self.encode_from(stages), stages

    def trunk_stages(self, framed: Tensor) -> dict[int, Tensor] | None:
        """Return what an ImageNet trunk sees of preprocessed pixels, by stride; None without one.

        `encode_from` makes embeddings (B, C, rows, columns) of it.
        """
        return None if self._pyramid is None else self._pyramid.features(framed)

    def encode_from(self, stages: dict[int, Tensor]) -> Tensor:
        """Return the embeddings of what `trunk_stages` returned."""
        if self._pyramid is None:
            raise CheckpointError("This model's encoder has no ImageNet trunk to go on from.")
        return self._pyramid.embed(stages)

    def in_halves(self, learning: Iterable[str]) -> Halves | None:
        """Cut the encoder where what learns begins; see `trunk.in_halves`."""
        return in_halves(self.sam.image_encoder, learning)

    @property
    def _pyramid(self) -> starter_pyramid.PyramidEncoder | None:
        encoder = self.sam.image_encoder
        return encoder if isinstance(encoder, starter_pyramid.PyramidEncoder) else None

    def has_imagenet_trunk(self, encoder: State) -> bool:
        """Whether its encoder, with these tensors, begins with what pixels are classified by."""
        return self._pyramid is not None and starter_pyramid.has_imagenet_trunk(encoder)

    def is_of_trunk(self, name: str) -> bool:
        """Whether a tensor of the SAM belongs to that network."""
        return name.startswith(starter_pyramid.TRUNK)

    @property
    def stages_before_neck(self) -> tuple[int, ...]:
        """Channels of the stages that `before_neck` gives side by side; none where it does not."""
        return () if self._pyramid is None else starter_pyramid.SIDE_BY_SIDE

    def before_neck(self, pixels: Tensor, encoder: State | None = None) -> Tensor:
        """Return what a neck of one's own may be trained on: (B, C, h, w) float32.

        For SAM's ViT that is what its own neck is given, the tokens after the last block, C = 768
        in ViT-B; for an encoder with an ImageNet trunk that trunk's stages, see
        `PyramidEncoder.side_by_side`.

        Args:
            pixels: (B, 3, h, w) of the encoder's input, 0 to 255, not yet padded.
            encoder: tensors by name in the SAM to use in place of the encoder's own.

        """
        framed, state = self.preprocess(pixels), encoder or {}
        if (pyramid := self._pyramid) is not None:
            trunk = starter_pyramid.TRUNK
            own = {n.removeprefix(trunk): t for n, t in state.items() if n.startswith(trunk)}
            return pyramid.side_by_side(framed, own).float()
        seen: list[Tensor] = []

        def keep(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            seen.append(given[0])

        tensors = {name.removeprefix(_ENCODER): tensor for name, tensor in state.items()}
        hook = self.sam.image_encoder.neck.register_forward_pre_hook(keep)
        try:
            torch.func.functional_call(self.sam.image_encoder, tensors, (framed,))
        finally:
            hook.remove()
        return seen[0].float()

    def neck_with(self, encoder: State) -> nn.Module:
        """Return a copy of the encoder's neck that may learn, with these tensors in it."""
        neck: nn.Module = copy.deepcopy(self.sam.image_encoder.neck)
        with torch.no_grad():
            for name, parameter in neck.named_parameters():
                parameter.copy_(encoder[f"{NECK}{name}"])
                parameter.grad = None
                parameter.requires_grad_(True)
        return neck

    # ---------------------------------------------------------------- decoding

    def positions(self) -> Tensor:
        """Return (1, C, rows, columns) of the embedding's cells, as the decoder takes them."""
        positions: Tensor = self.sam.prompt_encoder.get_dense_pe()
        return positions

    def decode(
        self,
        features: Tensor,
        positions: Tensor,
        points: tuple[Tensor, Tensor] | None,
        box: Tensor | None,
        mask_input: Tensor | None,
        *,
        several: bool,
    ) -> tuple[Tensor, Tensor]:
        """Answer a prompt about an image, as segment-anything does: one answer, or three.

        Takes (1, C, rows, columns) twice; points (1, T, 2) as (x, y) in the encoder's input, and
        labels (1, T); a box (1, 4) there; (1, 1, h, h) logits. Returns logits (1, K, h, h) and
        predicted IoU (1, K).
        """
        sparse, dense = self.sam.prompt_encoder(points=points, boxes=box, masks=mask_input)
        logits, ious = self.sam.mask_decoder(
            image_embeddings=features,
            image_pe=positions,
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=several,
        )
        return logits, ious

    def decode_tokens(
        self,
        features: Tensor,
        positions: Tensor,
        coords: Tensor,
        kinds: Tensor,
        mask_inputs: Tensor | None = None,
        has_mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Answer N prompts of T tokens each about one image, in one call of the decoder.

        Takes (1, C, rows, columns) twice; (N, T, 2) as (x, y) in the encoder's input and (N, T),
        see `PADDING`; (N, 1, h, h) logits, and (N,) bool, which of them to use: None uses all.
        Returns logits (N, 4, h, h) and predicted IoU (N, 4) of all mask tokens.
        """
        dense = self._dense(coords, kinds, mask_inputs)
        if mask_inputs is not None and has_mask is not None:
            without = self._dense(coords, kinds, None)
            dense = torch.where(has_mask[:, None, None, None], dense, without)
        logits, ious = self.sam.mask_decoder.predict_masks(
            image_embeddings=features,
            image_pe=positions,
            sparse_prompt_embeddings=self._sparse(coords, kinds),
            dense_prompt_embeddings=dense,
        )
        return logits, ious

    @property
    def paints(self) -> bool:
        """Whether it draws clicks and boxes into the mask input."""
        return isinstance(self.sam.prompt_encoder, PaintingPromptEncoder)

    def _dense(self, coords: Tensor, kinds: Tensor, mask_inputs: Tensor | None) -> Tensor:
        """Return dense embeddings (N, C, rows, columns)."""
        encoder = self.sam.prompt_encoder
        if self.paints:
            embedded: Tensor = encoder.dense(coords, kinds, mask_inputs)
        elif mask_inputs is not None:
            embedded = encoder.mask_downscaling(mask_inputs)
        else:
            nothing = encoder.no_mask_embed.weight.reshape(1, -1, 1, 1)
            embedded = nothing.expand(len(coords), -1, *encoder.image_embedding_size)
        return embedded

    def _sparse(self, coords: Tensor, kinds: Tensor) -> Tensor:
        """Return sparse embeddings (N, T, C)."""
        encoder = self.sam.prompt_encoder
        # + 0.5: segment-anything moves positions to the centre of the pixel
        embedded = encoder.pe_layer.forward_with_coords(coords + 0.5, encoder.input_image_size)
        embedded = embedded.masked_fill((kinds == PADDING)[..., None], 0.0)
        layers = [*encoder.point_embeddings, encoder.not_a_point_embed]
        offsets = torch.cat([layer.weight for layer in layers])
        # PADDING is -1, which is the last of the offsets
        tokens: Tensor = embedded + offsets[kinds]
        return tokens
