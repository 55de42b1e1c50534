"""Boston: the 118 services of 2018 with their departments, and every older and newer code that leads to them."""

from open311.plugins import declared

jurisdiction = declared.load(__package__)
