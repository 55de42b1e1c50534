"""New York City: the complaint types of the open data, with the agencies that get them."""

from open311.plugins import declared

jurisdiction = declared.load(__package__)
