"""Text from outside, such as names of files and classes, written so that it stays text.

A terminal, Markdown, a spreadsheet and JSON each take some characters for more than they are: for
a colour, a link, a formula, or for nothing they can hold.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Mapping

_HIDDEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters, marks that turn the direction of writing, and halves of characters."""
_MARKDOWN: Final = re.compile(r"[\\`*\[\]<>|~&$#]|(?<![^\W_])_|_(?![^\W_])|:(?=//)")
"""What Markdown may take for more than a character; an underscore only at the edge of a word."""
_FORMULA: Final = re.compile(r"'*[=+\-@\t\r\n]")


def is_text(value: object) -> TypeGuard[str]:
    """Whether a value is a text that files can hold; names of files need not be Unicode."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def visible(text: object) -> str:
    r"""Return a text with its control characters written out, such as \x1b for escape."""
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), str(text))


def in_markdown(text: object) -> str:
    """Return what shows as that text where Markdown is read."""
    return _MARKDOWN.sub(r"\\\g<0>", visible(text))


def code_in_markdown(text: object) -> str:
    """Return a text as a code span, whatever is in it."""
    said = visible(text)
    fence = "`" * (_longest_run(said) + 1)
    return f"{fence} {said} {fence}" if len(fence) > 1 else f"`{said}`"


def block_in_markdown(text: str, language: str) -> str:
    """Return lines of text as a code block, whatever is in them."""
    fence = "`" * max(_longest_run(text) + 1, 3)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def in_spreadsheet(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula; `from_spreadsheet` undoes it."""
    return f"'{text}" if _FORMULA.match(text) else text


def from_spreadsheet(cell: str) -> str:
    """Return the text that `in_spreadsheet` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def row_from_spreadsheet(row: Mapping[str, object]) -> dict[str, str]:
    """Return the texts of a row that `csv.DictReader` read; cells under no column are left out."""
    return {name: from_spreadsheet(cell) for name, cell in row.items() if isinstance(cell, str)}
