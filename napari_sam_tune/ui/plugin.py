"""What the manifest points to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import napari

    from napari_sam_tune.ui.panel import Panel


def label_and_learn(viewer: napari.viewer.Viewer) -> Panel:
    """Make the dock; napari calls this from its menus."""
    from napari_sam_tune.ui.controller import Controller
    from napari_sam_tune.ui.panel import Panel

    panel = Panel()
    # The panel keeps its controller alive, and takes it along when it goes.
    panel.controller = Controller(viewer, panel)
    return panel


def sample_images() -> list[tuple[Any, dict[str, Any], str]]:
    """Return the sample images as napari layers, for File ▸ Open Sample."""
    from napari_sam_tune.core.images import list_images, read_image
    from napari_sam_tune.ui.opening import displayable
    from napari_sam_tune.ui.queue import SAMPLE_IMAGES

    paths = list_images(SAMPLE_IMAGES)
    return [
        (displayable(read_image(path)), {"name": path.name, "visible": path == paths[-1]}, "image")
        for path in paths
    ]
