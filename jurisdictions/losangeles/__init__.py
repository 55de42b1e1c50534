"""Los Angeles: the twelve kinds of MyLA311 request and the bureaus that do the work."""

from open311.plugins import declared

jurisdiction = declared.load(__package__)
