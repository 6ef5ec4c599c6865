"""The one door for JSON, YAML and CSV that others wrote: plain errors, and bounds on what comes in.

A few lines of YAML can stand for thousands of millions of values, by aliases, and brackets within
brackets end in the depths of whoever walks through them later.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from typing import TYPE_CHECKING, Any, Final

import yaml

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.texts.plain_text import row_from_spreadsheet
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

MOST_LEVELS: Final = 64
"""Of brackets within brackets."""
MOST_YAML_BYTES: Final = 1 << 20
_MOST_YAML_PARTS: Final = 50_000
_MOST_LETTERS: Final = 10_000  # of a value: long numbers with colons are multiplied out
_LARGEST: Final = 1 << 63
_BETWEEN_CELLS: Final = ",;\t"
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where it is


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises:
        SamTuneError: it is missing, malformed (says where), holds something else, or is out of
            bounds (see `check_bounds`).

    """
    document = read_json_value(path)
    if not isinstance(document, dict):
        raise SamTuneError(
            tr("{path} should hold a JSON object {{…}}; export it again.", path=path)
        )
    return document


def read_json_value(path: Path) -> Any:
    """Read a JSON file that holds an object, a list or a value; raises as `read_json` does."""
    return _parsed_json(_content(path), path)


def parse_json(text: str, name: object) -> Any:
    """Read JSON that stands within something else, called `name`; raises as `read_json` does."""
    return _parsed_json(text.encode(), name)


def _parsed_json(content: bytes, path: object) -> Any:
    try:
        document = json.loads(decoded(content))
        if b"\\ud" in content.lower():  # halves of a character, which no file could hold
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise SamTuneError(
            tr("{path} is not valid JSON: {error}. Export it again.", path=path, error=error)
        ) from error
    if isinstance(document, dict | list):
        check_bounds(document, path)
    return document


def decoded(content: bytes) -> str:
    """Decode text in UTF-8, or in UTF-16 where its byte order mark says so; raises as `decode`."""
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if wide else "utf-8-sig")


def check_bounds(document: Collection[Any], name: object) -> None:
    """Refuse what no format needs, and what those who walk through a document do not expect.

    Args:
        document: lists and dicts, as JSON has them.
        name: what it is called in the error.

    Raises:
        SamTuneError: lists and objects lie more than 64 deep in each other, or a whole number has
            more than 64 bits.

    """
    level = [document]
    for _ in range(MOST_LEVELS):
        below = []
        for one in level:
            for value in one.values() if isinstance(one, dict) else one:
                kind = type(value)
                if kind is dict or kind is list:
                    below.append(value)
                elif kind is int and not -_LARGEST <= value < _LARGEST:
                    raise SamTuneError(
                        tr("{name} has a number of more than 64 bits: export it again.", name=name)
                    )
        if not below:
            return
        level = below
    raise SamTuneError(
        tr(
            "{name} has lists or objects more than {levels} deep in each "
            "other, which no format has: export it again.",
            name=name,
            levels=MOST_LEVELS,
        )
    )


def read_yaml(path: Path) -> Any:
    """Read a YAML file; raises as `parse_yaml` does, and where there is none, or a long one."""
    content = _content(path, MOST_YAML_BYTES + 1)
    if len(content) > MOST_YAML_BYTES:
        raise SamTuneError(
            tr(
                "{path} is longer than a megabyte, which is the most that is read of "
                "YAML: is it the right file?",
                path=path,
            )
        )
    try:
        text = decoded(content)
    except UnicodeDecodeError as error:
        raise SamTuneError(
            tr("{path} is not valid YAML: {error}. Save it in UTF-8.", path=path, error=error)
        ) from error
    return parse_yaml(text, str(path))


def parse_yaml(text: str, name: str) -> Any:
    """Read YAML of plain values.

    Args:
        text: the YAML.
        name: what it is called in errors.

    Raises:
        SamTuneError: it is malformed, has aliases (`*name`), or is deeper, or of more or longer
            values, than a config or a list of classes needs.

    """
    try:
        _check_events(text, name)
        return yaml.load(text, Loader=_LOADER)  # noqa: S506  safe, either of them
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        why = " ".join(str(error).split())
        raise SamTuneError(tr("{name} is not valid YAML: {why}.", name=name, why=why)) from error


def read_csv(path: Path, needed: Collection[str] = ()) -> list[tuple[int, dict[str, str]]]:
    """Read a CSV file whose first line names the columns, as spreadsheets write it.

    Commas, semicolons or tabs part the cells, whichever the first line has most of: what a
    spreadsheet saves depends on its language.

    Args:
        path: in UTF-8, or in UTF-16 with a byte order mark.
        needed: columns that must be there.

    Returns:
        The number of each line, and its cells by column, see `plain_text.in_spreadsheet`. Cells
        that are missing are empty; those under no column are left out.

    Raises:
        SamTuneError: it is missing, no such text, or lacks a column.

    """
    try:
        text = decoded(_content(path))
        first = text.partition("\n")[0]
        file = io.StringIO(text, newline="")
        parted = max(_BETWEEN_CELLS, key=first.count)
        reader = csv.DictReader(file, restkey="", restval="", delimiter=parted)
        names = [name for name in reader.fieldnames or () if name]
        if missing := sorted(set(needed) - set(names)):
            known = f"it has {', '.join(names)}" if names else "it has none"
            raise SamTuneError(f"{path} has no column {', '.join(missing)}; {known}.")
        return [(reader.line_num, row_from_spreadsheet(row)) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise SamTuneError(f"{path} cannot be read as CSV in UTF-8: {error}.") from error


def _check_events(text: str, name: str) -> None:
    """Look at all there is, part by part, before anything is made of it."""
    depth = 0
    for number, event in enumerate(yaml.parse(text, Loader=_LOADER)):
        if isinstance(event, yaml.AliasEvent):
            raise SamTuneError(
                tr(
                    "{name} has the alias *{anchor}, which is not read: a few lines of "
                    "these can fill the memory. Write out what it stands for.",
                    name=name,
                    anchor=event.anchor,
                )
            )
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        is_long = isinstance(event, yaml.ScalarEvent) and len(event.value) > _MOST_LETTERS
        if is_long or depth > MOST_LEVELS or number > _MOST_YAML_PARTS:
            raise SamTuneError(
                tr(
                    "{name} has more, longer or deeper values than are read of YAML "
                    "({parts:,} parts, {letters:,} letters each, "
                    "{levels} levels): is it the right file?",
                    name=name,
                    parts=_MOST_YAML_PARTS,
                    letters=_MOST_LETTERS,
                    levels=MOST_LEVELS,
                )
            )


def _content(path: Path, most: int = -1) -> bytes:
    try:
        if path.exists() and not path.is_file():  # reading a pipe or a device might never end
            raise SamTuneError(
                tr("{path} cannot be read: it is no ordinary file. Give a file.", path=path)
            )
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise SamTuneError(
            tr(
                "{path} cannot be read: {why}. Check its name.",
                path=path,
                why=error.strerror,
            )
        ) from error
