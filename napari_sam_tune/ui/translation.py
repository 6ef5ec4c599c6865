"""The dock in the language of the computer: English in the code, each other language one file.

Texts go through Qt's translation (`core/texts/wording.py` says how they are written). What Qt's
lupdate writes, `resources/translations/LANGUAGE.ts`, is read as it is: neither PyQt6 nor PySide6 is
sure to bring the program that compiles it.
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from qtpy.QtCore import QCoreApplication, QLocale, QTranslator

from napari_sam_tune.core.texts.wording import use_translation

if TYPE_CHECKING:
    from collections.abc import Iterable

TRANSLATIONS = Path(str(files("napari_sam_tune"))) / "resources" / "translations"
_CONTEXT = "napari-sam-tune"
_FEWEST_LETTERS = 12
"""Of its own that a text with values must have to be recognised: “{name}: {n} masks” may be any."""


def use_language(wanted: Iterable[str] | None = None) -> None:
    """Show texts in the first of these languages that is there; English always is.

    Args:
        wanted: names such as "ja" or "pt-BR", best first; None for those of the computer.

    """
    file = _best(languages_of_computer() if wanted is None else wanted)
    application = QCoreApplication.instance()
    in_use = application.findChildren(Translation)
    if [translation.file for translation in in_use] == ([] if file is None else [file]):
        return
    for translation in in_use:
        application.removeTranslator(translation)
        translation.setParent(None)
    if file is not None:
        application.installTranslator(Translation(file))
    if file is None:
        use_translation(None)
    else:
        use_translation(_translate, application.findChild(Translation).recognise)


def languages_of_computer() -> list[str]:
    """Return the names of the languages its person wants to read, best first."""
    return list(QLocale.system().uiLanguages())


def _best(names: Iterable[str]) -> Path | None:
    """Return the file of the first language that is there, or None for English."""
    for name in names:
        file = TRANSLATIONS / f"{name}.ts"
        if file.is_file():
            return file
        if name.split("-")[0] in ("en", "C"):
            return None
    return None


def _translate(text: str, _: str, n: int | None) -> str | None:
    # what a text is for one tells no two apart, and PyQt6 takes ASCII alone in its place
    said = QCoreApplication.translate(_CONTEXT, text, None, -1 if n is None else n)
    return None if said == text else said


class Translation(QTranslator):
    """The texts of one language, child of the application.

    Args:
        file: in the format of Qt Linguist.

    Raises:
        ValueError: its texts have more than two forms, among which only Qt knows how to choose.

    """

    def __init__(self, file: Path) -> None:
        super().__init__(QCoreApplication.instance())
        self.file = file
        self._forms: dict[str, list[str]] = {}
        for message in ElementTree.parse(file).iter("message"):  # noqa: S314 - our own file
            source = message.findtext("source", "")
            translation = message.find("translation")
            if translation is None or translation.get("type") in ("vanished", "obsolete"):
                continue
            forms = [form.text or "" for form in translation.iter("numerusform")]
            if len(forms) > 2:
                raise ValueError(f"{file}: more than two forms of “{source}” are not known here.")
            self._forms[source] = forms or [translation.text or ""]
        self._patterns: dict[str, re.Pattern[str]] = {}

    def isEmpty(self) -> bool:  # noqa: N802 - Qt's name
        """Whether there is nothing to say: Qt would not ask."""
        return not self._forms

    def translate(
        self, context: str, source: str, disambiguation: str | None = None, n: int = -1
    ) -> str | None:
        """Return a text of ours in the language; None of others, and where it is missing."""
        forms = self._forms.get(source) if context == _CONTEXT else None
        return (forms[0 if n == 1 else -1] or None) if forms else None

    def recognise(self, said: str) -> str | None:
        """Return the translation of an English text of ours that has its values in it, or None.

        Args:
            said: what `tr` gave where English is spoken. Where several texts would give that, the
                one with most words of its own is meant.

        """
        if (forms := self._forms.get(said)) is not None and "{" not in said:
            return forms[-1] or None
        found: list[tuple[int, str, dict[str, str]]] = []
        for source in self._forms:
            words = [words for words, *_ in Formatter().parse(source)]
            if "{" not in source or any(part not in said for part in words):
                continue
            own = sum(len(re.findall(r"[A-Za-z]", part)) for part in words)
            if own >= _FEWEST_LETTERS and (match := self._pattern(source).fullmatch(said)):
                found.append((own, source, match.groupdict()))
        if not found:
            return None
        _, source, values = max(found, key=lambda one: one[0])
        translated = {name: self.recognise(value) or value for name, value in values.items()}
        return _filled(self._forms[source][-1], translated) or None

    def _pattern(self, source: str) -> re.Pattern[str]:
        """Return what finds a text with values in it."""
        if source not in self._patterns:
            pattern, seen = "", set()
            for words, name, *_ in Formatter().parse(source):
                pattern += re.escape(words)
                if name is not None:
                    pattern += f"(?P={name})" if name in seen else f"(?P<{name}>.+?)"
                    seen.add(name)
            self._patterns[source] = re.compile(pattern, re.DOTALL)
        return self._patterns[source]


def _filled(text: str, values: dict[str, str]) -> str:
    """Put in values that are written already, whatever form the text asks for."""
    return "".join(
        words + ("" if name is None else values.get(name, ""))
        for words, name, *_ in Formatter().parse(text)
    )
