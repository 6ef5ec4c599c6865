"""What fine-tuning is worth: simulated work, measures, comparisons, reports, charts."""
