"""Python's collector of garbage, kept from standing in the viewer's way."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.components import ViewerModel


@contextmanager
def collected_later() -> Iterator[None]:
    """Collect nothing meanwhile: what is imported stays.

    torch is 400,000 objects. While they come the collector would look through all of them five
    times, and find nothing; every thread waits for that, the viewer's too.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def pass_over_imports(viewer: ViewerModel, _: object = None) -> None:
    """Let the collector pass over all that is there, once the imports are through.

    Looking through it takes .3 s of the processor's time, whenever it comes to that: in the middle
    of a click, and each time a layer is removed, when napari collects.

    Where there are layers already, which must be let go of when they are removed, it looks through
    all as before, but not as if it were new.
    """
    gc.freeze()
    if viewer.layers:
        gc.unfreeze()
