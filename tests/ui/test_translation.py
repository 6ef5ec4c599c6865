"""The dock's texts in another language, as Qt hands them out."""

from __future__ import annotations

from string import Formatter
from xml.etree import ElementTree

from napari_sam_tune.core.texts.wording import heard, tr
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


def test_what_a_server_said_in_english_is_recognised(qapp):
    """Values are found again; what is nobody's text stays."""
    english = [
        tr("The disk of the server {address} is full.", address="http://a:1"),
        tr(
            "The loss was not a finite number at step {step} of {steps}. {stay} Try a smaller "
            "learning rate, and look for masks or images that are damaged.",
            step=3,
            steps=12,
            stay=tr("The weights in use stay."),
        ),
    ]
    said = f"{english[0]} Nobody said this. {english[1]}"
    use_language(["ja"])
    try:
        assert heard(english[0]) == "サーバーhttp://a:1のディスクがいっぱいです。"
        assert heard("Nobody said this.") == "Nobody said this."
        whole = heard(said)
        assert heard(english[0]) in whole
        assert "Nobody said this." in whole
        assert "12ステップのうち3ステップ目" in whole
        assert "使用中の重みはそのままです。" in whole
        missed = []
        for message in ElementTree.parse(TRANSLATIONS / "ja.ts").iter("message"):
            text = message.findtext("source")
            names = {name for _, name, _, _ in Formatter().parse(text) if name}
            if message.get("numerus") == "yes" or not names:
                continue
            values = dict.fromkeys(names, 7)
            form = message.findtext("translation")
            if sum(c.isascii() and c.isalpha() for c in text) > 60 and (
                heard(text.format(**values)) != form.format(**values)
            ):
                missed.append(text)
        assert missed == []
    finally:
        use_language(["en"])
    assert heard(said) == said
