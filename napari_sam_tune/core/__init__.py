"""The product without pixels: no module below here imports napari, Qt or a command line."""
