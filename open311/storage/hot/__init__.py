"""The hot paths: what goes round SQLAlchemy's execution, because it was measured to matter."""
