"""What napari itself reads and writes through the plugin."""
