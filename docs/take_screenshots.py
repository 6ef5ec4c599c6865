"""Take the pictures and films of the book: a hand's clicks in a real viewer, on the samples.

    sh tests/on_display.sh python docs/take_screenshots.py [LOOK …] [PART …]

Looks are en, en-dark and ja; parts are line, plates, learning, stacks and large of the dock, and
page, the server's page at a desktop and on a phone. What is not named is all of it. Learning is
shown on photographs that the model does not know: SAM_TUNE_NUCLEI names the folder that
`benchmarks/nuclei.py` makes. Each part of a look is taken by a process of its own, whose settings
and documents nobody else sees.
"""

# ruff: noqa: TID251, S603 - a script about the dock that starts itself

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from labelling import label_object, middle, next_image, objects, open_folder, open_image

if TYPE_CHECKING:
    from camera import Camera, Hand
    from numpy.typing import NDArray

DOCS = Path(__file__).parent
LOOKS = {"en": ("en", "light"), "en-dark": ("en", "dark"), "ja": ("ja", "light")}
PARTS = "line", "plates", "learning", "stacks", "large", "page"
IN_DARK = "plates"
SIZE = 1080, 760
NAMES = "ana", "ben", "eva", "ida", "leo", "mia"
FITS = 0.6
"""A suggestion with this IoU is accepted."""


def main() -> None:
    """Take all looks and parts, or those named."""
    said = set(sys.argv[1:])
    if unknown := said - {*LOOKS, *PARTS}:
        sys.exit(f"No look and no part: {', '.join(sorted(unknown))}")
    parts = [part for part in PARTS if part in said] or PARTS
    for part in parts:
        if part == "page":
            from page_camera import take_page

            take_page()
            continue
        for look in [look for look in LOOKS if look in said] or LOOKS:
            if look != "en-dark" or part == IN_DARK:
                start(look, part)


def start(look: str, part: str) -> None:
    """Take a part of a look in a process of its own."""
    home = make_home()
    environment = {
        **os.environ,
        "HOME": str(home),
        "NAPARI_CONFIG": str(home / "napari.yaml"),
        "SAM_TUNE_LOOK": f"{look} {part}",
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DOCUMENTS_DIR": str(home / "documents"),
        "XDG_STATE_HOME": str(home / "state"),
    }
    try:
        subprocess.run([sys.executable, __file__], env=environment, check=True)
    finally:
        shutil.rmtree(home)


def make_home() -> Path:
    """Make the home of somebody with a short name: paths are in view, so they are all alike."""
    for name in NAMES:
        home = Path(tempfile.gettempdir(), name)
        try:
            home.mkdir()
        except FileExistsError:
            continue  # somebody else's, or left by a run that was killed
        return home
    sys.exit(f"Remove one of {', '.join(NAMES)} from {tempfile.gettempdir()}: all are there.")


def take(look: str, part: str) -> None:
    """Take the pictures of a part of a look, in this process."""
    import napari
    from camera import Camera, Hand, spin
    from large_pictures import large
    from napari.settings import get_settings
    from stack_pictures import stacks

    from napari_sam_tune.core.config import TrainConfig
    from napari_sam_tune.ui import translation
    from napari_sam_tune.ui.preferences import PreferencesSource
    from napari_sam_tune.ui.queue import SAMPLE_IMAGES

    language, theme = LOOKS[look]
    translation.languages_of_computer = lambda: [language]
    get_settings().appearance.theme = theme
    viewer = napari.Viewer(show=True)
    PreferencesSource().save_tour_offered()
    viewer.window._qt_window.resize(*SIZE)
    _, dock = viewer.window.add_plugin_dock_widget("napari-sam-tune", "Label and learn")
    spin(lambda: dock.panel is not None)
    panel = dock.panel
    panel.controller._config = TrainConfig()
    folder = DOCS / "images" if language == "en" else DOCS / language / "images"
    folder.mkdir(parents=True, exist_ok=True)
    hand = Hand(viewer, panel, SAMPLE_IMAGES.parent / "masks")
    camera = Camera(hand, folder, "_dark" if theme == "dark" else "")
    if part == "plates":
        camera.still("start")
    for dock in ("dockLayerList", "dockLayerControls"):
        getattr(viewer.window._qt_viewer, dock).hide()
    ways = {"line": line, "plates": plates, "learning": learning, "stacks": stacks, "large": large}
    ways[part](hand, camera)
    viewer.close()


