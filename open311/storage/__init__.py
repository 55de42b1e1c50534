"""The only package that uses SQLAlchemy and PostGIS. Operations decide where a transaction begins and ends."""

from open311.later import imported_later

# GeoAlchemy imports its modules for all databases, and these import SQLAlchemy's. SQLAlchemy imports its modules
# for all drivers. Together they take 3 MB of memory.
_OTHER_DATABASES = (f"geoalchemy2.admin.dialects.{name}" for name in ("mariadb", "mssql", "mysql"))
_OTHER_DRIVERS = (f"sqlalchemy.dialects.postgresql.{name}" for name in ("asyncpg", "pg8000", "psycopg2cffi"))
with imported_later(*_OTHER_DATABASES, *_OTHER_DRIVERS):
    import geoalchemy2  # noqa: F401
