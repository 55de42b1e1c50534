"""Overrides: what admins of a city change in texts and questions without changing the city's files."""
