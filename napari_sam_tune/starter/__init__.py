"""The workshop in which the embedded model is made; only the command line uses it."""
