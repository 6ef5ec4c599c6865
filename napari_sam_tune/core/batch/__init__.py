"""Whole folders: embedded ahead, predicted."""
