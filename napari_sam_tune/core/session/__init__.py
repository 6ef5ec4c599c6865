"""What a person or a robot does with an open project."""
