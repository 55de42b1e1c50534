"""Chicago: 191 batch services; the departments of 94 of them are known from the open data."""

from open311.plugins import declared

jurisdiction = declared.load(__package__)
