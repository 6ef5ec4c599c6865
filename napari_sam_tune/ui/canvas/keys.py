"""Keys: what can be done by key, the defaults, and binding them without stealing napari's own.

The defaults are free on every layer type of napari 0.9. They can be changed in Preferences; what
is changed there is bound again at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari.utils.interactions import Shortcut
from napari.utils.key_bindings import coerce_keybinding

from napari_sam_tune.core.texts.wording import mark, tr

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from app_model.types import KeyBinding
    from napari.components import ViewerModel
    from napari.utils.key_bindings import KeymapProvider

# The one place that names every action; the manifest's Preferences page uses the same names. Of the
# digits 1 to 7 are napari's: the tools of a layer.
DEFAULT_KEYS: dict[str, str] = {
    "accept": "Q",
    "sign": "W",
    "candidate": "G",
    "reject": "J",
    "clear": "Shift-C",
    "undo": "U",
    "redo": "Shift-U",
    "earlier": "H",
    "connected": "Shift-O",
    "reopen": "Shift-E",
    "delete": "Shift-D",
    "previous_image": ",",
    "next_image": ".",
    "done": "K",
    "no_defect": "Shift-N",
    "next_class": "N",
    "class_1": "8",
    "class_2": "9",
    "class_3": "0",
    "class_4": "Ctrl-4",
    "class_5": "Ctrl-5",
    "class_6": "Ctrl-6",
    "class_7": "Ctrl-7",
    "class_8": "Ctrl-8",
    "class_9": "Ctrl-9",
    "propose": "Shift-S",
    "find_similar": "Shift-F",
    "next_finds": "Shift-G",
    "carry_on": "Shift-K",
    "accept_run": "Shift-J",
    "fine_tune": "Shift-T",
    "approve": "Shift-Q",
    "second_look": "Shift-R",
    "exclude": "Shift-X",
    "next_doubt": "Shift-Y",
    "hide_masks": "Shift-H",
    "outlines": "Shift-B",
    "markers": "Shift-M",
    "contrast": "Shift-I",
    "zoom": "Shift-Z",
    "stroke": "Shift-W",
}
# What they do, as the Preferences page says it too.
KEY_TITLES: dict[str, str] = {
    "accept": mark("Accept the mask"),
    "sign": mark("Switch between part of it and not part of it"),
    "candidate": mark("Next guess"),
    "reject": mark("Reject the proposal"),
    "clear": mark("Clear the object in progress"),
    "undo": mark("Undo"),
    "redo": mark("Redo"),
    "earlier": mark("Old or new mask after a swap"),
    "connected": mark("Connected parts only or all parts"),
    "reopen": mark("Correct the object under the mouse"),
    "delete": mark("Delete the object under the mouse"),
    "previous_image": mark("Previous image"),
    "next_image": mark("Next image"),
    "done": mark("Image done"),
    "no_defect": mark("No defect here"),
    "next_class": mark("Next class"),
    "class_1": mark("First class"),
    "class_2": mark("Second class"),
    "class_3": mark("Third class"),
    "class_4": mark("Fourth class"),
    "class_5": mark("Fifth class"),
    "class_6": mark("Sixth class"),
    "class_7": mark("Seventh class"),
    "class_8": mark("Eighth class"),
    "class_9": mark("Ninth class"),
    "propose": mark("Propose objects"),
    "find_similar": mark("Find all like these"),
    "next_finds": mark("Next image with finds"),
    "carry_on": mark("Carry the mask on through the stack, or stop"),
    "accept_run": mark("Accept the planes that were carried"),
    "fine_tune": mark("Learn now"),
    "approve": mark("Approved: what is selected, or the image"),
    "second_look": mark("Second look: what is selected, or the image"),
    "exclude": mark("Excluded: what is selected, or the image"),
    "next_doubt": mark("Next mask to look at again"),
    "hide_masks": mark("Hide the masks while the key is held"),
    "outlines": mark("Masks as outlines or filled"),
    "markers": mark("Hide clicks and boxes or show them"),
    "contrast": mark("More contrast for the eye or as it is"),
    "zoom": mark("Zoom to the object and back"),
    "stroke": mark("Draw strokes along cracks or go back to clicking"),
}
# What is so only while its key is held.
HELD = ("hide_masks",)
# Bound beside the configurable ones on the plugin's own layers, where napari's own undo would only
# know about paint.
_FIXED_KEYS = {"Ctrl-Z": "undo", "Ctrl-Shift-Z": "redo", "Escape": "leave"}
# napari's own for "pan and zoom" on every layer, which is clicking here: also where that is on.
_CLICK_KEY = "Z"
_PAN_KEY = "Space"


def key_text(key: str) -> str:
    """Return a key as it is written on a button: "Shift-C" becomes "⇧C"."""
    return Shortcut(key).platform.replace("⇧+", "⇧") if is_key(key) else key


def is_key(key: str) -> bool:
    """Whether napari understands `key`; half-typed ones in Preferences are not."""
    try:
        binding = coerce_keybinding(key)
    except ValueError:
        return False
    part = binding.parts[-1]
    return str(part.key) != "" and not part.is_modifier_key()


@dataclass
class KeyMap:
    """The keys bound on one viewer, and how to give them back.

    Attributes:
        viewer: its keymap gets every action.
        actions: what to call for each name in `DEFAULT_KEYS` but those held.
        held: what to call for each name in `HELD`, with True and, when the key is released, False.
        on_pan: called with True while the pan key is held, False when it is released.
        layers: those of the plugin on which its keys are bound.

    """

    viewer: ViewerModel
    actions: Mapping[str, Callable[[], None]]
    held: Mapping[str, Callable[[bool], None]]
    on_pan: Callable[[bool], None]

    def __post_init__(self) -> None:
        self._bound: list[tuple[KeymapProvider, KeyBinding, object]] = []
        self.keys = dict(DEFAULT_KEYS)
        self.layers: list[KeymapProvider] = []

    def bind(self, keys: Mapping[str, str], own_layers: list[KeymapProvider]) -> list[str]:
        """Bind the actions anew.

        Args:
            keys: action name to key; missing, half-typed and doubled ones keep the default.
            own_layers: layers of the plugin, on which its keys win over napari's.

        Returns:
            sentences about keys that could not be used.

        """
        self.release()
        self.layers = own_layers
        self.keys, problems = _usable(keys)
        for name, key in self.keys.items():
            for provider in (self.viewer, *own_layers):
                if name in HELD:
                    self._bind_held(provider, key, self.held[name])
                else:
                    self._bind(provider, key, self.actions[name])
        for key, name in _FIXED_KEYS.items():
            for provider in (self.viewer, *own_layers):
                self._bind(provider, key, self.actions[name])
        for layer in own_layers:
            self._bind(layer, _CLICK_KEY, self.actions["click"])
        self._bind_pan()
        return problems

    def close(self) -> None:
        """Give all keys back."""
        self.release()

    def release(self) -> None:
        """Unbind everything, putting back what was bound before."""
        for provider, binding, before in reversed(self._bound):
            provider.keymap.pop(binding, None)
            if before is not None:
                provider.keymap[binding] = before
        self._bound.clear()

    def _bind(self, provider: KeymapProvider, key: str, action: Callable[..., object]) -> None:
        def pressed(_: object) -> None:
            action()

        self._put(provider, coerce_keybinding(key), pressed)

    def _bind_held(self, provider: KeymapProvider, key: str, hold: Callable[[bool], None]) -> None:
        def held(_: object) -> Generator[None, None, None]:
            hold(True)
            yield
            hold(False)

        self._put(provider, coerce_keybinding(key), held)

    def _bind_pan(self) -> None:
        # Space stays napari's "hold to move the view"; it only also tells us not to draw a box.
        binding = coerce_keybinding(_PAN_KEY)
        napari_own = self.viewer.class_keymap.get(binding)

        def held(viewer: ViewerModel) -> Generator[None, None, None]:
            self.on_pan(True)
            below = napari_own(viewer) if napari_own is not None else None
            if below is not None:
                next(below, None)
            yield
            if below is not None:
                next(below, None)
            self.on_pan(False)

        self._put(self.viewer, binding, held)

    def _put(self, provider: KeymapProvider, binding: KeyBinding, action: object) -> None:
        self._bound.append((provider, binding, provider.keymap.get(binding)))
        provider.keymap[binding] = action


def _usable(keys: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return a key for every action, no two the same, and what is wrong with those asked for."""
    asked = {name: keys.get(name, default).strip() for name, default in DEFAULT_KEYS.items()}
    problems = []
    for name, key in asked.items():
        if not is_key(key):
            asked[name] = DEFAULT_KEYS[name]
            problems.append(
                tr(
                    "“{key}” is not a key; “{title}” stays on {default}.",
                    key=key,
                    title=tr(KEY_TITLES[name]),
                    default=asked[name],
                )
            )
    # Actions that keep their default have it; one that was changed must find a free key.
    chosen = {name: key for name, key in asked.items() if key == DEFAULT_KEYS[name]}
    for name, key in asked.items():
        owner = next((n for n, k in chosen.items() if k.lower() == key.lower() and n != name), None)
        if owner is not None:
            title = tr(KEY_TITLES[owner])
            problems.append(tr("{key} is already the key for “{title}”.", key=key, title=title))
        chosen.setdefault(name, DEFAULT_KEYS[name] if owner is not None else key)
    return chosen, problems
