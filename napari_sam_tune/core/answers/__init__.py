"""From a prompt to a mask."""
