"""Toronto: the most frequent request types of the open data, and six codes of the old Open311 endpoint."""

from open311.plugins import declared

jurisdiction = declared.load(__package__)
