"""The settings of a command, from the environment. Importing this module does not import the database's."""

from __future__ import annotations

from open311.errors import Misconfigured
from open311.settings import NO_DATABASE, Settings


def read_settings() -> Settings:
    """The current settings. A wrong setting raises Misconfigured, and the command ends with the error's message."""
    return Settings.from_environ()


def settings_with_database() -> Settings:
    """The current settings, with a database past any pooler. Raises Misconfigured if they name none."""
    return web_settings().past_pooler


def web_settings() -> Settings:
    """The current settings, with a database perhaps behind a pooler. Raises Misconfigured if they name none.

    Only `open311 run` works without DATABASE_URL: it starts a private database. Other commands use that database
    only if DATABASE_URL names it, because the user may mean another one.
    """
    settings = read_settings()
    if settings.database_url:
        return settings
    has_private = (settings.data_path / "pg").exists()
    hint = " `open311 run` shows the DATABASE_URL of its own database." if has_private else ""
    raise Misconfigured(NO_DATABASE + hint)
