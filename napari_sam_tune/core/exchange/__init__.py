"""Whole data sets: in, out, and two projects joined."""
