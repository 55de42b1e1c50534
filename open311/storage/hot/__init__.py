"""Frequent statements. They do not run through SQLAlchemy, because measurements showed that this is faster."""
