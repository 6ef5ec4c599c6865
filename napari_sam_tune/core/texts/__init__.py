"""Texts: those of others kept plain, ours in the language of who reads them."""
