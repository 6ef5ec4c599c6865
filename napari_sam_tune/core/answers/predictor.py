"""The only live SAM: encodes images, answers prompts, takes new weights while in use.

On a fresh embedding the masks, IoU estimates and logits equal `segment_anything.SamPredictor`'s
bit for bit; embeddings from the cache are fp16 (largest relative error 2⁻¹¹ per feature), which
moves logits by about 0.01 and so flips only mask pixels whose logit is that close to zero. Tuned
weights that say which surfaces they know (`images.surfaces`) answer on those alone. What goes
beyond segment-anything is all only when asked for: priors add what is known to the model's logits,
refiners make answers keep to what was said, `look_closer` answers from a crop around a small object
(`zoom`). `answers.chain` says which of them there are, and puts them together.
"""

from __future__ import annotations

import hashlib
import warnings
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from napari_sam_tune.core.answers.kriging import HeedClicks
from napari_sam_tune.core.answers.links import Asked
from napari_sam_tune.core.answers.zoom import holds, moved, window_for
from napari_sam_tune.core.errors import CheckpointError, ImageError, SamTuneError
from napari_sam_tune.core.geometry.views import (
    View,
    half_pixel,
    in_frame,
    mask_to_logits,
    resized_shape,
    shades_of,
)
from napari_sam_tune.core.geometry.windows import Window, shape_of, whole
from napari_sam_tune.core.images.files import to_rgb8
from napari_sam_tune.core.images.surfaces import FamiliarSurfaces, describe
from napari_sam_tune.core.models.base import BASE_VERSION
from napari_sam_tune.core.models.checkpoints import (
    LoadedModel,
    has_light_encoder,
    load_model,
    resolve_device,
)
from napari_sam_tune.core.models.lora import merged
from napari_sam_tune.core.models.weights_file import check_weights, content_version
from napari_sam_tune.core.prompts import Prompt, Proposal
from napari_sam_tune.core.storage.embeddings import Embedding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray
    from segment_anything.modeling import Sam
    from torch import Tensor

    from napari_sam_tune.core.answers.links import Prior, Refiner
    from napari_sam_tune.core.models.base import BaseRef
    from napari_sam_tune.core.recall.recalled import Recalled

    Mask = NDArray[np.bool_]
    Shape = tuple[int, int]

PREPROCESSING_VERSION: Final = 1
"""Raised when `to_rgb8` or the resizing changes what the encoder sees: old embeddings go stale."""
_VIEWS: Final = 4
"""Crops of the open image that stay encoded: the person goes back and forth between objects."""

_BASE_ENCODERS: Final[dict[str, str]] = {}
"""Content of each base file's encoder, by the file's SHA-256."""


@dataclass(frozen=True, eq=False)
class _Weights:
    """Weights that may be put into the model.

    Attributes:
        version: what proposals will say answered them.
        tensors: in place of the base model's, adapters merged.
        encoder: content of those of the encoder; "" is the base's encoder.
        surfaces: those they are for; None for all.

    """

    version: str
    tensors: Mapping[str, Tensor]
    encoder: str
    surfaces: FamiliarSurfaces | None

    def are_for(self, rgb: NDArray[np.uint8]) -> bool:
        """Whether an (H, W, 3) image is theirs to answer about."""
        return self.surfaces is None or self.surfaces.include(describe(rgb))


_BASE_WEIGHTS: Final = _Weights(BASE_VERSION, {}, "", None)


