"""What is proposed without being asked, and the queue in which it waits for a yes or no."""
