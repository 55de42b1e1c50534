"""The only place that knows SQLAlchemy and PostGIS. Functions take a connection; operations own transactions."""
