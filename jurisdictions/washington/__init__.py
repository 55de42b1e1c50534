"""Washington DC: the District's 86 services and the agencies that do the work."""

from open311.plugins import declared

jurisdiction = declared.load(__package__)
