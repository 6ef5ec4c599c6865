"""An encoder that works on a server: clicks are answered here, from what was encoded there.

Encoding is nearly all of a model's work, and needed once for an image or a window; so no network
lies between a click and its mask, and one that breaks keeps nobody from clicking. While the server
cannot be reached, which its connection tells, images are encoded on this computer.
"""

from __future__ import annotations

import io
from dataclasses import asdict
from time import monotonic
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.numpy import load

from napari_sam_tune.core.answers.encoding import Begun, Encoder, View
from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.images.rgb_source import RgbSource, rgb_source, whole_image
from napari_sam_tune.core.models.base import BASE_VERSION
from napari_sam_tune.core.models.weights_file import content_version, pack_weights
from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.service.connection import ServerGone, ServerRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam_tune.core.answers.predictor import Predictor
    from napari_sam_tune.core.geometry.windows import Window
    from napari_sam_tune.service.connection import Connection

AGAIN_SECONDS: Final = 5.0
"""A server that was not reached, or was too busy, is left alone for so long."""
_BUSY: Final = frozenset({429, 503, 504, 507})
_TO_MEND: Final = frozenset({"token_missing", "token_wrong", "other_model"})
"""What somebody has to mend; until then images are encoded here."""


class RemoteEncoder(Encoder):
    """Has images encoded on a server, and on this computer while that cannot be.

    Args:
        connection: to the server.
        predictor: whose encoder this is to be.

    Raises:
        ServerRefused: the server cannot be asked.
        SamTuneError: the server has another base model; or is none of this program.

    """

    def __init__(self, connection: Connection, predictor: Predictor) -> None:
        super().__init__(predictor.network)
        self._connection, self._predictor = connection, predictor
        self._is_fast_there, self._again = predictor.network.is_light, 0.0
        try:
            there = connection.describe()
        except ServerGone:  # nobody is kept from a project by it; whichever comes back is checked
            self._again = monotonic() + AGAIN_SECONDS
        else:
            if there.base_sha256 != predictor.ref.sha256:
                raise _other_model(connection.address, there.base, predictor.ref.name)
            self._is_fast_there |= there.device != "cpu"
        self._kept: tuple[Mapping[str, Tensor], str] = ({}, BASE_VERSION)

    @property
    def is_fast(self) -> bool:
        """See `Encoder.is_fast`; on the server."""
        return self._is_fast_there

    def encode(
        self,
        image: NDArray[np.uint8] | RgbSource,
        window: Window | None = None,
        *,
        keeps_stages: bool = False,
    ) -> View:
        """See `Encoder.encode`; what an ImageNet trunk saw is kept by this computer alone.

        Raises:
            ServerRefused: the server will not, and asking again would not help.

        """
        if monotonic() >= self._again:
            try:
                source = rgb_source(image)
                view = self._encode_there(source, window or whole_image(source))
                self._connection.tell_refused(None)
                return view
            except ServerGone:
                self._again = monotonic() + AGAIN_SECONDS
            except ServerRefused as refused:
                if refused.error not in _TO_MEND and refused.status not in _BUSY:
                    raise
                self._again = monotonic() + AGAIN_SECONDS
                if refused.error in _TO_MEND:
                    self._connection.tell_refused(str(refused))
                else:
                    self._connection.tell_reached(False)
        return super().encode(image, window, keeps_stages=keeps_stages)

    def begin(self, source: RgbSource, window: Window) -> Begun | None:
        """Nothing is begun here: the server would not go on from it."""
        return None

    def _encode_there(self, source: RgbSource, window: Window) -> View:
        pixels = self.window_pixels(source, window)
        file = io.BytesIO()
        Image.fromarray(pixels[0].permute(1, 2, 0).numpy()).save(file, "PNG", compress_level=1)
        version = self._version_there()
        try:
            features = self._embedded(file.getvalue(), version)
        except ServerRefused as refused:
            if refused.error != "weights_unknown":
                raise
            self._send_weights(version)
            features = self._embedded(file.getvalue(), version)
        return self.view(self.frame(window), features.to(self._network.device), pixels)

    def _embedded(self, png: bytes, version: str) -> Tensor:
        """Return (1, C, rows, columns) float32."""
        answer = self._connection.ask(
            "POST",
            "/v1/embeddings",
            content=png,
            params={"weights": version, "base": self._predictor.ref.sha256},
        )
        wanted = self._network.embedding_shape
        try:
            features = load(answer.content)["features"]
        except (SafetensorError, LookupError) as error:
            raise _no_features(self._connection.address) from error
        if features.shape != wanted or features.dtype != np.float16:
            raise _no_features(self._connection.address)
        return torch.from_numpy(features).float()[None]

    def _version_there(self) -> str:
        """Return what the encoder in use is called on the server."""
        tensors = self._predictor.weights.tuned_encoder
        if not tensors:
            return BASE_VERSION
        kept, version = self._kept
        if kept.keys() != tensors.keys() or any(kept[n] is not t for n, t in tensors.items()):
            version = content_version(tensors)
            self._kept = tensors, version
        return version

    def _send_weights(self, version: str) -> None:
        tensors, _ = self._kept
        content = pack_weights(tensors, {"base": asdict(self._predictor.ref)})
        self._connection.ask("PUT", f"/v1/weights/{version}", content=content)


def _no_features(address: str) -> SamTuneError:
    return SamTuneError(
        tr(
            "The server {address} sent no features of this model; it may be of another release.",
            address=address,
        )
    )


def _other_model(address: str, there: str, here: str) -> SamTuneError:
    return SamTuneError(
        tr(
            "The server {address} has the model {there}, and this project is for {here}. Start the "
            "server with that one, or choose it here.",
            address=address,
            there=there,
            here=here,
        )
    )
