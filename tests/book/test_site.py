"""The built book in Chromium: searched in both languages, at a phone's width, from one server."""

from __future__ import annotations

import functools
import re
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

SITE = Path(__file__).parents[2] / "build" / "book" / "site"
PAGES = sorted(
    "" if page == Path() else f"{page.as_posix()}/"
    for page in (path.parent.relative_to(SITE) for path in SITE.rglob("index.html"))
)
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1366, "height": 768}
SCREENS = 3
LOADED = 60_000
"""Milliseconds in which a busy computer has read the index of the search."""


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a word."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def top() -> Iterator[str]:
    """Where the book is served."""
    assert PAGES, "build it first: python docs/site/build.py"
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=SITE))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium: playwright downloads none here."""
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    assert program, "sh tests/system_packages.sh page"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, top: str) -> Iterator[Page]:
    """A window that may ask nobody but the book's server."""
    window = browser.new_page(viewport=DESKTOP)
    asked: list[str] = []
    window.on("request", lambda request: asked.append(request.url))
    yield window
    window.close()
    assert [url for url in asked if not url.startswith((top, "data:", "blob:"))] == []


@pytest.mark.parametrize(
    ("language", "word", "found"),
    [
        ("", "crack", "how-to/cracks/"),
        ("", "Find all like these", "how-to/find-all/"),
        ("ja/", "クラック", "ja/how-to/cracks/"),
        ("ja/", "マスクを見直す", "ja/how-to/review/"),
    ],
)
def test_a_search_finds_the_page(
    page: Page, top: str, language: str, word: str, found: str
) -> None:
    """As the first hit."""
    page.goto(top + language)
    page.keyboard.press("/")
    page.get_by_role("combobox").or_(page.get_by_role("textbox")).first.press_sequentially(word)
    hits = page.locator("dialog ol a")
    expect(hits.first).to_have_attribute(
        "href", re.compile(rf"{re.escape(found)}(\?|#|$)"), timeout=LOADED
    )


def test_the_switch_of_languages_stays_on_the_page(page: Page, top: str) -> None:
    page.goto(f"{top}how-to/cracks/")
    switch = page.locator("a[hreflang=ja]").first
    assert page.evaluate("a => a.href", switch.element_handle()) == f"{top}ja/how-to/cracks/"


@pytest.mark.parametrize(("scheme", "other"), [("light", "dark"), ("dark", "light")])
def test_pictures_are_as_light_as_the_page(
    page: Page, top: str, scheme: Literal["light", "dark"], other: str
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{top}tutorials/first-masks/")
    for shade, shown in ((scheme, True), (other, False)):
        pictures = page.locator(f'article img[src$="#only-{shade}"]')
        assert pictures.count() > 0
        assert all(one.is_visible() == shown for one in pictures.all())


def test_every_page_on_a_phone(page: Page, top: str) -> None:
    """Nothing is wider than the screen, pictures are there, and long pages say what is on them."""
    faults = []
    for place in PAGES:
        page.set_viewport_size(PHONE)
        page.goto(top + place)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            faults.append(f"{place} is wider than a phone")
        broken = page.evaluate(
            """async () => { const pictures = [...document.querySelectorAll('article img')]
                .filter(i => getComputedStyle(i).display != 'none');
              for (const p of pictures) { p.loading = 'eager'; await p.decode().catch(() => {}); }
              return pictures.filter(p => !p.naturalWidth).map(p => p.src) }"""
        )
        faults += [f"{place} shows no {picture}" for picture in broken]
        page.set_viewport_size(DESKTOP)
        screens = page.evaluate("document.documentElement.scrollHeight / innerHeight")
        headings = page.evaluate("document.querySelectorAll('.md-nav--secondary li').length")
        if screens > SCREENS and headings < SCREENS:
            faults.append(f"{place} has {screens:.0f} screens and {headings} entries of contents")
    assert faults == []
