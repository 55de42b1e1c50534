"""San Francisco: the services of 2026 and 2012, which Public Works, SFMTA and SFPUC handle."""

from open311.plugins import declared

jurisdiction = declared.load(__package__)
