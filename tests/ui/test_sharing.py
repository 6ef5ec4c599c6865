"""The dock on a shared project: what others accept comes into view, and the place may be gone."""

from __future__ import annotations

import numpy as np

from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.sharing.exchange import Exchange
from napari_sam_tune.core.sharing.joining import join, share
from napari_sam_tune.ui.work import sharing


def test_masks_of_others_come_and_own_ones_go(desk, blobs, tmp_path, monkeypatch):
    monkeypatch.setattr(sharing, "LOOK_MS", 50)
    monkeypatch.setattr(sharing, "AGAIN_MS", 50)
    drive = tmp_path / "drive" / "parts"
    desk.open(blobs.folder)
    path = desk.session.project.path
    desk.controller.leave()
    share(path, str(drive))
    desk.open(blobs.folder)
    desk.wait(lambda: (drive / "bundles" / "first").exists())

    join(str(drive), tmp_path / "copy")
    colleague = Project.open(tmp_path / "copy")
    elsewhere = Exchange(colleague)
    elsewhere.run()
    mask = np.zeros((192, 192), bool)
    mask[20:60, 30:50] = True
    colleague.add(NewAnnotation("part 1.png", mask, "dent"))
    elsewhere.run()
    desk.wait(lambda: desk.layers.accepted.data[40, 40] != 0)

    drive.rename(tmp_path / "drive" / "gone")
    desk.wait(lambda: "what you accept is safe" in desk.said)
    desk.shot("shared place gone")
    desk.propose(blobs.discs[1][:2])
    desk.session.accept()
    (tmp_path / "drive" / "gone").rename(drive)
    desk.wait(lambda: "what you accept is safe" not in desk.said)

    def arrived() -> bool:
        elsewhere.run()
        return len(colleague.annotations("part 1.png")) == 2

    desk.wait(arrived)
    desk.controller.leave()
