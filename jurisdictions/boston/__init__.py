"""Boston: the 118 services of 2018 with their departments, and older and newer codes that are aliases."""

from open311.plugins import declared

jurisdiction = declared.load(__package__)
