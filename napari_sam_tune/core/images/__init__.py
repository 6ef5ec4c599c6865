"""Reading image files, their headers, and what surface they show."""
