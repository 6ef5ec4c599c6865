"""What is done to files and values to see what their readers make of them, and how much they may.

`SAM_TUNE_FUZZ` says how many inputs of each kind are tried; `tox -e stress` tries thousands.
"""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psutil
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from napari_sam_tune.core.errors import SamTuneError

if TYPE_CHECKING:
    from collections.abc import Iterator

INPUTS = int(os.environ.get("SAM_TUNE_FUZZ", "25"))
LONGEST = 2.0
"""Seconds of the processor that one input may take."""
MOST_MEMORY = 1 << 30

mangled = settings(
    max_examples=INPUTS,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@contextmanager
def bounded() -> Iterator[None]:
    """Nothing but our own errors, in little time and memory."""
    began = time.process_time()
    with suppress(SamTuneError):
        yield
    assert time.process_time() - began < LONGEST
    # with other tests before, as it is with few inputs, it says nothing
    assert INPUTS < 100 or psutil.Process().memory_info().rss < MOST_MEMORY


# ---- what is done to bytes and to values ----

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, 1, -1, 2**31, 2**63, -(2**63), 10**400, 1 << 24]),
    st.floats(),
    st.text(st.characters(exclude_categories=()), max_size=12),
    st.sampled_from(["\ud800", "\0", "../../x", "/etc/passwd", "a" * 5000, "[/x]", "nan", "base"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(max_size=6), inner, max_size=4),
    ),
    max_leaves=12,
)
DEEP = st.builds(json.loads, st.just("[" * 90 + "]" * 90))


@st.composite
def mangled_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """Some bytes changed, taken out, doubled, zeroed or put in; or the end cut off."""
    for _ in range(draw(st.integers(1, 3))):
        # damage to heads, where lengths and names are, is more interesting than to numbers
        near = draw(st.sampled_from([16, 200, max(len(content), 1)]))
        at = draw(st.integers(0, min(near, len(content))))
        length = draw(st.integers(1, 40))
        put_in = draw(st.binary(max_size=16))
        match draw(st.sampled_from(["change", "take", "double", "zero", "put in", "cut", "ones"])):
            case "change":
                content = content[:at] + put_in + content[at + len(put_in) :]
            case "take":
                content = content[:at] + content[at + length :]
            case "double":
                content = content[: at + length] + content[at:]
            case "zero":
                content = content[:at] + bytes(length) + content[at + length :]
            case "ones":
                content = content[:at] + b"\xff" * length + content[at + length :]
            case "put in":
                content = content[:at] + put_in + content[at:]
            case "cut":
                content = content[:at]
    return content


def places_in(value: Any) -> list[tuple[Any, Any]]:
    """All (container, key) in a value of JSON."""
    found: list[tuple[Any, Any]] = []
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in inside:
        found.append((value, key))
        if isinstance(part, dict | list):
            found += places_in(part)
    return found


@st.composite
def mangled_value(draw: st.DrawFn, value: Any) -> Any:
    """Parts of a value of JSON in the place of others, left out, or put in."""
    value = json.loads(json.dumps(value))
    for _ in range(draw(st.integers(1, 3))):
        places = places_in(value)
        if not places:
            break
        container, key = draw(st.sampled_from(places))
        if draw(st.booleans()):
            container[key] = draw(st.one_of(VALUES, DEEP))
        elif draw(st.booleans()):
            del container[key]
        elif isinstance(container, dict):
            container[draw(st.text(max_size=5))] = draw(VALUES)
    return value


def as_bytes(value: Any) -> bytes:
    """JSON as Python writes it, halves of characters and all."""
    return json.dumps(value, ensure_ascii=True).encode()


WORDS = re.compile(rb"[^\s\"'<>=,;:\[\](){}/]+")
ODD = [
    *(b"", b"0", b"-1", b"1e400", b"-inf", b"nan", b"9" * 400, b"1_0", b"0x1f", b"[/x]"),
    *("\u0661".encode(), "\u88c2\u7eb9".encode(), b"\xff\xfe", b"\0", b"..", b"../../x"),
    *(b"a" * 5000, b"&lt;", b"&b;", b"%s", b"=1+1", b"/etc/passwd", b"true", b"null"),
]


@st.composite
def mangled_words(draw: st.DrawFn, content: bytes) -> bytes:
    """A few words or numbers of a text in the place of others, or odd ones there."""
    for _ in range(draw(st.integers(1, 3))):
        found = list(WORDS.finditer(content))
        if not found:
            break
        at = draw(st.sampled_from(found))
        other = draw(st.one_of(st.sampled_from(ODD), st.sampled_from(found).map(lambda m: m[0])))
        content = content[: at.start()] + other + content[at.end() :]
    return content
