"""Demoville: a made-up city that uses every key of a declared jurisdiction."""

from open311.plugins import declared

jurisdiction = declared.load(__package__)
