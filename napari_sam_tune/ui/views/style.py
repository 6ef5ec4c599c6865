"""The widgets of which the dock is made; each bears any width, and says in a tip what it cuts."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QEvent, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QFont, QFontMetrics, QPainter
from qtpy.QtWidgets import (
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QStyle,
    QStyleOptionButton,
    QStylePainter,
    QToolTip,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from napari_sam_tune.core.texts.plain_text import visible
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from qtpy.QtGui import QPaintEvent, QResizeEvent

_BREAK: Final = "\u200b"
"""Takes no room, and a line may end there."""
_LONG: Final = re.compile(r"[^\s\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]{8,}")
"""What may be too long for a line, but for Japanese and Chinese: Qt breaks that where it may be."""
_PARTS: Final = " · "
"""Between parts that are not broken themselves where they are short."""
_SMALL_SIGNS: Final = {",", "."}
"""Keys that nobody could tell apart in the size of the others."""


def tip(text: str) -> str:
    """Return a tool tip that shows a text as it is; Qt takes what looks like HTML for HTML."""
    said = visible(text)
    return f"<p>{escape(said)}</p>" if Qt.mightBeRichText(said) else said


def on_a_button(text: str) -> str:
    """Return what shows as that text on a button, where Qt takes an ampersand for a key."""
    return visible(text).replace("&", "&&")


class Text(QLabel):
    """A wrapping label in one of the roles of `look`; what it shows is never taken for HTML."""

    def __init__(self, text: str = "", role: str = "", *, wrap: bool = True) -> None:
        super().__init__()
        self._text = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(wrap)
        self.setText(text)
        if role:
            self.setProperty("role", role)
        if wrap:
            self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def text(self) -> str:
        """Return what is shown."""
        return self._text

    def setText(self, text: str) -> None:  # noqa: N802 - Qt's name
        """Show `text`, line by line, with its control characters written out."""
        self._text = "\n".join(map(visible, text.split("\n")))
        super().setText(self._broken())

    def setToolTip(self, text: str) -> None:  # noqa: N802 - Qt's name
        """Show `text` as it is."""
        super().setToolTip(tip(text))

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Break the lines anew: words that are longer than one, and short parts nowhere."""
        super().resizeEvent(event)
        broken = self._broken()
        if broken != super().text():
            super().setText(broken)

    def _broken(self) -> str:
        """Return the text with words broken that are longer than a line, as paths may be.

        What stands between two dots is not broken where it is shorter than half a line.
        """
        metrics, width = self.fontMetrics(), self.contentsRect().width()
        text = self._text
        if not self.wordWrap():
            return text
        if _PARTS in text:
            text = _PARTS.join(
                part.replace(" ", "\u00a0") if metrics.horizontalAdvance(part) < width / 2 else part
                for part in text.split(_PARTS)
            )

        def fit(word: re.Match[str]) -> str:
            is_long = metrics.horizontalAdvance(word[0]) > width
            return _BREAK.join(word[0]) if is_long else word[0]

        return _LONG.sub(fit, text)


