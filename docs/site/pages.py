"""Which pages the book has, where they come from, and where their links lead.

Sources lie where a reader of the repository finds them, `docs/en` and `docs/ja`, beside a few of
the repository's own pages; the book is put together of them and of what `reference` makes from the
code.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
LANGUAGES: Final = ("en", "ja")
TAKEN_IN: Final = {
    "CONTRIBUTING.md": "explanation/contributing.md",
    "benchmarks/README.md": "explanation/benchmarks.md",
    "CHANGELOG.md": "reference/changelog.md",
}
"""Pages of the repository that are in the book as they stand."""
MADE: Final = ("command-line", "configuration", "api", "keys", "mask-formats")
"""Pages of `reference/` that are made from the code, English alone."""
MUST_FOLLOW: Final = ("tutorials", "how-to")
"""Folders whose Japanese may not fall behind the English."""

_LINK: Final = re.compile(r'(\]\(|\ssrc="|\shref=")([^)"\s]+)([)"])')
_FENCE: Final = re.compile(r"^ *(```+|~~~+).*?^ *\1 *$", re.DOTALL | re.MULTILINE)
_CODE: Final = re.compile(r"`[^`\n]+`")
_MADE_FROM: Final = re.compile(r"\A---\nenglish: (\w+)\n---\n")


class Broken(Exception):
    """A page names something that is not there."""


def places(language: str) -> dict[Path, str]:
    """Return every source of a language's pages and its place in that language's site."""
    folder = DOCS / language
    own = {path: path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.md"))}
    if language != "en":
        return own
    made = {folder / "reference" / f"{name}.md": f"reference/{name}.md" for name in MADE}
    return own | made | {ROOT / source: place for source, place in TAKEN_IN.items()}


def hash_of(text: str) -> str:
    """Return what a translation names the English text by that it was made from."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def translations() -> Iterator[tuple[str, str | None, str]]:
    """Yield each Japanese page's place, the hash it names and that of the English page now."""
    taken_in = {place: ROOT / source for source, place in TAKEN_IN.items()}
    for path, place in places("ja").items():
        english = taken_in.get(place, DOCS / "en" / place)
        now = hash_of(english.read_text(encoding="utf-8")) if english.is_file() else ""
        found = _MADE_FROM.match(path.read_text(encoding="utf-8"))
        yield place, found[1] if found else None, now


def text_of(path: Path) -> str:
    """Return a page's text without the line that says what it was translated from."""
    return _MADE_FROM.sub("", path.read_text(encoding="utf-8"))


def links(text: str) -> Iterator[re.Match[str]]:
    """Yield links and pictures of a page, those in examples left out."""
    hidden = [span.span() for pattern in (_FENCE, _CODE) for span in pattern.finditer(text)]
    for found in _LINK.finditer(text):
        if not any(start <= found.start() < end for start, end in hidden):
            yield found


def is_outside(target: str) -> bool:
    """Whether a link leads out of the repository, or stays on its page."""
    return re.match(r"[a-z]+:|#", target) is not None


def in_the_book(source: Path, language: str) -> str:
    """Return a page's text with all its links as they are in the site of that language.

    Raises:
        Broken: it names a page or a picture that is not there, or is not in the book.

    """
    text, place = text_of(source), places(language)[source]
    pieces, end = [], 0
    for found in links(text):
        if not is_outside(found[2]):
            pieces += [text[end : found.start(2)], _place(found[2], source, place, language)]
            end = found.end(2)
    return "".join((*pieces, text[end:]))


def _place(target: str, source: Path, place: str, language: str) -> str:
    name, mark, anchor = target.partition("#")
    there = Path(os.path.normpath(source.parent / name))
    own, english = places(language), places("en")
    translated = DOCS / language / english.get(there, "-")
    if there in own:
        return _relative(own[there], place) + mark + anchor
    if translated in own and translated != source:
        raise Broken(f"{source.relative_to(ROOT)} links to English, but {translated} is there")
    if there in english:  # from another language: the page as it is served
        up = "../" * (place.count("/") + (not place.endswith("index.md")) + 1)
        return (
            up + english[there].removesuffix("index.md").removesuffix(".md") + "/" + mark + anchor
        )
    for folder in (DOCS / language / "images", DOCS / "images"):
        # of a dock in that language, or else of the English one
        if there.is_relative_to(folder) and any(
            (images / there.name).is_file() for images in (folder, DOCS / "images")
        ):
            return _relative(f"images/{there.name}", place) + mark + anchor  # #only-dark
    raise Broken(
        f"{source.relative_to(ROOT)} names {target}, which is not there or not in the book"
    )


def _relative(target: str, place: str) -> str:
    return os.path.relpath(target, Path(place).parent).replace(os.sep, "/")
