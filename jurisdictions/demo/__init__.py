"""Demoville: a made-up city that shows everything a declared jurisdiction can say."""

from open311.plugins import declared

jurisdiction = declared.load(__package__)