class OneLine(QElidingLabel):
    """A label of one line that is cut with an ellipsis where it is too long."""

    def __init__(self, role: str = "") -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self._beside = 4
        if role:
            self.setProperty("role", role)
        if role == "badge":
            self._beside = 24  # its padding
        self.setEllipsesWidth(self._beside)

    def setText(self, text: str) -> None:  # noqa: N802 - Qt's name
        """Show `text`, the whole of it as a tool tip."""
        super().setText(visible(text))
        self.setToolTip(tip(text))
        self.updateGeometry()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Cut anew where the font is another."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            super().setText(self.text())
            self.updateGeometry()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return room for the whole text, however much of it is in view now."""
        self.ensurePolished()
        whole = self.fontMetrics().horizontalAdvance(self.text()) + self._beside + 2  # rounding
        return QSize(whole, super().sizeHint().height())


_Base: Any = object
"""Of mixins, which come before a class of Qt and lean on what it has."""


class _Cut(_Base):
    """A mixin for buttons whose text is cut with an ellipsis where it is too long."""

    def room(self) -> int:
        """Return how wide the text may be, in px."""
        raise NotImplementedError

    def shown_text(self) -> str:
        """Return what of the text is in view."""
        flag = Qt.TextFlag.TextShowMnemonic.value
        right = Qt.TextElideMode.ElideRight
        return self.fontMetrics().elidedText(self.text(), right, self.room(), flag)

    def event(self, event: QEvent) -> bool:
        """Show in the tool tip what is cut."""
        if event.type() == QEvent.Type.ToolTip and self.shown_text() != self.text():
            whole = tip(self.text().replace("&&", "&"))
            texts = [whole, self.toolTip()]
            QToolTip.showText(event.globalPos(), "\n".join(filter(None, texts)), self)
            return True
        return bool(super().event(event))

    def _draw(self, element: QStyle.ControlElement) -> None:
        option = QStyleOptionButton()
        self.initStyleOption(option)
        option.text = self.shown_text()
        QStylePainter(self).drawControl(element, option)

    def _narrow(self, hint: QSize, extra: int) -> QSize:
        """Return a size in which a few letters can be read, beside `extra` px of other things."""
        few = 5 * self.fontMetrics().averageCharWidth() + extra
        return QSize(min(hint.width(), few), hint.height())


class Button(_Cut, QPushButton):
    """A push button in one of the roles of `look`; the mouse leaves the keyboard's focus alone."""

    def __init__(self, text: str = "", role: str = "") -> None:
        super().__init__(text)
        self._tip = ""
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        if role:
            self.setProperty("role", role)

    def setToolTip(self, text: str) -> None:  # noqa: N802 - Qt's name
        """Say what it does, while nothing keeps it from that."""
        self._tip = text
        super().setToolTip(text)

    def allow(self, possible: bool, why_not: str) -> None:
        """Let it be pressed, or say in its tool tip why it cannot be now."""
        self.setEnabled(possible)
        super().setToolTip(self._tip if possible else why_not)

    def room(self) -> int:
        """Return how wide the text may be, in px."""
        option = QStyleOptionButton()
        self.initStyleOption(option)
        element = QStyle.SubElement.SE_PushButtonContents
        width = self.style().subElementRect(element, option, self).width()
        return int(width - self._beside())

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return room for a few letters; in the head of a section for all of the text."""
        if self.property("role") in ("fold", "small"):
            return self.sizeHint()
        return self._narrow(self.sizeHint(), self._beside() + 18)

    def paintEvent(self, _: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the button with as much of its text as there is room for."""
        self._draw(QStyle.ControlElement.CE_PushButton)

    def _beside(self) -> int:
        """Return how much is taken by what else is on the button, in px."""
        icon = 0 if self.icon().isNull() else self.iconSize().width() + 4
        menu = QStyle.PixelMetric.PM_MenuButtonIndicator
        return icon + (0 if self.menu() is None else self.style().pixelMetric(menu, None, self))


