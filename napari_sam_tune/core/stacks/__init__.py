"""Carrying masks from plane to plane of a stack."""
