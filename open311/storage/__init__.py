"""The only package that uses SQLAlchemy and PostGIS. Its functions never commit; operations own transactions."""
