"""A GeoReport v2 (Open311) server."""

__version__ = "0.1.0"
