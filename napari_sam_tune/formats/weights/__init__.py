"""Tuned weights in the formats of other programs, each with a model card."""
