"""San Francisco: Public Works, SFMTA and SFPUC behind the catalogues of 2026 and 2012."""

from open311.plugins import declared

jurisdiction = declared.load(__package__)
