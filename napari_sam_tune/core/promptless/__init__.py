"""The head that needs no prompt: model, training, where it is kept."""
