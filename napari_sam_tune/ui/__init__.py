"""The napari dock: one face of `Session`. Only modules below here import napari and Qt."""
