"""Base models: their networks, their files, and where these come from."""
