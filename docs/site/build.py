"""Build the book: `python docs/site/build.py` leaves it in `build/book/site`, Japanese under `ja/`.

Anything amiss ends it with 1: a link, an anchor or a picture that leads nowhere, a page that no
menu names, a script, style or font from another server.
"""

# ruff: noqa: S603 - runs zensical, which is installed beside this program

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import reference
import yaml
from pages import DOCS, LANGUAGES, MUST_FOLLOW, ROOT, Broken, in_the_book, places, translations

BUILD = ROOT / "build" / "book"
SITE = BUILD / "site"
CONFIGS = {"en": "mkdocs.yml", "ja": "mkdocs.ja.yml"}
_BEHIND = (
    '!!! warning "このページは英語版より古い内容です"\n\n'
    "    英語版がその後に変更されました。最新の内容は英語版をご覧ください。\n\n"
)
_FETCHED = re.compile(
    r"<(?:script|img|source|video|iframe)\b[^>]*?\bsrc=[\"']?((?:https?:)?//[^\"'\s>]+)"
    r"|<link\b(?=[^>]*\brel=[\"']?(?:stylesheet|preload|preconnect|icon))[^>]*?"
    r"\bhref=[\"']?((?:https?:)?//[^\"'\s>]+)"
    r"|(?:url\(|@import )[\"']?((?:https?:)?//[^\"')\s]+)"
)
"""What a browser fetches by itself, where it is on another server."""


def main() -> int:
    """Build both sites; return the exit status."""
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    (BUILD / "package").mkdir()
    (BUILD / "package" / "napari_sam_tune").symlink_to(ROOT / "napari_sam_tune")
    try:
        reference.write()
        for language in LANGUAGES:
            fill(language)
    except Broken as broken:
        sys.stderr.write(f"{broken}\n")
        return 1
    finally:
        reference.remove()
    for config in CONFIGS.values():
        shutil.copyfile(DOCS / "site" / config, BUILD / config)
    orphans = [page for language in LANGUAGES for page in not_in_the_menu(language)]
    for page in orphans:
        sys.stderr.write(f"No menu names {page}\n")
    program = shutil.which("zensical", path=str(Path(sys.executable).parent)) or "zensical"
    for config in CONFIGS.values():
        done = subprocess.run([program, "build", "--strict", "-f", config], cwd=BUILD, check=False)
        if done.returncode:
            return done.returncode
    switch_to_the_same_page()
    foreign = list(fetched_from_outside())
    for fetched in foreign:
        sys.stderr.write(f"From another server: {fetched}\n")
    return 1 if orphans or foreign else 0


def fill(language: str) -> None:
    """Put a language's pages and pictures where zensical reads them."""
    folder = BUILD / language
    behind = {place for place, was, now in translations() if was != now}
    for source, place in places(language).items():
        text = in_the_book(source, language)
        if language != "en" and place in behind:
            sys.stderr.write(f"Behind the English: docs/{language}/{place}\n")
            text = _BEHIND + text if place.split("/")[0] not in MUST_FOLLOW else text
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text, encoding="utf-8")
    shutil.copytree(DOCS / "images", folder / "images")
    if (DOCS / language / "images").is_dir():
        shutil.copytree(DOCS / language / "images", folder / "images", dirs_exist_ok=True)
    shutil.copyfile(ROOT / "resources" / "icon.svg", folder / "images" / "icon.svg")
    shutil.copyfile(DOCS / "site" / "book.css", folder / "book.css")


def not_in_the_menu(language: str) -> list[str]:
    """Return the pages of a language that its configuration does not name."""
    config = yaml.safe_load((DOCS / "site" / CONFIGS[language]).read_text(encoding="utf-8"))

    def named(entry: object) -> list[str]:
        if isinstance(entry, dict):
            return [name for value in entry.values() for name in named(value)]
        return [n for e in entry for n in named(e)] if isinstance(entry, list) else [str(entry)]

    missing = set(places(language).values()) - set(named(config["nav"]))
    return [f"{language}/{page}" for page in sorted(missing)]


def switch_to_the_same_page() -> None:
    """Let the switch of languages lead to the page one is on, where the other language has it."""
    for page in SITE.rglob("index.html"):
        place = page.relative_to(SITE)
        own, plain = ("ja", place.relative_to("ja")) if place.parts[0] == "ja" else ("en", place)
        text = page.read_text(encoding="utf-8")
        for language, top in (("en", Path()), ("ja", Path("ja"))):
            there = SITE / top / plain
            if language == own or not there.is_file():
                continue
            up = "../" * (len(place.parts) - 1)
            link = (up + there.parent.relative_to(SITE).as_posix() + "/").replace("/./", "/")
            text = re.sub(
                rf'href="?[^"\s>]*"?(\s+hreflang="?{language}\b)', f'href="{link}"\\1', text
            )
        page.write_text(text, encoding="utf-8")


def fetched_from_outside() -> list[str]:
    """Return what a browser that opens the book would ask other servers for."""
    found = []
    for page in SITE.rglob("*"):
        if page.suffix in (".html", ".css"):
            text = page.read_text(encoding="utf-8")
            fetched = (next(filter(None, match.groups())) for match in _FETCHED.finditer(text))
            found += [f"{page.relative_to(SITE)}: {address}" for address in fetched]
    return found


if __name__ == "__main__":
    sys.exit(main())
