"""What a person can change in napari's Preferences; the manifest declares the page."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from napari.settings import get_plugin_settings

from napari_sam_tune.core.rounds.plan import MASKS_BETWEEN_ROUNDS
from napari_sam_tune.ui.canvas.keys import DEFAULT_KEYS

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)
_PLUGIN = "napari-sam-tune"
_PARTS: Final = {
    "automatic": (),
    "decoder": ("decoder",),
    "decoder and neck": ("decoder", "neck"),
    "LoRA": ("lora",),
    "whole model": ("whole",),
}
"""The choices of `what_learns` in the manifest."""


@dataclass(frozen=True)
class Preferences:
    """A snapshot of the settings; see `napari.yaml` for what each means."""

    preview_on_hover: bool = False
    drag_draws_box: bool = True
    keep_zoom: bool = False
    cover_neighbours: bool = False
    recall_masks: bool = True
    learn_at_every_accept: bool = True
    connected_parts: bool = True
    automatic_rounds: bool = True
    masks_per_round: int = MASKS_BETWEEN_ROUNDS
    what_learns: str = "automatic"
    offer_tour: bool = True
    keys: dict[str, str] = field(default_factory=lambda: dict(DEFAULT_KEYS))

    @property
    def parts(self) -> tuple[str, ...]:
        """What a round changes, as `TrainConfig.parts`; none where that is automatic."""
        return _PARTS[self.what_learns]


class PreferencesSource:
    """napari's settings of this plugin, read and watched.

    Where napari does not know the plugin (a checkout that is not installed, or one on Windows
    without symlinks) it says so in the log, and the defaults hold.
    """

    def __init__(self) -> None:
        try:
            self._settings: Any = get_plugin_settings(_PLUGIN)
        except KeyError:
            self._settings = None
            _log.warning(
                "napari does not know the plugin %s, so its page in Preferences is missing and the "
                "defaults hold. Install it (pip install -e .); on Windows, check that "
                "napari_sam_tune/napari.yaml is a link or a copy of napari.yaml.",
                _PLUGIN,
            )

    def read(self) -> Preferences:
        """Return what is set now."""
        if self._settings is None:
            return Preferences()
        keys = self._settings.keys.model_dump()
        return Preferences(**self._settings.labelling.model_dump(), keys=keys)

    def save_rounds(self, automatic: bool, masks_per_round: int) -> None:
        """Keep what the panel's own switch was set to."""
        if self._settings is not None:
            self._settings.labelling.update(
                {"automatic_rounds": automatic, "masks_per_round": masks_per_round}
            )

    def save_connected_parts(self, on: bool) -> None:
        """Keep what the key or the panel's button was set to."""
        if self._settings is not None:
            self._settings.labelling.connected_parts = on

    def save_tour_offered(self) -> None:
        """Keep that the tour was offered: once is enough."""
        if self._settings is not None:
            self._settings.labelling.offer_tour = False

    def watch(self, changed: Callable[..., None]) -> None:
        """Call `changed` with an event when something was changed."""
        for group in self._groups():
            group.events.connect(changed)

    def unwatch(self, changed: Callable[..., None]) -> None:
        """Stop calling `changed`."""
        for group in self._groups():
            group.events.disconnect(changed)

    def _groups(self) -> list[Any]:
        return [] if self._settings is None else [self._settings.labelling, self._settings.keys]
