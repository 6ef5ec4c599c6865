"""Files that survive a crash, append-only logs and tables, the cache of embeddings."""
