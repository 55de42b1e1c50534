"""Toronto: the commonest request types of the open data, and the six codes of the old Open311 endpoint."""

from open311.plugins import declared

jurisdiction = declared.load(__package__)
