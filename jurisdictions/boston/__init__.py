"""Boston: the 118 services of 2018 with their departments, eight of 2026, and other codes as aliases."""

from open311.plugins import declared

jurisdiction = declared.load(__package__)