class Predictor:
    """A SAM, the image that is open in it, and the weights in use.

    Not thread-safe: one thread owns it.

    Args:
        model: what `load_model` returned.

    """

    def __init__(self, model: LoadedModel) -> None:
        self.sam: Sam = model.sam
        self.ref: BaseRef = model.ref
        self._base: dict[str, Tensor] = {}  # the base model's values of whatever was ever replaced
        self._loaded = _BASE_WEIGHTS
        self._inside = _BASE_WEIGHTS  # what the model holds: what was loaded, or the base's
        self._image: NDArray[np.uint8] | None = None  # (H, W, 3), the open image
        self._whole: View | None = None
        self._closer: OrderedDict[Window, View] = OrderedDict()
        self._positions: Tensor | None = None

    @classmethod
    def from_checkpoint(
        cls,
        name_or_path: str | Path,
        device: str | torch.device = "auto",
        *,
        download: bool = False,
    ) -> Predictor:
        """Load a base model by name ("starter", "vit_b", …) or path; see `load_model`."""
        return cls(load_model(name_or_path, resolve_device(device), download=download))

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        return torch.device(self.sam.device)

    @property
    def encodes_fast(self) -> bool:
        """Whether an image takes well under a second: on a GPU, or with a light encoder."""
        return self.device.type != "cpu" or has_light_encoder(self.sam)

    @property
    def loaded_version(self) -> str:
        """The weights last loaded, or "base"."""
        return self._loaded.version

    @property
    def weights_version(self) -> str:
        """The weights that answer: those loaded, or "base" where they do not know the surface."""
        return self._inside.version

    @property
    def encoder_key(self) -> str:
        """What an embedding depends on besides the image: encoder weights and preprocessing.

        16 hex digits, of the weights that answer. A decoder hot swap leaves it as it is.
        """
        return self._encoder_key(self._inside.encoder)

    def encoder_key_for(self, image: ArrayLike) -> str:
        """What `encoder_key` would be with this image open.

        Args:
            image: (H, W[, C]) array as `to_rgb8` takes it.

        Raises:
            ImageError: not an image.

        """
        return self._encoder_key(self._weights_for(to_rgb8(np.asarray(image))).encoder)

    def encoder_key_with(self, tensors: Mapping[str, Tensor]) -> str:
        """What `encoder_key` would be with these tensors in the model; nothing is loaded."""
        return self._encoder_key(_encoder_version(tensors))

    def _encoder_key(self, version: str) -> str:
        # hashing a ViT-H takes seconds, so each file's encoder is hashed once a process
        if self.ref.sha256 not in _BASE_ENCODERS:
            _BASE_ENCODERS[self.ref.sha256] = content_version(self.base_encoder())
        base = _BASE_ENCODERS[self.ref.sha256]
        parts = f"{base}+{version}+{self.input_side}+{PREPROCESSING_VERSION}"
        return hashlib.sha256(parts.encode()).hexdigest()[:16]

    @property
    def has_image(self) -> bool:
        """Whether an image is open; a swap of the encoder closes it."""
        return self._whole is not None

    @property
    def image_shape(self) -> Shape:
        """(H, W) of the open image.

        Raises:
            SamTuneError: no image is open.

        """
        return self._open_view().shape

    @property
    def input_side(self) -> int:
        """Side of the square, padded encoder input, in px."""
        return int(self.sam.image_encoder.img_size)

    def embed(self, image: ArrayLike) -> Embedding:
        """Encode an image for the cache; the open image stays open.

        Args:
            image: (H, W[, C]) array as `to_rgb8` takes it.

        Raises:
            ImageError: not an image.

        """
        rgb = to_rgb8(np.asarray(image))
        with self._lent(self._weights_for(rgb)):
            return _for_the_cache(self._encode(rgb, whole((rgb.shape[0], rgb.shape[1]))))

    @property
    def embedding(self) -> Embedding:
        """The open image's embedding, for the cache.

        Raises:
            SamTuneError: no image is open.

        """
        return _for_the_cache(self._open_view())

    def set_image(self, image: ArrayLike, embedding: Embedding | None = None) -> None:
        """Open an image; the next prompts are about it.

        Args:
            image: (H, W[, C]) array as `to_rgb8` takes it.
            embedding: of the same image under its `encoder_key_for`, from the cache; the encoder
                is not run then.

        Raises:
            ImageError: not an image, or the embedding is of one of another size.

        """
        rgb = to_rgb8(np.asarray(image))
        shape = (rgb.shape[0], rgb.shape[1])
        weights = self._weights_for(rgb)
        if embedding is not None:
            view = self._restored(embedding, rgb)
        else:
            with self._lent(weights):  # should it not open, the image before stays open
                view = self._encode(rgb, whole(shape))
        self._put_inside(weights)
        self._image, self._whole = rgb, view
        self._closer.clear()

    @contextmanager
    def aside(self, image: ArrayLike, embedding: Embedding | None = None) -> Iterator[None]:
        """Have another image open for a while; the one before comes back as it was.

        Args:
            image: as in `set_image`.
            embedding: as in `set_image`.

        Raises:
            ImageError: as `set_image`.

        """
        kept = self._image, self._whole, self._closer
        inside, self._closer = self._inside, OrderedDict()
        try:
            self.set_image(image, embedding)
            yield
        finally:
            self._put_inside(inside)
            self._image, self._whole, self._closer = kept

    def propose(
        self,
        prompt: Prompt,
        previous: Proposal | None = None,
        *,
        priors: Sequence[Prior] = (),
        refiners: Sequence[Refiner] = (),
        heed: bool | None = None,
        recalled: Recalled | None = None,
    ) -> Proposal:
        """Answer a prompt about the open image.

        A single point, alone, is ambiguous: SAM's three candidates come back, best first.
        Anything more gets one. A mask in the prompt is the mask input (see `mask_to_logits`), and
        goes before the previous proposal's logits. A proposal that looked closer is corrected
        where it looked, as long as all that was said lies there.

        Args:
            prompt: the whole prompt; what lies over the image's edge is clipped.
            previous: the proposal being corrected; its chosen candidate's logits are fed back.
            priors: what is known beforehand, see `answers.chain`. An answer made with one that
                brings back accepted masks comes first; SAM's own three, of a single point, come
                after it, and once one of them was chosen no correction goes back to those masks.
            refiners: what the answer must keep to, in this order. With none, and no priors, the
                answer is SAM's own.
            heed: deprecated, `refiners=[HeedClicks()]` says the same.
            recalled: deprecated, `priors=[recalled]` says the same.

        Raises:
            SamTuneError: no image is open.
            PromptError: nothing of the prompt lies in the image.
            MaskError: the prompt's mask is not of the image's shape.

        """
        priors, refiners = _with_old_keywords(priors, refiners, heed, recalled)
        view = self._open_view()
        asked = prompt.clipped(view.shape)
        brought = next((prior for prior in priors if prior.annotations), None)
        if previous is not None and previous.is_recalled and brought is None:
            previous = None  # its logits speak of masks that are not meant after all
        elif previous is not None and not previous.is_recalled:
            brought = None
        general = [prior for prior in priors if not prior.annotations]
        window = previous.window if previous is not None and asked.mask is None else None
        if window is not None and holds(window, asked):
            view = self._view(window)
        mask_input = self._mask_input(asked, previous, view)
        # a click may confirm what was shown; a box that is new asks for something else
        has_new_box = previous is not None and previous.prompt.box != prompt.box
        corrected = mask_input if asked.mask is None and not has_new_box else None
        from_mask = asked.mask is not None or (previous is not None and previous.from_mask)
        drawn = mask_input if from_mask else None
        ambiguous = len(asked.points) == 1 and asked.box is None and mask_input is None
        ask = partial(self._decode, view, asked, refiners=refiners, corrected=corrected)
        with torch.inference_mode():
            answers = []
            if brought is not None:
                guess = mask_input
                if guess is None:
                    guess = brought.guess(view, self.input_side, self._logits_side)
                answers.append(ask(guess, priors=[brought], drawn=guess))
            if brought is None or ambiguous:
                logits, own, ious = ask(mask_input, ambiguous, priors=general, drawn=drawn)
                # the sort is stable, so ties keep SAM's order
                order = torch.argsort(ious[0], descending=True, stable=True)
                answers.append((logits[:, order], own[:, order], ious[:, order]))
            logits, own, ious = (torch.cat(parts, dim=1) for parts in zip(*answers, strict=True))
            masks = [self._full_size(view, logits[:, i : i + 1]) for i in range(logits.shape[1])]
            scores = ious[0].tolist()
        return Proposal(
            mask=masks[0],
            iou=scores[0],
            candidates=tuple(zip(masks, scores, strict=True)),
            prompt=prompt,
            logits=logits[0].cpu().numpy(),
            weights_version=self.weights_version,
            window=None if view is self._whole else view.window,
            recalled=() if brought is None else brought.annotations,
            own_logits=own[0].to("cpu", torch.float16).numpy(),
            from_mask=from_mask,
        )

    def look_closer(
        self,
        proposal: Proposal,
        *,
        priors: Sequence[Prior] = (),
        refiners: Sequence[Refiner] = (),
        heed: bool | None = None,
        recalled: Recalled | None = None,
    ) -> Proposal | None:
        """Answer a proposal's prompt once more, from a crop around the object if it is small.

        The proposal's logits go along as the mask input. Other candidates stay as they are.

        Args:
            proposal: about the open image, from the weights in use.
            priors: those the proposal was made with.
            refiners: as in `propose`.
            heed: deprecated, as in `propose`.
            recalled: deprecated, as in `propose`.

        Returns:
            The closer answer, or None where the proposal has looked closely enough.

        Raises:
            SamTuneError: no image is open.

        """
        priors, refiners = _with_old_keywords(priors, refiners, heed, recalled)
        open_view = self._open_view()
        current = proposal.window or open_view.window
        asked = proposal.prompt.clipped(open_view.shape)
        window = window_for(proposal.mask, asked, self.input_side, current)
        if window == current:
            return None
        view = self._view(window)
        brought = [p for p in priors if p.annotations and proposal.is_recalled]
        general = [prior for prior in priors if not prior.annotations]
        chosen, own_logits = proposal.chosen, None
        with torch.inference_mode():
            logits = self._moved(proposal, proposal.logits, view)
            coarse = logits[None, chosen : chosen + 1]
            answer, own, ious = self._decode(
                view,
                asked,
                coarse,
                priors=brought or general,
                refiners=refiners,
                drawn=coarse if proposal.from_mask or brought else None,
            )
            mask, iou = self._full_size(view, answer), float(ious[0, 0])
            logits[chosen] = answer[0, 0]
            if proposal.own_logits is not None:
                models = self._moved(proposal, proposal.own_logits, view)
                models[chosen] = own[0, 0]
                own_logits = models.to("cpu", torch.float16).numpy()
        candidates = list(proposal.candidates)
        candidates[chosen] = (mask, iou)
        return replace(
            proposal,
            mask=mask,
            iou=iou,
            candidates=tuple(candidates),
            logits=logits.cpu().numpy(),
            weights_version=self.weights_version,
            window=None if view is self._whole else window,
            own_logits=own_logits,
        )

    def load(
        self,
        tensors: Mapping[str, Tensor],
        version: str,
        surfaces: FamiliarSurfaces | None = None,
    ) -> None:
        """Hot swap: the base model with these tensors in place of its own.

        Parts an earlier swap replaced and this one does not go back to the base model. All or
        nothing. The open image's embedding stays, unless the encoder itself changes: then the
        image must be set again.

        Args:
            tensors: by name in the SAM's state dict, and adapters as `lora` names them.
            version: what proposals will say answered them.
            surfaces: images of others are answered by the base model; None: of none.

        Raises:
            CheckpointError: a tensor does not fit; the weights in use stay.

        """
        plain = self.plain(tensors)
        own = check_weights(self.sam, plain)
        for name, tensor in own.items():
            self._base.setdefault(name, tensor.detach().clone())
        self._swap(_Weights(version, plain, _encoder_version(tensors), surfaces))

    def extend(self, surfaces: FamiliarSurfaces) -> None:
        """Have the loaded weights answer on what leads on from their surfaces, from the next image.

        Weights that answer everywhere go on doing so. See `FamiliarSurfaces.grown`.
        """
        if self._loaded.surfaces is None:
            return
        weights = replace(self._loaded, surfaces=self._loaded.surfaces.grown(surfaces))
        if self._inside is self._loaded:
            self._inside = weights
        self._loaded = weights

    def plain(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the tensors of a weights file with its adapters merged into the base's weights.

        Raises:
            CheckpointError: an adapter does not fit the model.

        """
        return merged(tensors, {**self.sam.state_dict(), **self._base})

    def load_base(self) -> None:
        """Go back to the base model's weights."""
        self._swap(_BASE_WEIGHTS)

    def _swap(self, weights: _Weights) -> None:
        encoder = self._inside.encoder
        self._loaded = weights
        self._put_inside(weights if self._image is None else self._weights_for(self._image))
        if self._inside.encoder != encoder:
            self._whole = self._image = None
            self._closer.clear()

    def _weights_for(self, rgb: NDArray[np.uint8]) -> _Weights:
        """Return the weights that answer about an (H, W, 3) image."""
        return self._loaded if self._loaded.are_for(rgb) else _BASE_WEIGHTS

    def _put_inside(self, weights: _Weights) -> None:
        """Give the model's parameters their values; what was encoded before may be stale then."""
        if weights is self._inside:
            return
        current = dict(self.sam.state_dict(keep_vars=True))
        with torch.no_grad():
            for name, value in self._base.items():
                current[name].copy_(weights.tensors.get(name, value))
        self._positions = None
        self._inside = weights

    @contextmanager
    def _lent(self, weights: _Weights) -> Iterator[None]:
        """Have these weights' encoder for an image that is not the open one."""
        before = self._inside
        if weights.encoder == before.encoder:
            yield
            return
        self._put_inside(weights)
        try:
            yield
        finally:
            self._put_inside(before)

    def base_encoder(self) -> dict[str, Tensor]:
        """Return the base model's encoder by name, whatever is in use; not copied."""
        state = self.sam.image_encoder.state_dict(prefix="image_encoder.")
        return {name: self._base.get(name, tensor) for name, tensor in state.items()}

    def _open_view(self) -> View:
        if self._whole is None:
            raise SamTuneError("No image is open: call set_image first.")
        return self._whole

    def _view(self, window: Window) -> View:
        """Return a part of the open image as the encoder sees it, encoding it if need be."""
        open_view = self._open_view()
        if window == open_view.window:
            return open_view
        if window not in self._closer:
            y0, x0, y1, x1 = window
            crop = self._image[y0:y1, x0:x1]  # type: ignore[index]  # open together with the view
            self._closer[window] = self._encode(crop, window)
            while len(self._closer) > _VIEWS:
                self._closer.popitem(last=False)
        self._closer.move_to_end(window)
        return self._closer[window]

    def input_pixels(self, rgb: NDArray[np.uint8]) -> Tensor:
        """Resize (H, W, 3) uint8 to the encoder's input: (1, 3, h, w) uint8, not yet padded."""
        height, width = resized_shape((rgb.shape[0], rgb.shape[1]), self.input_side)
        small = Image.fromarray(rgb).resize((width, height), Image.Resampling.BILINEAR)
        return torch.from_numpy(np.array(small)).permute(2, 0, 1).contiguous()[None]

    def _encode(self, rgb: NDArray[np.uint8], window: Window) -> View:
        """Encode (H, W, 3) uint8, which is what `window` shows."""
        pixels = self.input_pixels(rgb)
        with torch.inference_mode():
            features = self.sam.image_encoder(self.sam.preprocess(pixels.to(self.device)))
        shades = self._shades(pixels)
        return View(window, (pixels.shape[2], pixels.shape[3]), features, shades)

    def _restored(self, embedding: Embedding, rgb: NDArray[np.uint8]) -> View:
        shape = rgb.shape[0], rgb.shape[1]
        encoder = self.sam.prompt_encoder
        wanted = (encoder.embed_dim, *encoder.image_embedding_size)
        if tuple(embedding.original_size) != shape or embedding.features.shape != wanted:
            raise ImageError(
                f"The embedding is of a {embedding.original_size} image with features "
                f"{embedding.features.shape}, but the image is {shape} and this model's features "
                f"are {wanted}; encode the image anew."
            )
        features = torch.from_numpy(np.ascontiguousarray(embedding.features)).to(self.device)
        shades = self._shades(self.input_pixels(rgb))
        return View(
            whole(shape), resized_shape(shape, self.input_side), features.float()[None], shades
        )

    def _shades(self, pixels: Tensor) -> Tensor:
        return shades_of(pixels, self.input_side, self._logits_side).to(self.device)

    def _mask_input(self, prompt: Prompt, previous: Proposal | None, view: View) -> Tensor | None:
        low_res = self._logits_side
        if prompt.mask is not None:
            logits = mask_to_logits(prompt.mask, self.input_side, low_res)
        elif previous is not None:
            logits = previous.logits[previous.chosen][None]
            if logits.shape != (1, low_res, low_res):
                raise CheckpointError(
                    f"The previous proposal's logits are {logits.shape[1:]}, made by another model "
                    f"than this one ({low_res}, {low_res}); propose without it."
                )
            if (previous.window or self._open_view().window) != view.window:
                chosen = previous.chosen
                return self._moved(previous, previous.logits, view)[None, chosen : chosen + 1]
        else:
            return None
        return torch.from_numpy(logits).to(self.device)[None]

    def _moved(
        self, proposal: Proposal, of_proposal: NDArray[np.floating[Any]], view: View
    ) -> Tensor:
        """Return a proposal's logits (K, h, h) as they would be in another view."""
        window = proposal.window or self._open_view().window
        source = window, resized_shape(shape_of(window), self.input_side)
        logits = torch.from_numpy(of_proposal).to(self.device)
        return moved(logits, source, (view.window, view.input), self.input_side)

    def _decode(
        self,
        view: View,
        prompt: Prompt,
        mask_input: Tensor | None,
        ambiguous: bool = False,
        *,
        priors: Sequence[Prior],
        refiners: Sequence[Refiner],
        corrected: Tensor | None = None,
        drawn: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (1, K, h, h) with priors and refined, the model's own, IoU (1, K): SAM's order."""
        points, box = self._points(view, prompt), self._box(view, prompt)
        sparse, dense = self.sam.prompt_encoder(points=points, boxes=box, masks=mask_input)
        if self._positions is None:
            self._positions = self.sam.prompt_encoder.get_dense_pe()
        own, ious = self.sam.mask_decoder(
            image_embeddings=view.features,
            image_pe=self._positions,
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=ambiguous,
        )
        logits = own
        for prior in priors:
            logits = prior.add(logits, view, self.input_side)
        if refiners:
            coords, labels = points or _nowhere(self.device)
            asked = Asked(
                side=self.input_side,
                clicks=coords + coords.new_tensor(half_pixel(view.shape, view.input)),
                labels=labels,
                box=box,
                painted=drawn,
                corrected=corrected,
                guide=_guide(priors, view, self.input_side, logits.shape[-1]),
            )
            for refiner in refiners:
                logits = refiner.refine(logits, asked)
        return logits, own, ious

    @property
    def _logits_side(self) -> int:
        """Of the low-resolution logits, in cells."""
        return int(self.sam.prompt_encoder.mask_input_size[0])

    def _points(self, view: View, prompt: Prompt) -> tuple[Tensor, Tensor] | None:
        if not prompt.points:
            return None
        labels = torch.tensor([prompt.labels], dtype=torch.int, device=self.device)
        return in_frame(view, np.array(prompt.points)).to(self.device)[None], labels

    def _box(self, view: View, prompt: Prompt) -> Tensor | None:
        if prompt.box is None:
            return None
        return in_frame(view, np.array(prompt.box).reshape(2, 2)).to(self.device).reshape(1, 4)

    def _full_size(self, view: View, logits: Tensor) -> Mask:
        """Scale (1, 1, h, w) logits up to the image and threshold them, as `postprocess_masks`.

        One candidate at a time: three floats for each pixel of an 8k × 8k image are 768 MB.
        """
        side = self.input_side
        framed = functional.interpolate(logits, (side, side), mode="bilinear", align_corners=False)
        cropped = framed[..., : view.input[0], : view.input[1]]
        full = functional.interpolate(cropped, view.shape, mode="bilinear", align_corners=False)
        drawn: Mask = (full[0, 0] > self.sam.mask_threshold).cpu().numpy()
        if view is self._whole:
            return drawn
        mask = np.zeros(self.image_shape, bool)
        y0, x0, y1, x1 = view.window
        mask[y0:y1, x0:x1] = drawn
        return mask


def _with_old_keywords(
    priors: Sequence[Prior],
    refiners: Sequence[Refiner],
    heed: bool | None,
    recalled: Recalled | None,
) -> tuple[Sequence[Prior], Sequence[Refiner]]:
    """Take `heed` and `recalled`, which went before priors and refiners, for one more release."""
    if heed is None and recalled is None:
        return priors, refiners
    warnings.warn(
        "Predictor: heed= and recalled= go with the next release; say refiners=[HeedClicks()] and "
        "priors=[recalled].",
        DeprecationWarning,
        stacklevel=3,
    )
    brought = [] if recalled is None else [recalled]
    return [*brought, *priors], [*([HeedClicks()] if heed else []), *refiners]


def _guide(priors: Sequence[Prior], view: View, side: int, size: int) -> Tensor | None:
    """What says which places of a view are alike: its shades, and the priors that can."""
    guides = [view.shades, *(prior.guide(view, side, size) for prior in priors)]
    known = [guide for guide in guides if guide is not None]
    return torch.cat(known, dim=1) if known else None


def _nowhere(device: torch.device) -> tuple[Tensor, Tensor]:
    """No click at all: (1, 0, 2) and (1, 0)."""
    return torch.zeros(1, 0, 2, device=device), torch.zeros(1, 0, device=device)


def _encoder_version(tensors: Mapping[str, Tensor]) -> str:
    """Name the content of swapped encoder tensors; "" where there are none: the base's encoder."""
    encoder = {n: t for n, t in tensors.items() if n.startswith("image_encoder.")}
    return content_version(encoder) if encoder else ""


def _for_the_cache(view: View) -> Embedding:
    half = view.features[0].to("cpu", torch.float16).numpy()
    return Embedding(features=half, original_size=view.shape, input_size=view.input)
