"""The one door for XML that others wrote: no entities, which can fill the memory or name files."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from napari_sam_tune.core.errors import SamTuneError

if TYPE_CHECKING:
    from pathlib import Path


def read_xml(file: Path) -> ElementTree.Element:
    """Read an XML file and return its root.

    Raises:
        SamTuneError: it cannot be read, is malformed, declares anything, or is not in UTF-8.

    """
    try:
        text = file.read_bytes()
        # a few lines of entities may fill the memory; other encodings would hide them
        if b"<!" in text.replace(b"<!--", b"") or b"\0" in text:
            raise SamTuneError(
                f"{file} declares entities or is not in UTF-8; no format needs that."
            )
        return ElementTree.fromstring(text)  # noqa: S314
    except OSError as error:
        raise SamTuneError(f"{file} cannot be read: {error.strerror}.") from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise SamTuneError(f"{file} is not valid XML: {error}. Export it again.") from error
