"""Make the pages of the reference that follow from the code: options, settings, keys, formats."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args, get_origin

import typer
from pages import DOCS, MADE, Broken
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from napari_sam_tune.cli import app
from napari_sam_tune.core import config
from napari_sam_tune.formats.registry import FORMATS
from napari_sam_tune.formats.weights.catalogue import WEIGHTS_FORMATS
from napari_sam_tune.ui.canvas.keys import DEFAULT_KEYS, KEY_TITLES, key_text
from napari_sam_tune.ui.views.keys_dialog import FIXED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FOLDER = DOCS / "en" / "reference"
_MODULE = "napari_sam_tune"
API = (
    ("Predictor", "core.answers.predictor.Predictor", "A model with an image open."),
    ("Prompt", "core.prompts.Prompt", "What a person has said about an object."),
    ("Proposal", "core.prompts.Proposal", "What the model answers."),
    ("Project", "core.project.project.Project", "The folder with images, masks and weights."),
    ("Session", "core.session.session.Session", "What a person or a program does with both."),
    ("TrainConfig", "core.config.TrainConfig", "See [configuration](configuration.md) too."),
    ("SamTuneError", "core.errors", "Every error that this package raises on purpose."),
)


def write() -> None:
    """Write the pages beside those that are written by hand."""
    made = {
        "command-line": command_line(),
        "configuration": configuration(),
        "api": api(),
        "keys": keys(),
        "mask-formats": formats(),
    }
    if tuple(made) != MADE:
        raise Broken("pages.MADE names other pages than are made here")
    for name, lines in made.items():
        (FOLDER / f"{name}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def remove() -> None:
    """Remove them again: they are not part of the repository."""
    for name in MADE:
        (FOLDER / f"{name}.md").unlink(missing_ok=True)


def command_line() -> Iterator[str]:
    """Yield the page of all verbs, from the program's own help."""
    yield from ("# The command line", "")
    yield (
        "Every verb of `napari-sam-tune` with its arguments and options. `napari-sam-tune VERB "
        "--help` says the same. Exit codes: 0 done, 1 refused (a sentence says why), 2 a usage "
        "error, 70 a fault of ours, 130 and 143 stopped by Ctrl+C and SIGTERM."
    )
    for name, verb in _verbs(typer.main.get_command(app)):
        yield from ("", f"## {name}", "", _plain(verb.help or ""), "")
        yield from _table(("say", "", "what it does"), map(_parameter, verb.params))


