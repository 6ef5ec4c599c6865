"""What a person is doing: opening, annotating, suggesting, fine-tuning."""
