"""The service: an endpoint, a page, and the work done for other computers."""
