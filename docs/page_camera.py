"""Takes the pictures of the server's page: a server, and the system's Chromium on a sample."""

# ruff: noqa: S101, S603 - runs our own server

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

IMAGES = Path(__file__).parent / "images"
SIDE, ROOM = 320, 24


def shots(page: Page, clicks: list[tuple[int, int]], box: bool) -> None:
    """Open the first sample and click, in a box's corners or on an object."""
    page.click("[data-sample='plate_01.png']")
    page.wait_for_selector("#zoom")
    if box:
        page.click("label:has([value=box])")
    frame = page.locator("#canvas").bounding_box()
    assert frame is not None
    room = min(ROOM, frame["width"] / 20)
    scale = (min(frame["width"], frame["height"]) - 2 * room) / SIDE
    left = frame["x"] + (frame["width"] - SIDE * scale) / 2
    top = frame["y"] + (frame["height"] - SIDE * scale) / 2
    for x, y in clicks:
        page.mouse.click(left + (x + 0.5) * scale, top + (y + 0.5) * scale)
    page.mouse.move(left, top)
    page.wait_for_selector("#facts dd:not(:empty)", state="attached")
    page.wait_for_selector("#message:not([data-kind=waits])")


@contextmanager
def served() -> Iterator[str]:
    """Run a server while its address is used."""
    command = [sys.executable, "-m", "napari_sam_tune.cli", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        found = re.search(r"http://[\w.:]+", server.stdout.readline())
        assert found is not None
        try:
            yield found[0].rstrip(".")
        finally:
            server.terminate()


def take_page() -> None:
    """Take both pictures, at a desktop and on a phone, light."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    with served() as place, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        desktop = browser.new_page(viewport={"width": 1366, "height": 768})
        phone = browser.new_page(
            viewport={"width": 390, "height": 844}, device_scale_factor=1.5, has_touch=True
        )
        for page, name, clicks in (
            (desktop, "page", [(125, 88), (175, 118)]),
            (phone, "page_phone", [(72, 102)]),
        ):
            page.goto(place)
            shots(page, clicks, box=len(clicks) > 1)
            with Image.open(io.BytesIO(page.screenshot())) as seen:
                seen.save(IMAGES / f"{name}.webp", quality=85, method=6)
        browser.close()
