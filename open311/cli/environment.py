"""The settings of a command, from the environment. This module imports nothing of the database."""

from __future__ import annotations

from open311.errors import Misconfigured
from open311.settings import NO_DATABASE, Settings


def read_settings() -> Settings:
    """The current settings. A wrong setting raises Misconfigured, and the command ends with the error's message."""
    return Settings.from_environ()


def settings_with_database() -> Settings:
    """The current settings, with the address of the database itself, not of a pooler.

    Raises Misconfigured if they name no database.
    """
    return web_settings().past_pooler


def web_settings() -> Settings:
    """The current settings, whose database may be behind a pooler. Raises Misconfigured if they name no database.

    `open311 run` starts a private database if DATABASE_URL is not set. All other commands that need a database need
    DATABASE_URL. They never use the private database unasked, because the user may mean another one.
    """
    settings = read_settings()
    if settings.database_url:
        return settings
    has_private = (settings.data_path / "pg").exists()
    hint = " `open311 run` shows the DATABASE_URL of its own database." if has_private else ""
    raise Misconfigured(NO_DATABASE + hint)
