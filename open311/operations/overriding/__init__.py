"""Overrides: what admins of a city change in texts and questions, beside the files of the city."""