def line(hand: Hand, camera: Camera) -> None:
    """Find all like what was accepted, and look at the lists and dialogs."""
    from napari_sam_tune.ui.queue import SAMPLE_IMAGES

    open_folder(hand, SAMPLE_IMAGES, "line")
    hand.panel.classes.renamed.emit("defect", "pit")
    for name in ("scratch", "stain"):
        hand.panel.classes.edited.emit(name, "")
    hand.panel.classes.chosen.emit("pit")
    found(hand, camera)
    lists(hand, camera)


def plates(hand: Hand, camera: Camera) -> None:
    """Go through the samples as the first tutorial does."""
    from napari_sam_tune.ui.queue import SAMPLE_IMAGES

    open_folder(hand, SAMPLE_IMAGES, "plates")
    hand.panel.classes.edited.emit("pit", "")
    pits(hand, camera)
    if not camera.suffix:
        scratches(hand, camera)
        recalled(hand, camera)


def pits(hand: Hand, camera: Camera) -> None:
    """Click on one pit, draw a box around the other."""
    left, right = sorted(objects(hand), key=lambda mask: middle(mask)[0])
    start = 40.0, 150.0
    camera.begin()
    hand.point(start)
    camera.frame(700)
    camera.way(start, middle(left))
    hand.click(middle(left))
    camera.frame(1100, ring=True)
    camera.still("first_click", pointer=True)
    hand.press("Q")
    camera.frame(1200)
    y, x = np.nonzero(right)
    corners = (x.min() - 3.0, y.min() - 3.0), (x.max() + 4.0, y.max() + 4.0)
    camera.way(middle(left), corners[0])
    hand.trace(list(zip(*(np.linspace(*c, 9) for c in zip(*corners, strict=True)), strict=True)))
    camera.frame(1200)
    camera.still("box", pointer=True)
    hand.press("Q")
    camera.frame(1600)
    camera.film("click")
    next_image(hand)


