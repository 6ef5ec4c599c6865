"""The dock with its model on a server: asked once, gone for a while, back again."""

from __future__ import annotations

import numpy as np
from network import network
from qtpy.QtCore import QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QComboBox, QLineEdit
from serving import running, small_app

from napari_sam_tune.ui.servers import load_servers
from napari_sam_tune.ui.work import serving as serving_view

TOKEN = "the token it showed"


def choose_server(desk, address: str, token: str) -> None:
    """Choose “A server…” on the start view and answer its dialog, as a person does."""

    def answer() -> None:
        dialog = QApplication.activeModalWidget()
        written, secret = dialog.findChildren(QLineEdit)
        QTest.keyClicks(written, address)
        QTest.keyClicks(secret, "guessed")
        test, use = desk.button(dialog, "Test connection"), desk.button(dialog, "Use this server")
        test.click()
        desk.wait(test.isEnabled)
        assert not use.isEnabled()
        assert "token" in desk.label(dialog, "quiet").text()
        secret.selectAll()
        QTest.keyClicks(secret, token)
        test.click()
        desk.wait(use.isEnabled)
        desk.shot("server dialog")
        use.click()

    QTimer.singleShot(0, answer)
    boxes = desk.panel.start.findChildren(QComboBox)
    devices = next(box for box in boxes if box.findData("cuda") >= 0)
    devices.setCurrentIndex(devices.findData(""))
    devices.activated.emit(devices.currentIndex())
    assert devices.currentData() == f"server:{address}"


def test_a_server_does_the_work_goes_and_comes_back(desk, blobs, tmp_path, monkeypatch):
    monkeypatch.setattr(serving_view, "LOOK_MS", 100)

    def encoded() -> int:
        text = client.get("/metrics").text
        lines = [x for x in text.splitlines() if "answers_total" in x and "embeddings" in x]
        return sum(int(float(line.split()[-1])) for line in lines if '"200"' in line)

    app = small_app(tmp_path / "served", token=TOKEN, side=512)
    with running(app) as client, network(client.base_url.port) as between:
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        choose_server(desk, between.address, TOKEN)
        assert load_servers() == {between.address: TOKEN}
        between.delay = 0.2
        desk.panel.start.folder_chosen.emit(blobs.folder)
        desk.wait_ready()
        x, y, radius = blobs.discs[0]
        opened = desk.propose((x, y))
        rows, columns = np.mgrid[: opened.mask.shape[0], : opened.mask.shape[1]]
        disc = (columns - x) ** 2 + (rows - y) ** 2 <= radius**2
        assert (opened.mask & disc).sum() > 0.6 * (opened.mask | disc).sum()
        first = encoded()
        assert first > 0

        between.cut()
        desk.work.opening.go(1)
        desk.wait_ready()
        desk.wait(lambda: "server does not answer" in desk.said)
        assert desk.propose((x, y)).mask.any()
        desk.shot("server gone")
        assert encoded() == first

        between.mend()
        desk.wait(lambda: "server does not answer" not in desk.said)
        desk.controller.leave()
