"""The dock's texts in another language, as Qt hands them out."""

from __future__ import annotations

from string import Formatter
from xml.etree import ElementTree

from napari_sam_tune.core.texts.wording import tr
from napari_sam_tune.ui.translation import TRANSLATIONS, use_language


def test_every_text_is_said_in_japanese_for_one_and_for_many(qapp):
    """Letters of all kinds stand in them, and in what they are for one."""
    use_language(["ja"])
    try:
        for message in ElementTree.parse(TRANSLATIONS / "ja.ts").iter("message"):
            text, one = message.findtext("source"), message.findtext("comment", "")
            forms = [form.text for form in message.iter("numerusform")]
            forms = forms or [message.findtext("translation")]
            names = {name for _, name, _, _ in Formatter().parse(text) if name}
            values = dict.fromkeys(names, 7)
            for n, form in ((1, forms[0]), (7, forms[-1])):
                if one or "n" in names:
                    values["n"] = n
                assert tr(text, one, **values) == (form.format(**values) if values else form)
    finally:
        use_language(["en"])
