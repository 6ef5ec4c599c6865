"""How verbs say what they left out, and what `--strict` makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from napari_sam_tune.commands.terminal import say, warn

if TYPE_CHECKING:
    from napari_sam_tune.core.exchange.left_out import LeftOut

Strict = Annotated[
    bool, typer.Option("--strict", help="Exit with 1 if anything at all was left out.")
]


def say_left_out(left_out: LeftOut, *, strict: bool) -> None:
    """Print what was left out, counted, with the reasons.

    Raises:
        Exit: with 1, if something was and `strict` asks for everything.

    """
    for kind, count in sorted(left_out.counts.items()):
        warn("Left out:", f"{count} × {kind}")
        listed = left_out.reasons.get(kind, [])
        for reason in listed:
            say("  ", reason)
        if listed and count > len(listed):
            say(f"  … and {count - len(listed)} more.")
    if strict and left_out:
        raise typer.Exit(1)
