"""Fine-tuning on accepted masks: `fit` is the loop, a `TrainingJob` says what to train on.

Importing this package loads neither torch nor a model; `fit`, `loss`, `prompting` and `judge` do.
"""
