"""The starter: our own small promptable model, and everything it was made with."""
