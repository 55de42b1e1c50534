"""Baltimore: 175 request types, each with its department before the first hyphen."""

from open311.plugins import declared

jurisdiction = declared.load(__package__)
