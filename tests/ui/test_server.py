"""The dock with its model on a server: asked once, gone for a while, back again."""

from __future__ import annotations

import numpy as np
from network import network
from qtpy.QtCore import QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QComboBox, QLabel, QLineEdit
from serving import running, small_app
from walking import faults

from napari_sam_tune.service import remote_encoder
from napari_sam_tune.ui.recent import load_recent
from napari_sam_tune.ui.servers import load_servers
from napari_sam_tune.ui.views.start import Choices
from napari_sam_tune.ui.work import serving as serving_view

TOKEN = "the token it showed"


def answering(desk, address: str, token: str):
    """Return what fills in the dialog of a server, as a person does."""

    def answer() -> None:
        dialog = QApplication.activeModalWidget()
        written, secret = dialog.findChildren(QLineEdit)
        written.selectAll()
        QTest.keyClicks(written, address)
        secret.selectAll()
        QTest.keyClicks(secret, "guessed")
        test, use = desk.button(dialog, "Test connection"), desk.button(dialog, "Use this server")
        test.click()
        desk.wait(test.isEnabled)
        assert not use.isEnabled()
        said = [x.text() for x in dialog.findChildren(QLabel) if x.isVisible()]
        assert any("does not take this token" in text for text in said)
        QApplication.processEvents()
        assert not faults(dialog)
        secret.selectAll()
        QTest.keyClicks(secret, token)
        test.click()
        desk.wait(use.isEnabled)
        desk.shot("server dialog", dialog)
        use.click()

    return answer


def choose_server(desk, address: str, token: str) -> None:
    """Choose “A server…” on the start view and answer its dialog."""
    QTimer.singleShot(0, answering(desk, address, token))
    boxes = desk.panel.start.findChildren(QComboBox)
    devices = next(box for box in boxes if box.findData("cuda") >= 0)
    devices.setCurrentIndex(devices.findData(""))
    devices.activated.emit(devices.currentIndex())
    assert devices.currentData() == f"server:{address}"


def encoded(client) -> int:
    text = client.get("/metrics").text
    lines = [x for x in text.splitlines() if "answers_total" in x and "embeddings" in x]
    return sum(int(float(line.split()[-1])) for line in lines if '"200"' in line)


def test_a_server_does_the_work_goes_and_comes_back(desk, blobs, tmp_path, monkeypatch):
    monkeypatch.setattr(serving_view, "LOOK_MS", 100)
    monkeypatch.setattr(remote_encoder, "AGAIN_SECONDS", 0.0)
    app = small_app(tmp_path / "served", token=TOKEN, side=256)
    with running(app) as client, network(client.base_url.port) as between:
        port = client.base_url.port
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
        first = encoded(client)
        assert first > 0

        between.cut()
        desk.work.opening.go(1)
        desk.wait_ready()
        desk.wait(lambda: "server does not answer" in desk.said)
        assert desk.propose((x, y)).mask.any()
        desk.shot("server gone")
        assert encoded(client) == first

        between.mend()
        desk.wait(lambda: "server does not answer" not in desk.said)
        between.cut()
        desk.controller.leave()

        # one that is gone keeps nobody from opening a project
        assert desk.panel.start.choices() == Choices(device=f"server:{between.address}")
        desk.panel.start.folder_chosen.emit(blobs.folder)
        desk.wait_ready()
        desk.wait(lambda: "server does not answer" in desk.said)
        assert desk.propose((x, y)).mask.any()

    # another server in its place, with another token, which can be given while working
    app = small_app(tmp_path / "served", token="another token of it", side=256)
    with running(app, port) as client, network(port) as between:
        client.headers["Authorization"] = "Bearer another token of it"
        connection = desk.work.place.connection
        connection.change(between.address, TOKEN)
        encode = desk.session.predictor.encoder.encode
        encode(np.zeros((192, 192, 3), np.uint8))  # as for an image that was not seen before
        desk.wait(lambda: "does not take this token" in desk.said)
        desk.shot("token refused")
        QTimer.singleShot(0, answering(desk, between.address, "another token of it"))
        desk.button(desk.panel.notice, "Give the server anew…").click()
        assert load_servers()[between.address] == "another token of it"
        encode(np.zeros((192, 192, 3), np.uint8))
        assert encoded(client) == 1
        desk.wait(lambda: "token" not in desk.said)
        desk.controller.leave()
        assert load_recent()[0].device == f"server:{between.address}"
