"""The only package that uses SQLAlchemy and PostGIS. Operations decide where a transaction begins and ends."""

from open311.later import imported_later

# GeoAlchemy imports its modules for all databases, and these import SQLAlchemy's. They take 2 MB of memory.
_OTHER_DATABASES = (f"geoalchemy2.admin.dialects.{name}" for name in ("mariadb", "mssql", "mysql"))
with imported_later(*_OTHER_DATABASES):
    import geoalchemy2  # noqa: F401
