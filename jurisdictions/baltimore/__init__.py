"""Baltimore: 175 request types; the part before the first hyphen is the department."""

from open311.plugins import declared

jurisdiction = declared.load(__package__)
