"""`python -m napari_sam_tune`, which torchrun starts too, is the command line."""

from napari_sam_tune.cli import main

main()