class KeyButton(Button):
    """A button with its key written at its right end.

    Args:
        action: name of what it does, as in `keys.DEFAULT_KEYS`.
        text: what stands on it.
        tip: tool tip.

    """

    def __init__(self, action: str, text: str, tip: str = "", *, primary: bool = False) -> None:
        super().__init__(text, "primary" if primary else "")
        self.action = action
        self.key = ""
        self.setToolTip(tip)

    def show_key(self, key: str) -> None:
        """Write the key on the button."""
        self.key = key
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return room for the text and the key."""
        hint = super().sizeHint()
        return QSize(hint.width() + self._key_width(), hint.height())

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the button, then the key on it."""
        super().paintEvent(event)
        if not self.key:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._key_font())
        height = QFontMetrics(self._key_font()).height() + 2
        width = self._key_width() - 7
        top = (self.height() - height) / 2
        cap = QRectF(self.width() - width - 6.5, int(top) + 0.5, width, height)
        ink = self.palette().color(self.foregroundRole())
        edge = type(ink)(ink)
        edge.setAlpha(110)
        painter.setPen(edge)
        painter.drawRoundedRect(cap, 3, 3)
        painter.setPen(ink)
        if self.key in _SMALL_SIGNS:
            font = QFont(self.font())
            font.setPointSizeF(1.3 * font.pointSizeF())
            font.setBold(True)
            painter.setFont(font)
            cap.translate(0, -0.2 * height)
        painter.drawText(cap, Qt.AlignmentFlag.AlignCenter, self.key)

    def _beside(self) -> int:
        return super()._beside() + self._key_width()

    def _key_font(self) -> QFont:
        font = QFont(self.font())
        font.setPointSizeF(max(font.pointSizeF() - 2, 7.0))
        font.setBold(False)
        return font

    def _key_width(self) -> int:
        """Return the cap's width with the gap before it, in px."""
        if not self.key:
            return 0
        return max(16, QFontMetrics(self._key_font()).horizontalAdvance(self.key) + 8) + 8


class CheckBox(_Cut, QCheckBox):
    """A check box that the mouse presses without taking the keyboard's focus."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def room(self) -> int:
        """Return how wide the text may be, in px."""
        option = QStyleOptionButton()
        self.initStyleOption(option)
        element = QStyle.SubElement.SE_CheckBoxContents
        return int(self.style().subElementRect(element, option, self).width())

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return room for the box and a few letters."""
        return self._narrow(self.sizeHint(), 30)

    def paintEvent(self, _: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the box with as much of its text as there is room for."""
        self._draw(QStyle.ControlElement.CE_CheckBox)


class Bar(QProgressBar):
    """How far something is."""

    def __init__(self, height: int = 6) -> None:
        super().__init__()
        self.setTextVisible(False)
        self.setFixedHeight(height)
        self.show_fraction(None)

    def show_fraction(self, fraction: float | None) -> None:
        """Show how much is done, or, by None, that nobody knows.

        Of itself it would be painted at once, and the canvas with it, again for each value.
        """
        is_painted = self.updatesEnabled()
        self.setUpdatesEnabled(False)
        self.setRange(0, 0 if fraction is None else 1000)
        self.setValue(int(1000 * (fraction or 0)))
        self.setUpdatesEnabled(is_painted)


class Section(QFrame):
    """A card with a title; add widgets to `body`. A click on the title folds it.

    Attributes:
        title: what stands on it, in English.
        head: the line of the title, for what stays in view.
        body: what is folded away.
        toggled: emitted with whether it is open now.

    """

    toggled = Signal(bool)

    def __init__(self, title: str, *, folds: bool = True, is_open: bool = True) -> None:
        super().__init__()
        self.title = title
        self.setProperty("role", "card")
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 8)
        column.setSpacing(6)
        self.head = QHBoxLayout()
        column.addLayout(self.head)
        self._inner = QWidget()
        self._inner.setProperty("role", "body")
        self.body = QVBoxLayout(self._inner)
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(6)
        column.addWidget(self._inner)
        self._fold = Button(role="fold")
        if folds:
            self._fold.setCheckable(True)
            self._fold.toggled.connect(self._on_toggled)
            self.head.addWidget(self._fold)
            self._fold.setChecked(is_open)
            self._on_toggled(is_open)
        else:
            self.head.addWidget(Text(tr(title), "title"), 1)
        self.head.addStretch()

    @property
    def is_open(self) -> bool:
        """Whether the body is unfolded."""
        return not self._inner.isHidden()

    def open(self, is_open: bool = True) -> None:
        """Unfold the body, or fold it."""
        self._fold.setChecked(is_open)

    def _on_toggled(self, is_open: bool) -> None:
        self._fold.setText(f"{'▾' if is_open else '▸'} {tr(self.title)}")
        self._inner.setVisible(is_open)
        self.toggled.emit(is_open)
