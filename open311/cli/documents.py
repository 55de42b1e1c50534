"""`open311 settings` and `open311 openapi`: the settings, and the API's description."""

from __future__ import annotations

import re
from dataclasses import Field, fields, replace
from pathlib import Path
from typing import Any

import click
import orjson

from open311.app import create_app
from open311.cli.environment import read_settings
from open311.cli.output import say, say_table
from open311.operations.platform import Platform
from open311.plugins.registry import Registry
from open311.settings import Settings, default, variable
from open311.storage.engine import open_database
from open311.storage.queue import Queue
from open311.web.site.pages import openapi_document

OPENAPI = Path("spec/openapi.json")
_USER = re.compile(r"://[^/?#]*@")
_PASSWORD = re.compile(r"([?&](?:ssl)?password=)[^&]*")


@click.command()
def settings() -> None:
    """Show every setting: its variable, its present value and its meaning.

    Settings are read from the environment. VARIABLE_FILE=PATH reads a setting from a file, for example a secret.

    \b
    Example:
      OPEN311_PORT=8080 DATABASE_URL_FILE=/run/secrets/database-url open311 serve
    """
    in_force = read_settings()
    say_table(
        ("variable", "value", "meaning"),
        ((variable(row), _value(row, in_force), row.metadata["meaning"]) for row in fields(Settings)),
    )


@click.command()
@click.option("--write", is_flag=True, help=f"Write it to {OPENAPI} instead of showing it.")
def openapi(write: bool) -> None:
    """Show the API's description in OpenAPI 3, which the server also publishes at /openapi.json."""
    document = make_openapi()
    if write:
        OPENAPI.write_bytes(document)
        say(f"{OPENAPI} is written.")
    else:
        click.echo(document, nl=False)


def make_openapi() -> bytes:
    """The OpenAPI document. It needs no database and is the same on every machine."""
    nowhere = replace(Settings(), database_url="postgresql+psycopg2://nobody@127.0.0.1:1/none", log_level="error")
    database = open_database(nowhere.sqlalchemy_url)
    app = create_app(nowhere, Platform(nowhere, database, Registry({}), Queue(database)))
    with app.app_context():
        return orjson.dumps(openapi_document(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"


def _value(row: Field[Any], in_force: Settings) -> str:
    """A setting's value, and its default if the two differ."""
    if row.metadata["is_secret"]:
        return "…" if getattr(in_force, row.name) else ""
    value, usual = _shown(getattr(in_force, row.name)), _shown(default(row))
    return value if value == usual or not usual else f"{value} (default: {usual})"


def _shown(value: object) -> str:
    """A value in the form in which a person writes it, without passwords."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(value)
    text = _USER.sub("://…@", str(value))
    return _PASSWORD.sub(r"\1…", text)