def _verbs(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, verb in group.commands.items():
        if hasattr(verb, "commands"):
            yield from _verbs(verb, f"{before}{name} ")
        else:
            yield before + name, verb


def _parameter(parameter: Any) -> tuple[str, str, str]:
    is_option = parameter.opts[0].startswith("-")
    name = parameter.name.strip("_").upper()
    flag = is_option and parameter.is_flag
    names = " / ".join((*parameter.opts, *parameter.secondary_opts)) if is_option else name
    value = f" {_type(parameter.type_descriptor.annotation)}" if is_option and not flag else ""
    default = parameter.default
    if parameter.required:
        said = "required"
    elif default in (None, False, "", [], ()) or callable(default):
        said = "again and again" if parameter.multiple else ""
    else:
        said = f"default `{str(default).lower() if default is True else default}`"
    return f"`{names}{value}`", said, _plain(parameter.help or "")


def _type(annotation: Any) -> str:
    if get_origin(annotation) in (list, tuple):
        annotation = get_args(annotation)[0]
    if get_origin(annotation) is not None and get_args(annotation):
        return "|".join(map(str, get_args(annotation)))
    return {"Path": "PATH", "str": "TEXT", "int": "N", "float": "X"}.get(
        getattr(annotation, "__name__", ""), "VALUE"
    )


def configuration() -> Iterator[str]:
    """Yield the page of all settings, from the models that check them."""
    yield from ("# Configuration of a training", "")
    yield (
        "`napari-sam-tune config` prints all of this as YAML. `train --config FILE` takes such a "
        "file, `--set KEY=VALUE` one setting, `lora.rank=8` one of a group. Wrong names and values "
        "are refused. Rounds in the dock are short; a run from the command line is long: where the "
        "two differ both defaults are given."
    )
    run = config.TrainConfig.for_a_run()
    for title, model in (
        ("A training", config.TrainConfig),
        ("`gate`: what a candidate must show", config.GateConfig),
        ("`lora`: low-rank adapters", config.LoraConfig),
        ("`head`: the head that needs no prompt", config.HeadConfig),
        ("`part_settings`: what a part does otherwise", config.PartConfig),
    ):
        yield from ("", f"## {title}", "", _plain(model.__doc__ or ""), "")
        rows = (_setting(name, field, run) for name, field in model.model_fields.items())
        yield from _table(("setting", "default", "what it is"), rows)
    yield from ("", "## Losses and their terms", "")
    terms = ((f"`{n}`", ", ".join(f"{w:g} × {t}" for t, w in ts.items())) for n, ts in _losses())
    yield from _table(("loss", "terms"), terms)


def _losses() -> Iterable[tuple[str, Any]]:
    return config.LOSSES.items()


def _setting(name: str, field: Any, run: BaseModel) -> tuple[str, str, str]:
    default = field.get_default(call_default_factory=True)
    if isinstance(default, BaseModel):
        return f"`{name}`", "see below", _plain(field.description or "")
    said = "none" if default is None or default is PydanticUndefined else f"`{default}`"
    other = getattr(run, name, default) if name in type(run).model_fields else default
    if other != default and type(run).model_fields.get(name) is field:
        said = f"round {said}, run `{other}`"
    bounds = ", ".join(
        f"{sign} {getattr(m, word):g}"
        for m in field.metadata
        for word, sign in (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"))
        if getattr(m, word, None) is not None
    )
    return f"`{name}`", said + (f"<br>{bounds}" if bounds else ""), _plain(field.description or "")


def api() -> Iterator[str]:
    """Yield the page of what a program imports; mkdocstrings fills it from the docstrings."""
    yield from ("# The Python interface", "")
    yield (
        "All of it is imported from `napari_sam_tune`. Images are arrays (H, W) or (H, W, C), "
        "masks (H, W) of bool; positions are (x, y) in image pixels, (0, 0) the centre of the "
        "first pixel. [Use it from Python](../tutorials/python.md) has examples."
    )
    yield ""
    yield from _table(
        ("name", "what it is"), ((f"[{n}](#{n.lower()})", what) for n, _, what in API)
    )
    for name, place, what in API:
        yield from ("", f"## {name}", "", what, "", f"::: {_MODULE}.{place}")
        yield from ("    options:", "      show_root_heading: false")
        if name in ("Session", "Project"):
            yield "      inherited_members: true"


def keys() -> Iterator[str]:
    """Yield the page of the keys, as they are bound at first."""
    yield from ("# Keys and mouse", "")
    yield (
        "As they are bound at first: every one can be changed in **Preferences ▸ SAM Tune**, and "
        "stands on its button. `?` in the dock shows them as they are bound now."
    )
    yield from ("", "## Mouse", "")
    mouse = (
        ("Click", "this is part of it"),
        ("Right click, ⇧ + click", "this is not part of it"),
        ("Drag", "a box around it (with Ctrl, where Preferences let a drag move the view)"),
        ("Ctrl + click", "select an accepted mask: class and review keys are for it"),
        ("Space held, or middle button, and drag", "move the view"),
        ("Wheel", "zoom"),
    )
    yield from _table(("do", "to say"), mouse)
    yield from ("", "## Keys", "")
    rows = ((f"<kbd>{key_text(k)}</kbd>", KEY_TITLES[n]) for n, k in DEFAULT_KEYS.items())
    yield from _table(("key", "what it does"), rows)
    yield from ("", "## napari's own, and those that stay", "")
    yield from _table(("key", "what it does"), ((f"<kbd>{k}</kbd>", what) for k, what in FIXED))


def formats() -> Iterator[str]:
    """Yield the page of the formats' names, from the registry."""
    yield from ("# Names of the formats", "")
    yield (
        "What `--format` takes, from the program's own list. What each of them can hold is on "
        "[Formats of masks](formats.md) and [Formats of weights](weights.md)."
    )
    yield from ("", "## Masks", "")
    rows = (
        (
            f"`{f.name}`",
            f.title,
            ("a file" if f.suffix else "a folder") if f.writer else "–",
            " ".join(f"`{_OPTIONS[n]}`" for n in f.needs) if f.reader else "–",
            f"`[{f.extra}]`" if f.extra else "",
        )
        for f in FORMATS.values()
    )
    yield from _table(("name", "what it is", "export writes", "import asks for", "extra"), rows)
    yield from ("", "## Weights", "")
    weights = (
        (f"`{f.name}`", f.title, f"a file `{f.suffix}`" if f.suffix else "two files, or a folder")
        for f in WEIGHTS_FORMATS.values()
    )
    yield from _table(("name", "what it is", "export writes"), weights)


_OPTIONS = {"path": "--from", "images": "--images", "masks": "--masks"}


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|").replace("<", "&lt;")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield f"| {' | '.join(row)} |"
