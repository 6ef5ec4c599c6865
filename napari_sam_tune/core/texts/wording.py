"""Texts that people read, written in English and shown in their language.

A text is written `tr("{n} masks left", "1 mask left", n=left)`: what is translated is a literal,
values have names, and where the form of words depends on a number the text for one comes second. It
says the same, for other languages have one form for all numbers, or the same for 1 and 21. A text
that is made before it is shown, such as a constant of a module, is written `mark("Done")` and shown
by `tr(text)`. Qt's lupdate finds both. Here they stay English; the dock, which knows the language,
lends its translation (`ui/translation.py`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Translate = Callable[[str, str, int | None], str | None]
    Recognise = Callable[[str], str | None]

_translate: Translate | None = None
_recognise: Recognise | None = None
_SENTENCE_END = re.compile(r"(?<=[.?!”)]) (?=\S)")


def tr(text: str, one: str = "", *, n: int | None = None, **values: object) -> str:
    """Return a text in the language in use.

    Args:
        text: in English, with `{name}` or `{name:format}` where values go.
        one: the same for `n` = 1, where that is said otherwise.
        n: the number on which the form of words depends; a value too.
        values: by name.

    """
    said = None if _translate is None else _translate(text, one, n)
    if said is None:
        said = one if one and n == 1 else text
    if n is not None:
        values["n"] = n
    return said.format(**values) if values else said


def mark(text: str) -> str:
    """Return a text as it is: it is translated by `tr` when it is shown."""
    return text


def heard(text: str) -> str:
    """Return what another program of ours said, in English, in the language in use.

    A server, or the process that trains, speaks no other. Sentences that are nobody's texts stay
    as they are.

    Args:
        text: of any number of sentences, with their values in them.

    """
    if _recognise is None or not text:
        return text
    if (whole := _recognise(text)) is not None:
        return whole
    ends = [found.start() for found in _SENTENCE_END.finditer(text)]
    for end in reversed(ends):
        if (said := _recognise(text[:end])) is not None:
            return join_sentences(said, heard(text[end + 1 :]))
    return join_sentences(text[: ends[0]], heard(text[ends[0] + 1 :])) if ends else text


def join_sentences(*sentences: str | None) -> str:
    """Return whole sentences one after the other; those that are empty or None are left out."""
    said = ""
    for sentence in filter(None, sentences):
        said = tr("{before} {after}", before=said, after=sentence) if said else sentence
    return said


def join_names(names: Iterable[str]) -> str:
    """Return names as a list within a sentence."""
    return tr(", ").join(names)


def use_translation(translate: Translate | None, recognise: Recognise | None = None) -> None:
    """Have texts translated from now on.

    Args:
        translate: returns a text by its English, its English for one, and the number; None where
            it has none. None: texts stay English.
        recognise: returns a text by its English with its values in it, likewise.

    """
    global _translate, _recognise
    _translate, _recognise = translate, recognise
