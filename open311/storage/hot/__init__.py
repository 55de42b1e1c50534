"""The hot paths: statements that bypass SQLAlchemy's execution, because measuring showed that it matters."""
