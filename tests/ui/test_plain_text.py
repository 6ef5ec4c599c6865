"""What the dock shows of names is text: no HTML, no control characters, no keys of buttons."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QLabel

from napari_sam_tune.ui.recent import Recent
from napari_sam_tune.ui.views.history import fill, table
from napari_sam_tune.ui.views.notice import Notice, NoticeBar
from napari_sam_tune.ui.views.panel import Panel
from napari_sam_tune.ui.views.recent_row import RecentRow
from napari_sam_tune.ui.views.start import StartView
from napari_sam_tune.ui.views.style import OneLine, Text

NASTY = "<b>a</b><img src=x>\x1b[31m\udcfc.png"
SHOWN = r"<b>a</b><img src=x>\x1b[31m\udcfc.png"
ESCAPED = r"&lt;b&gt;a&lt;/b&gt;&lt;img src=x&gt;\x1b[31m\udcfc.png"


def test_names_are_shown_as_they_are(qtbot):
    for label in (Text(), OneLine()):
        qtbot.addWidget(label)
        label.setText(NASTY)
        assert label.text() == SHOWN
        assert label.textFormat() == Qt.TextFormat.PlainText
        label.setToolTip(NASTY) if isinstance(label, Text) else None
        assert ESCAPED in label.toolTip()
    assert Text("two\nlines").text() == "two\nlines"
    bar = NoticeBar()
    qtbot.addWidget(bar)
    bar.show_notice(Notice(NASTY))
    assert bar.findChild(Text).text() == SHOWN
    rows = table("a")
    qtbot.addWidget(rows)
    fill(rows, [("x",)], [NASTY])
    assert ESCAPED in rows.item(0, 0).toolTip()


def test_a_button_shows_an_ampersand(qtbot):
    view = StartView()
    qtbot.addWidget(view)
    recent = Recent(Path("/p"), Path("nuts & <b>bolts"), "starter", "auto")
    view.show_recent([(recent, QImage())])
    name = view.findChild(RecentRow).findChild(OneLine)
    assert name.text() == "nuts & <b>bolts"
    assert name.textFormat() == Qt.TextFormat.PlainText


def test_what_the_dock_says_itself_has_no_markup_in_it(qtbot):
    panel = Panel()
    qtbot.addWidget(panel)
    labels = [label for label in panel.findChildren(QLabel) if label.text()]
    assert len(labels) > 10
    assert not [label.text() for label in labels if Qt.mightBeRichText(label.text())]


def test_a_path_is_broken_anywhere_and_japanese_where_it_may_be(qtbot):
    view = Text()
    qtbot.addWidget(view)
    view.resize(60, 400)
    view.show()
    path, japanese = (
        "/mnt/measurements/line_4_camera_2",
        "先に三枚の画像でマスクを確定してください。",
    )
    view.setText(f"{path} {japanese}")
    shown = QLabel.text(view)
    assert shown.count("\u200b") == len(path) - 1  # between all letters of the path
    assert shown.endswith(japanese)  # no line begins with its full stop
    assert view.text() == f"{path} {japanese}"
