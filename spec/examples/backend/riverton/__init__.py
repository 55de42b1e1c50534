"""Riverton: a made-up city whose works department has its own program."""

from open311.plugins import declared

jurisdiction = declared.load(__package__)
