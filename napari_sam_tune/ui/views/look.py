"""The dock's colours, worked out from napari's theme so that every text can be read on any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from napari.settings import get_settings
from napari.utils.theme import get_theme
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QFontMetrics
from qtpy.QtWidgets import QApplication

from napari_sam_tune.core.texts.wording import tr

READABLE: Final = 4.5
"""Contrast that texts have at least (WCAG 2.2, 1.4.3)."""
ACCENT: Final = "#1d7d72"
_MARKS: Final = {"info": ACCENT, "warning": "#e9a23b", "error": "#e5554f"}


@dataclass(frozen=True)
class Look:
    """What the dock takes from napari: colours of its theme and the size of its font in pt."""

    background: str
    button: str
    text: str
    points: int

    @classmethod
    def of(cls, theme: str | None = None) -> Look:
        """Return the look of a theme of napari by name; None: the one in use."""
        appearance = get_settings().appearance
        found = get_theme(theme or appearance.theme)
        return cls(
            found.background.as_hex(format="long"),
            found.primary.as_hex(format="long"),
            found.text.as_hex(format="long"),
            appearance.font_size,
        )

    @property
    def card(self) -> str:
        """The ground of a section."""
        return mixed(self.background, self.text, 0.05)

    @property
    def quiet(self) -> str:
        """The ink of what is less important, readable on a section and around it."""
        return readable(mixed(self.text, self.card, 0.4), self.card, READABLE + 0.4)


def stylesheet(look: Look) -> str:
    """Return the rules that the dock adds to napari's own."""
    quiet, card, accent = look.quiet, look.card, ACCENT
    off = mixed(look.button, look.background, 0.5)
    faint = readable(mixed(look.text, off, 0.5), off, READABLE + 0.1)
    checked = mixed(look.button, accent, 0.45)
    # Qt takes a least height that a style gives for all that is needed, whatever the letters need
    font = QApplication.font()
    font.setPointSize(look.points)
    said = tr("Accept")  # letters of the reader's language may come from a font of their own
    line = max(18, QFontMetrics(font).size(Qt.TextFlag.TextSingleLine.value, said).height())
    notices = "".join(
        f"""
#panel QFrame[role="notice"][level="{level}"] {{
    background: {mixed(look.background, mark, 0.18)};
    border-left: 3px solid {mark}; border-radius: 3px;
}}"""
        for level, mark in _MARKS.items()
    )
    return f"""
#panel QLabel, #panel QCheckBox {{ background: transparent; }}
#panel QPushButton, #panel QCheckBox, #panel QComboBox {{ font-size: {look.points}pt; }}
#panel QCheckBox {{ min-height: {line}px; }}
#panel *:disabled {{ color: {faint}; }}
#panel QLabel[role="title"] {{ font-weight: 600; }}
#panel QLabel[role="heading"] {{ font-size: {round(1.5 * look.points)}pt; font-weight: 600; }}
#panel QLabel[role="quiet"] {{ color: {quiet}; }}
#panel QLabel[role="badge"] {{
    color: white; background: {accent}; border-radius: 8px; padding: 2px 8px; font-weight: 600;
}}
#panel QFrame[role="card"] {{ background: {card}; border: none; border-radius: 6px; }}
#panel QFrame[role="card"] QWidget[role="body"] {{ background: transparent; }}
#panel QPushButton {{
    padding: 3px 6px; min-height: {line}px; text-align: left; border: 1px solid transparent;
}}
#panel QPushButton:disabled {{ background: {off}; color: {faint}; border-color: {off}; }}
#panel QPushButton[role="wide"] {{ text-align: center; }}
#panel QPushButton[role="small"] {{ text-align: center; padding: 2px 6px; }}
#panel QPushButton[role="fold"] {{
    background: transparent; padding: 2px 0px; font-weight: 600;
}}
#panel QPushButton[role="fold"]:hover {{ background: {mixed(card, look.text, 0.08)}; }}
#panel QPushButton[role="link"] {{
    background: transparent; padding: 2px 0px; text-decoration: underline; color: {quiet};
}}
#panel QPushButton:checked {{ background: {checked}; border-color: {accent}; }}
#panel QPushButton:checked:disabled {{ background: {off}; }}
#panel QPushButton[role="fold"]:checked, #panel QPushButton[role="link"]:checked {{
    background: transparent; border-color: transparent;
}}
#panel QPushButton[role="primary"] {{
    background: {accent}; color: white; font-weight: 600; text-align: center;
}}
#panel QPushButton[role="primary"]:hover {{ background: {mixed(accent, "#000000", 0.2)}; }}
#panel QPushButton[role="primary"]:disabled {{ background: {off}; color: {faint}; }}
#panel QPushButton:focus, #panel QComboBox:focus, #panel QAbstractSpinBox:focus {{
    border: 1px solid {readable(accent, look.background, 3.0)};
}}
#panel QAbstractItemView, #panel LearntChart {{ font-size: {look.points}pt; }}
#panel QHeaderView {{ font-size: {max(look.points - 2, 8)}pt; }}
#panel QLineEdit {{ font-size: {look.points}pt; min-height: {line}px; }}
#panel QComboBox {{
    border: 1px solid transparent; padding: 2px 4px 2px 7px; min-height: {line}px;
}}
#panel QComboBox::drop-down {{ width: 18px; }}
#panel QComboBox::down-arrow {{ width: 10px; height: 10px; }}
#panel QAbstractSpinBox {{ border: 1px solid transparent; }}
{notices}
"""


def mixed(a: str, b: str, share: float) -> str:
    """Return a colour on the way from `a` to `b`, `share` of it, "#rrggbb"."""
    first, second = QColor(a).getRgb()[:3], QColor(b).getRgb()[:3]
    between = (round(x + (y - x) * share) for x, y in zip(first, second, strict=True))
    return QColor(*between).name()


def contrast(a: str, b: str) -> float:
    """Return the contrast of two colours, from 1 to 21 (WCAG 2.2)."""
    bright, dark = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def readable(ink: str, ground: str, ratio: float) -> str:
    """Return `ink`, moved towards black or white as far as it takes to be read on `ground`."""
    end = max("#000000", "#ffffff", key=lambda extreme: contrast(extreme, ground))
    shares = (step / 20 for step in range(21))
    return next(
        (c for c in (mixed(ink, end, s) for s in shares) if contrast(c, ground) >= ratio), end
    )


def _luminance(colour: str) -> float:
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in QColor(colour).getRgbF()[:3]
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
