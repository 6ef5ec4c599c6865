"""Fails where a Qt binding is installed: the core's tests must prove it needs none."""

import importlib.util
import sys

found = [n for n in ("PyQt5", "PyQt6", "PySide2", "PySide6") if importlib.util.find_spec(n)]
if found:
    sys.exit(f"This environment should hold no Qt binding, but has {', '.join(found)}.")
