"""The objects that commands need: settings, a running database, a platform, a jurisdiction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from open311.cli.output import say
from open311.embedded import Cluster, find_binaries, install_binaries
from open311.observe import configure_logs
from open311.operations.platform import Platform, open_platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.plugins import Jurisdiction
from open311.settings import Settings
from open311.storage.migrations import migrate

DATABASE = "open311"


def read_settings() -> Settings:
    """The current settings. A wrong one raises Misconfigured, and the command ends with its message."""
    return Settings.from_environ()


@contextmanager
def running_database(settings: Settings) -> Iterator[tuple[Settings, Cluster | None]]:
    """Yield settings that name a running database, and the private cluster if the database is in it.

    The database is that of DATABASE_URL, else one in the private cluster, which runs at least until the block ends.
    """
    if settings.database_url:
        yield settings, None
        return
    bin_dir = find_binaries() or install_binaries(say)
    with Cluster(settings.data_path / "pg", bin_dir=bin_dir) as cluster:
        if not cluster.has_database(DATABASE):
            cluster.create_database(DATABASE)
        yield replace(settings, database_url=cluster.url(DATABASE)), cluster


@contextmanager
def command_platform() -> Iterator[Platform]:
    """A prepared platform for a short command. Only warnings and errors are logged."""
    settings = read_settings()
    configure_logs("warning")
    with running_database(settings) as (settings, _), prepared_platform(settings) as platform:
        yield platform


@contextmanager
def prepared_platform(settings: Settings) -> Iterator[Platform]:
    """A platform without statement timeout, whose schema is at head and whose catalogues are stored."""
    platform = open_platform(replace(settings, statement_timeout_ms=0))
    try:
        with platform.database.transaction() as connection:
            migrate(connection)
        ensure_synced(platform)
        yield platform
    finally:
        platform.close()


def find_jurisdiction(platform: Platform, jurisdiction_id: str) -> Jurisdiction:
    """The jurisdiction that --jurisdiction names; without the option, the only one there is."""
    return platform.registry.find(jurisdiction_id)
