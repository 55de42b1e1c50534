"""Bloomington, Indiana: uReport's catalogue of 2012 with its hex codes."""

from open311.plugins import declared

jurisdiction = declared.load(__package__)
