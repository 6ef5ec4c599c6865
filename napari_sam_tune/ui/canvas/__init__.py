"""The plugin's own layers, gestures on them, and keys."""
