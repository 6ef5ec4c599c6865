"""How the panel looks: a few rules on top of napari's theme, and the widgets that carry them."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QFontMetrics, QPainter
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from napari_sam_tune.core.plain_text import visible

if TYPE_CHECKING:
    from qtpy.QtGui import QPaintEvent

ACCENT, GOOD, WARNING, BAD = "#2a9d8f", "#39d353", "#e9a23b", "#e5554f"

STYLE = f"""
QWidget#panel QLabel {{ background: transparent; }}
QWidget#panel QLabel[role="title"] {{ font-weight: 600; }}
QWidget#panel QLabel[role="heading"] {{ font-size: 15pt; font-weight: 600; }}
QWidget#panel QLabel[role="quiet"] {{ color: rgba(140, 145, 150, 255); }}
QWidget#panel QLabel[role="badge"] {{
    color: white; background: {ACCENT}; border-radius: 8px; padding: 2px 8px; font-weight: 600;
}}
QWidget#panel QFrame[role="card"] {{
    background: rgba(127, 127, 127, 28); border: none; border-radius: 6px;
}}
QWidget#panel QPushButton {{ padding: 4px 8px; min-height: 18px; text-align: left; }}
QWidget#panel QPushButton[role="primary"] {{
    background: {ACCENT}; color: white; font-weight: 600; text-align: center;
}}
QWidget#panel QPushButton[role="wide"] {{ text-align: center; }}
QWidget#panel QPushButton[role="primary"]:hover {{ background: #34b3a3; }}
QWidget#panel QPushButton[role="primary"]:disabled {{
    background: rgba(127, 127, 127, 60); color: rgba(160, 160, 160, 200);
}}
QWidget#panel QPushButton:checked {{
    background: rgba(42, 157, 143, 110); border: 1px solid {ACCENT};
}}
QWidget#panel QPushButton:focus {{ border: 1px solid {ACCENT}; }}
QWidget#panel QFrame[role="notice"][level="info"] {{
    background: rgba(42, 157, 143, 45); border-left: 3px solid {ACCENT}; border-radius: 3px;
}}
QWidget#panel QFrame[role="notice"][level="warning"] {{
    background: rgba(233, 162, 59, 40); border-left: 3px solid {WARNING}; border-radius: 3px;
}}
QWidget#panel QFrame[role="notice"][level="error"] {{
    background: rgba(229, 85, 79, 45); border-left: 3px solid {BAD}; border-radius: 3px;
}}
"""


def tip(text: str) -> str:
    """Return a tool tip that shows a text as it is; Qt takes what looks like HTML for HTML."""
    said = visible(text)
    return f"<p>{escape(said)}</p>" if Qt.mightBeRichText(said) else said


def on_a_button(text: str) -> str:
    """Return what shows as that text on a button, where Qt takes an ampersand for a key."""
    return visible(text).replace("&", "&&")


class Text(QLabel):
    """A wrapping label in one of the roles of `STYLE`; what it shows is never taken for HTML."""

    def __init__(self, text: str = "", role: str = "", *, wrap: bool = True) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(text)
        self.setWordWrap(wrap)
        if role:
            self.setProperty("role", role)
        if wrap:
            self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def setText(self, text: str) -> None:  # noqa: N802 - Qt's name
        """Show `text`, line by line, with its control characters written out."""
        super().setText("\n".join(map(visible, text.split("\n"))))

    def setToolTip(self, text: str) -> None:  # noqa: N802 - Qt's name
        """Show `text` as it is."""
        super().setToolTip(tip(text))


class OneLine(QElidingLabel):
    """A label of one line that is cut with an ellipsis where it is too long."""

    def __init__(self, role: str = "") -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        if role:
            self.setProperty("role", role)

    def setText(self, text: str) -> None:  # noqa: N802 - Qt's name
        """Show `text`, the whole of it as a tool tip."""
        super().setText(visible(text))
        self.setToolTip(tip(text))


class KeyButton(QPushButton):
    """A button with its key written at its right end.

    Args:
        action: name of what it does, as in `keys.DEFAULT_KEYS`.
        text: what stands on it.
        tip: tool tip.

    """

    def __init__(self, action: str, text: str, tip: str = "", *, primary: bool = False) -> None:
        super().__init__(text)
        self.action = action
        self.key = ""
        self.setToolTip(tip)
        if primary:
            self.setProperty("role", "primary")

    def show_key(self, key: str) -> None:
        """Write the key on the button."""
        self.key = key
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return room for the text and the key."""
        hint = super().sizeHint()
        return QSize(hint.width() + self._key_width(), hint.height())

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return what `sizeHint` does: neither text nor key may be cut."""
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the button, then the key on it."""
        super().paintEvent(event)
        if not self.key:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._key_font())
        width = self._key_width() - 6
        chip = QRectF(self.width() - width - 6, self.height() / 2 - 8, width, 16)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(127, 127, 127, 70))
        painter.drawRoundedRect(chip, 3, 3)
        ink = QColor(self.palette().color(self.foregroundRole()))
        ink.setAlpha(190 if self.isEnabled() else 90)
        painter.setPen(ink)
        painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, self.key)

    def _key_font(self) -> QFont:
        font = QFont(self.font())
        font.setPointSizeF(max(font.pointSizeF() - 2, 7.0))
        return font

    def _key_width(self) -> int:
        """Return the chip's width with the gap before it, in px."""
        if not self.key:
            return 0
        return max(16, QFontMetrics(self._key_font()).horizontalAdvance(self.key) + 8) + 8


class Section(QFrame):
    """A card with a title line; add widgets to `body`."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(10, 8, 10, 10)
        self.body.setSpacing(6)
        self.title = Text(title, "title", wrap=False)
        self.head = QHBoxLayout()
        self.head.addWidget(self.title)
        self.head.addStretch()
        self.body.addLayout(self.head)


def row(*widgets: QWidget, spacing: int = 6) -> QHBoxLayout:
    """Return the widgets side by side, sharing the width."""
    layout = QHBoxLayout()
    layout.setSpacing(spacing)
    for widget in widgets:
        layout.addWidget(widget, 1)
    return layout
