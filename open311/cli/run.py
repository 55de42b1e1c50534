"""`open311 run`: starts everything on this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import Field, fields, replace
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any

import click

from open311.cli.demo import add_demo_key, add_demo_login, fill_with_examples
from open311.cli.environment import read_settings
from open311.cli.output import counted, say
from open311.cli.ports import claimed_port
from open311.cli.supervisor import Supervisor
from open311.embedded import Cluster, find_binaries, install_binaries, is_private_url
from open311.errors import Misconfigured, Unavailable
from open311.observe import configure_logs
from open311.operations.platform import Platform, open_platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.plugins.registry import Registry
from open311.settings import Settings, default, variable
from open311.storage.migrations import migrate
from open311.storage.pooling import refuse_pooler
from open311.web.surfaces import sign_in_path

DATABASE = "open311"


@click.command()
@click.option("--examples", default=300, show_default=True, help="Made-up requests for each empty city.")
def run(examples: int) -> None:
    """Start everything on this machine: database, schema, cities, examples, server and worker.

    The database is that of DATABASE_URL, or a private PostGIS cluster under ./var if DATABASE_URL is not set. The
    port is OPEN311_PORT, or the first free one from 3111 on if OPEN311_PORT is not set. A process that dies is
    started again. Ctrl-C stops everything.
    """
    settings = read_settings()
    configure_logs(settings.log_level)
    with _running_database(settings) as (settings, cluster), claimed_port(settings) as port:
        settings = replace(settings, port=port)
        with _known_database(settings), _prepared_platform(settings) as platform:
            fill_with_examples(platform, examples)
            key, login = add_demo_key(platform), add_demo_login(platform)
        _name_faults(platform.registry)
        greet = partial(_greet, platform.registry, key, login, shell_lines(settings))
        Supervisor(_environment(settings), settings, cluster).run(greet)


@contextmanager
def _running_database(settings: Settings) -> Iterator[tuple[Settings, Cluster | None]]:
    """Yield settings that name a running database, and the private cluster if the database is in it.

    The database is that of DATABASE_URL, else one in the private cluster, which runs at least until the block ends.
    """
    if settings.database_url:
        yield settings, None
        return
    bin_dir = find_binaries() or install_binaries(say)
    with Cluster(settings.data_path / "pg", bin_dir=bin_dir) as cluster:
        if cluster.left is not None:
            say(_left_behind(cluster))
        if not cluster.has_database(DATABASE):
            cluster.create_database(DATABASE)
        yield replace(settings, database_url=cluster.url(DATABASE)), cluster


@contextmanager
def _known_database(settings: Settings) -> Iterator[None]:
    """Raise Misconfigured instead of Unavailable if DATABASE_URL names the private database of an `open311 run`.

    That database ended together with its run. The message of Misconfigured says what to do.
    """
    try:
        yield
    except Unavailable:
        if not is_private_url(settings.database_url):
            raise
        raise Misconfigured(
            "DATABASE_URL names the private database of an earlier run, which has ended. Run `unset DATABASE_URL`"
            " and try again."
        ) from None


def _left_behind(cluster: Cluster) -> str:
    """The message if the file `elsewhere` of a cluster names a folder with data that the cluster cannot use."""
    return (
        f"{cluster.home} names {cluster.left} as the place of its data, but that folder is missing or belongs to"
        " another copy. This server starts with an empty database. To keep the data, run pg_dump on the server of"
        " the original and pg_restore here."
    )


@contextmanager
def _prepared_platform(settings: Settings) -> Iterator[Platform]:
    """A platform without statement timeout, whose schema is at head and whose catalogues are stored."""
    platform = open_platform(replace(settings.past_pooler, statement_timeout_ms=0))
    try:
        with platform.database.transaction() as connection:
            refuse_pooler(connection)
            migrate(connection)
        ensure_synced(platform)
        yield platform
    finally:
        platform.close()


def _name_faults(registry: Registry) -> None:
    for reason in registry.reasons:
        say(f"Not served: {reason}")


def _environment(settings: Settings) -> dict[str, str]:
    """The settings as the children's environment."""
    return os.environ | _texts(settings)


def _texts(settings: Settings) -> dict[str, str]:
    """The values of all settings as environment variables."""
    named = {variable(row): getattr(settings, row.name) for row in fields(Settings)}
    return {name: ",".join(value) if isinstance(value, tuple) else str(value) for name, value in named.items()}


def shell_lines(settings: Settings) -> list[str]:
    """What a second shell needs for commands: an `export` of each setting that differs from its default.

    Secrets are only named, in comments, so that all lines can be pasted. The port is exported too, because
    `open311 staff login-link` prints links with it.
    """
    changed = [row for row in fields(Settings) if getattr(settings, row.name) != default(row)]
    texts = _texts(settings)
    return [
        f"# export {variable(row)}=…, as in this shell"
        if _is_hidden(row, settings)
        else f"export {variable(row)}={quote(texts[variable(row)])}"
        for row in changed
    ]


def _is_hidden(row: Field[Any], settings: Settings) -> bool:
    """Whether a value is not printed. A database's URL may have a password, but the private database's has none."""
    if row.name == "database_url":
        return not is_private_url(settings.database_url)
    return bool(row.metadata["is_secret"])


def _greet(registry: Registry, key: str, login: str, exports: Sequence[str], address: str) -> None:
    """Print the addresses, the key, and the settings that a second shell needs."""
    cities = sorted(jurisdiction.id for jurisdiction in registry)
    city = "cityofchicago.org" if "cityofchicago.org" in cities else (cities or ["none"])[0]
    say("")
    say(f"  Open311 GeoReport v2 for {counted(len(cities), 'city', 'cities')}: {', '.join(cities)}")
    say("")
    say(f"  Look around   {address}/")
    say(f"  API page      {address}/docs")
    say(f"  Try           curl '{address}/open311/v2/services.json?jurisdiction_id={city}'")
    say(f"                curl '{address}/open311/v2/requests.xml?jurisdiction_id={city}&page_size=5'")
    say(f"  Demo api_key  {key}")
    if login:
        say(f"  Staff pages   {address}{sign_in_path(login)}   (works once, within ten minutes)")
        say("                then: open311 staff login-link demo --jurisdiction city.example")
    say("  Commands      in a second shell, in this folder, while this runs:")
    path = f'export PATH={quote(str(Path(sys.executable).parent))}:"$PATH"'
    for line in (path, *exports, "open311 keys add --label me"):
        say(f"                {line}")
    say("")
    say("  Ctrl-C stops everything.")
