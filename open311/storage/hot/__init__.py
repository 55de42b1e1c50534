"""The hot paths: frequent statements that do not run through SQLAlchemy, because measurements showed a gain."""
