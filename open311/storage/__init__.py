"""The only package that uses SQLAlchemy and PostGIS. Operations decide where a transaction begins and ends."""
