"""Frequent statements. They run through libpq, because SQLAlchemy was slower in measurements."""
