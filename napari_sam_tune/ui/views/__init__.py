"""Widgets that show what they are told and say what was pressed; they know no session."""
