"""The one door for XML that others wrote: no entities, which can fill the memory or name files.

And the one way that it is written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree

from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.texts.plain_text import visible
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from pathlib import Path


_NO_XML: Final = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]")
"""What XML 1.0 has no way to write; a carriage return becomes another character there."""


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


def write_xml(root: ElementTree.Element, file: Path) -> None:
    """Write an XML file in UTF-8, an element a line.

    Raises:
        SamTuneError: a text, such as the name of a class, holds a character that XML has not.

    """
    for element in root.iter():
        for text in (element.text, *element.attrib.values()):
            if text is not None and (found := _NO_XML.search(text)) is not None:
                raise SamTuneError(
                    tr(
                        "XML cannot hold the character {character} in “{said}”. Rename what is "
                        "called so, or export as COCO.",
                        character=visible(found[0]),
                        said=visible(text)[:80],
                    )
                )
    tree = ElementTree.ElementTree(root)
    ElementTree.indent(tree)
    tree.write(file, encoding="utf-8", xml_declaration=True)
