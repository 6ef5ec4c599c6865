"""Where a server is, asked once: address, token, and whether it answers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QFormLayout, QLineEdit, QVBoxLayout

from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.ui.background import Background
from napari_sam_tune.ui.faults import explain
from napari_sam_tune.ui.views.row import Row
from napari_sam_tune.ui.views.style import Button, Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtWidgets import QWidget

    from napari_sam_tune.service.bodies import WeightsBody

    Check = Callable[[str, str], tuple[str, WeightsBody]]


class ServerDialog(QDialog):
    """Asks for a server, and accepts one that answered.

    Args:
        check: asks a server by address and token for what it is, and returns its whole address
            too; called beside the viewer's thread.
        parent: the dock.

    Attributes:
        address: of the server that answered last, "" before one did.

    """

    def __init__(self, check: Check, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Run on a server"))
        self._check, self._background = check, Background(self)
        self.address = ""
        self._address, self._token = QLineEdit(), QLineEdit()
        self._address.setPlaceholderText("http://workstation:8765")
        self._token.setEchoMode(QLineEdit.EchoMode.Password)
        self._token.setPlaceholderText(tr("none needed on this computer"))
        for line in (self._address, self._token):
            line.textEdited.connect(self._on_edited)
        self._said = Text("", "quiet")
        self._test = Button(tr("Test connection"), "wide")
        self._test.clicked.connect(self._on_test)
        self._use = Button(tr("Use this server"), "primary")
        self._use.clicked.connect(self.accept)
        cancel = Button(tr("Cancel"), "wide")
        cancel.clicked.connect(self.reject)
        form = QFormLayout()
        form.addRow(tr("Address"), self._address)
        form.addRow(tr("Token"), self._token)
        column = QVBoxLayout(self)
        column.addWidget(
            Text(
                tr(
                    "On the other computer start “napari-sam-tune serve --host 0.0.0.0”: it shows "
                    "its token. Images you open are sent there; your project stays here. The token "
                    "is kept in your own files on this computer."
                ),
                "quiet",
            )
        )
        column.addLayout(form)
        column.addWidget(self._said)
        column.addWidget(Row(self._test, self._use, cancel))
        self.setMinimumWidth(420)
        self._on_edited()
        self.finished.connect(lambda _: self._background.close())

    @property
    def token(self) -> str:
        """As written."""
        return self._token.text().strip()

    def show_server(self, address: str, token: str) -> None:
        """Put in what is known of a server."""
        self._address.setText(address)
        self._token.setText(token)
        self._on_edited()

    def _on_edited(self, _: str = "") -> None:
        self.address = ""
        self._background.forget("check")
        self._say("")
        self._test.setEnabled(bool(self._address.text().strip()))
        self._use.allow(False, tr("Test the connection first"))

    def _on_test(self) -> None:
        self._test.setEnabled(False)
        self._say(tr("Asking the server…"))
        address, token = self._address.text(), self.token
        work = partial(self._check, address, token)
        self._background.submit("check", work, self._on_answered, self._on_failed)

    def _on_answered(self, answer: tuple[str, WeightsBody]) -> None:
        self.address, there = answer
        text = tr(
            "It answers: model {model}, computing on {device}.",
            model=there.base,
            device=there.device,
        )
        self._say(text)
        self._test.setEnabled(True)
        self._use.allow(True, "")
        self._use.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_failed(self, error: Exception) -> None:
        self._say(explain(error))
        self._test.setEnabled(True)

    def _say(self, text: str) -> None:
        self._said.setText(text)
        self._said.setVisible(bool(text))
        layout = self.layout()
        layout.activate()
        wanted = layout.totalHeightForWidth(self.width())
        if self.isVisible() and wanted > self.height():  # a dialog does not grow by itself
            self.resize(self.width(), wanted)
