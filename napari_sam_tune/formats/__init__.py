"""Masks in and out of the formats people use, one small module each."""
