"""What commands share: the settings, the database they name or the private one, words for the person typing."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import NoReturn

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from open311.embedded import Cluster, find_binaries, install_binaries
from open311.observe import configure_logs
from open311.operations.platform import Platform, open_platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.plugins import Jurisdiction
from open311.settings import Settings
from open311.storage.migrations import migrate

DATABASE = "open311"
console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def read_settings() -> Settings:
    """The settings in force; ends the command with a clear sentence if one is wrong."""
    return Settings.from_environ()


@contextmanager
def with_database(settings: Settings) -> Iterator[tuple[Settings, Cluster | None]]:
    """Settings that name a database: the given one, or the private cluster, which runs for the block."""
    if settings.database_url:
        yield settings, None
        return
    bin_dir = find_binaries() or install_binaries(say)
    with Cluster(settings.data_path / "pg", bin_dir=bin_dir) as cluster:
        if not cluster.has_database(DATABASE):
            cluster.create_database(DATABASE)
        yield replace(settings, database_url=cluster.url(DATABASE)), cluster


@contextmanager
def open_shell() -> Iterator[Platform]:
    """A platform whose database is at head and whose catalogues are written down, for one command."""
    settings = read_settings()
    configure_logs("warning")
    with with_database(settings) as (settings, _):
        platform = open_platform(replace(settings, statement_timeout_ms=0))
        try:
            prepare(platform)
            yield platform
        finally:
            platform.close()


def prepare(platform: Platform) -> None:
    """Bring the schema to head and write the catalogues down."""
    with platform.database.transaction() as connection:
        migrate(connection)
    ensure_synced(platform)


def find_jurisdiction(platform: Platform, jurisdiction_id: str) -> Jurisdiction:
    """The jurisdiction that --jurisdiction names, or the only one."""
    return platform.registry.find(jurisdiction_id)


def say(text: str) -> None:
    """One line for the person typing."""
    console.print(text, markup=False, soft_wrap=True)


def say_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table whose cells are plain text; the first column is never broken, the others never cut."""
    first, *others = headings
    table = Table(Column(first, no_wrap=True), *(Column(name, overflow="fold") for name in others), box=None)
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def fail(text: str) -> NoReturn:
    """End the command with a sentence and status 1."""
    errors.print(f"open311: {text}", markup=False)
    sys.exit(1)
