"""Demoville: a made-up city that shows how most keys of a declared jurisdiction are used."""

from open311.plugins import declared

jurisdiction = declared.load(__package__)
