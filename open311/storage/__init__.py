"""The only package that uses SQLAlchemy and PostGIS. Its functions get a connection from the caller's transaction."""
