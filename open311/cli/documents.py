"""`open311 settings` and `open311 openapi`: what can be set, what is offered."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import click
import orjson
from rich.table import Table

from open311.app import create_app
from open311.cli.shell import console, read_settings, say
from open311.operations.platform import Platform
from open311.plugins.registry import Registry
from open311.settings import Settings, default, variable
from open311.storage.engine import open_database
from open311.storage.queue import Queue
from open311.web.pages import openapi_document

OPENAPI = Path("spec/openapi.json")


@click.command()
def settings() -> None:
    """Show every setting: its variable, the value in force, its meaning."""
    in_force = read_settings()
    table = Table("variable", "value", "default", "meaning", box=None)
    for row in fields(Settings):
        value = _shown(row.name, getattr(in_force, row.name))
        table.add_row(variable(row), value, _shown(row.name, default(row)), row.metadata["meaning"])
    console.print(table)


@click.command()
@click.option("--write", is_flag=True, help=f"Write it to {OPENAPI} instead of showing it.")
def openapi(write: bool) -> None:
    """Show the API in OpenAPI 3, as the server has it at /openapi.json."""
    document = make_openapi()
    if write:
        OPENAPI.write_bytes(document)
        say(f"{OPENAPI} is written.")
    else:
        click.echo(document, nl=False)


def make_openapi() -> bytes:
    """The OpenAPI document, the same on every machine; needs no database."""
    nowhere = replace(Settings(), database_url="postgresql+psycopg2://nobody@127.0.0.1:1/none", log_level="error")
    database = open_database(nowhere.sqlalchemy_url)
    app = create_app(nowhere, Platform(nowhere, database, Registry({}), Queue(database)))
    with app.app_context():
        return orjson.dumps(openapi_document(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"


def _shown(name: str, value: object) -> str:
    """A value for the table; a database's password stays hidden."""
    if isinstance(value, tuple):
        return ", ".join(value)
    if name == "database_url" and value:
        scheme, _, rest = str(value).partition("://")
        return f"{scheme}://…@{rest.rpartition('@')[2]}" if "@" in rest else str(value)
    return str(value)