def scratches(hand: Hand, camera: Camera) -> None:
    """Draw along a scratch; put a click right on another."""
    from napari_sam_tune.core.evaluation.strokes import centre_line
    from napari_sam_tune.core.scoring import next_click

    hand.panel.classes.edited.emit("scratch", "")
    first, *others = sorted(objects(hand), key=lambda mask: -mask.sum())
    camera.begin()
    hand.press("Shift+W")
    camera.frame(900)
    path = [tuple(map(float, xy)) for xy in centre_line(first)]
    step = max(1, len(path) // 24)
    path = [*path[::step], path[-1]]
    hand.trace(path, lambda: camera.frame(60))
    camera.frame(1400)
    hand.press("Q")
    camera.frame(1600)
    camera.film("stroke")
    hand.press("Esc")
    hard = others[0] if others else first
    camera.begin()
    hand.click(middle(hard))
    camera.frame(1200, ring=True)
    for _ in range(3):
        x, y, label = next_click(hand.work.place.session.open_object.mask, hard)
        camera.way(middle(hard), (x, y), 4)
        hand.click((x, y), inside=bool(label))
        camera.frame(1000, ring=True)
    hand.press("Q")
    camera.frame(1600)
    camera.film("correction")
    for truth in others[1:]:
        label_object(hand, truth)
    next_image(hand)


def recalled(hand: Hand, camera: Camera) -> None:
    """Click on the second photograph of the plate."""
    first, *others = sorted(objects(hand), key=lambda mask: -mask.sum())
    hand.click(middle(first))
    camera.still("recalled", pointer=True)
    hand.press("Q")
    for truth in others:
        label_object(hand, truth)
    next_image(hand)


def found(hand: Hand, camera: Camera) -> None:
    """Take the masks of more plates, then find all like these on one that nobody has seen."""
    from camera import settle, spin

    with (hand.truths.parent / "manifest.csv").open(encoding="utf-8") as manifest:
        classes = {row["stem"]: row["class"] for row in csv.DictReader(manifest)}

    while open_image(hand) != "plate_06.png":
        for truth in objects(hand):
            hand.work.place.session.adopt(truth, label=classes[Path(open_image(hand)).stem])
        settle()
        next_image(hand)
    hand.point((40.0, 150.0))
    hand.panel.suggestions._orders.setCurrentIndex(1)  # the surest first
    camera.begin()
    camera.frame(900)
    hand.press("Shift+F")
    camera.frame(700)
    session = hand.work.place.session

    def shown() -> bool:
        mask = session.open_object.mask
        return mask is not None and bool(mask.any())

    spin(shown, 300)
    hand.wait()
    truths = list(objects(hand))
    for _ in range(4):
        if not shown():
            break
        camera.frame(1600)
        mask = session.open_object.mask
        fits = max((mask & truth).sum() / (mask | truth).sum() for truth in truths)
        hand.press("Q" if fits > FITS else "J")
        camera.frame(900)
    camera.frame(1800)
    camera.film("find_all")
    hand.press("Shift+F")


def lists(hand: Hand, camera: Camera) -> None:
    """Show the pages with the lists, and the dialogs."""
    from camera import settle

    from napari_sam_tune.ui.export.exporting import Exporting
    from napari_sam_tune.ui.views.server_dialog import ServerDialog

    hand.panel.masks._scopes.setCurrentIndex(1)
    for name, page in (("masks", hand.panel.masks), ("images", hand.panel.images)):
        hand.panel.show_page(page)
        hand.panel.masks.scope_chosen.emit()
        for _ in range(6):
            settle()
        camera.still(name)
    window = hand.viewer.window._qt_window
    exporting = Exporting(hand.work.place.session.project, window=window)
    settle()
    camera.still("export", window=exporting.dialog)
    exporting.dialog.close()
    server = ServerDialog(lambda address, token: (address, token), window)
    server.show()
    settle()
    camera.still("server", window=server)
    server.close()


def learning(hand: Hand, camera: Camera) -> None:
    """Label photographs of a surface the model does not know, and see what a round changes."""
    from camera import settle, spin

    folder = os.environ.get("SAM_TUNE_NUCLEI")
    if folder is None:
        sys.stderr.write("No pictures of learning: SAM_TUNE_NUCLEI names no folder.\n")
        return
    nuclei = Path(folder)
    hand.truths = nuclei / "masks"
    open_folder(hand, nuclei / "images", "nuclei")
    hand.panel.classes.edited.emit("nucleus", "")
    session = hand.work.place.session
    while session.weights_version == "base":
        for _ in range(4):
            for truth in objects(hand):
                label_object(hand, truth)
            next_image(hand)
        hard = middle(hardest(hand))
        camera.begin()
        hand.click(hard)
        camera.frame(1600, ring=True)
        hand.work.fine_tuning.start()
        spin(lambda: len(hand.work.fine_tuning._curve.losses) > 6)
        camera.frame(1400)
        show_learning(hand)
        camera.still("round")
        camera.frame(1400)
        spin(lambda: not session.state.training)
        hand.wait()
        if session.weights_version == "base":
            hand.press("J")
    spin(lambda: session.open_object.proposal.weights_version == session.weights_version)
    hand.wait()
    camera.frame(2400)
    camera.still("after_round", pointer=True)
    for _ in range(2):
        hand.press("H")
        camera.frame(1600)
    camera.film("swap")
    hand.panel.show_folded(())
    settle()
    scroll = hand.panel._tabs.currentWidget().verticalScrollBar()
    scroll.setValue(scroll.maximum())
    camera.still("history")


def show_learning(hand: Hand) -> None:
    """Scroll to the section about learning."""
    area = hand.panel._tabs.currentWidget()
    scroll = area.verticalScrollBar()
    there = hand.panel.learning.mapTo(area.widget(), hand.panel.learning.rect().topLeft())
    scroll.setValue(there.y() - 40)


def hardest(hand: Hand) -> NDArray[np.bool_]:
    """Return the object of the open image on which a first click is worth least."""
    scores = []
    for truth in objects(hand):
        hand.click(middle(truth))
        mask = hand.work.place.session.open_object.mask
        scores.append(((mask & truth).sum() / (mask | truth).sum(), truth))
        hand.press("J")
    return min(scores, key=lambda scored: scored[0])[1]


if __name__ == "__main__":
    chosen = os.environ.get("SAM_TUNE_LOOK")
    take(*chosen.split()) if chosen else main()
