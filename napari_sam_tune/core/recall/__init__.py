"""Masks of the same part, accepted on another photograph."""
