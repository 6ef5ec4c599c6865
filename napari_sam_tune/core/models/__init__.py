"""Base models: architectures, checkpoints, adapters, and files of tuned weights."""
