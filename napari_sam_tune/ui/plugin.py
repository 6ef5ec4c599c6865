"""What the manifest points to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam_tune.ui.controller import Controller
from napari_sam_tune.ui.translation import use_language
from napari_sam_tune.ui.views.panel import Panel

if TYPE_CHECKING:
    import napari


class LabelAndLearn(Panel):
    """The dock; napari makes one from its menus.

    Args:
        napari_viewer: the viewer it is docked in.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        use_language()
        super().__init__()
        # napari hands plugins a proxy, whose layers are proxies too and never the same twice.
        viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self.controller = Controller(viewer, self)


def sample_images() -> list[tuple[Any, dict[str, Any], str]]:
    """Return the sample images as napari layers, for File ▸ Open Sample."""
    from napari_sam_tune.core.images.files import list_images, read_image
    from napari_sam_tune.ui.canvas.looks import displayable
    from napari_sam_tune.ui.queue import SAMPLE_IMAGES

    paths = list_images(SAMPLE_IMAGES)
    return [
        (displayable(read_image(path)), {"name": path.name, "visible": path == paths[0]}, "image")
        for path in paths
    ]
