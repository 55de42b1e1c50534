"""`open311 run`: starts everything on this machine."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from functools import partial

import click

from open311.cli.demo import add_demo_key, fill_with_examples
from open311.cli.output import say
from open311.cli.platforms import prepared_platform, read_settings, running_database
from open311.cli.ports import claimed_port
from open311.cli.supervisor import Supervisor
from open311.observe import configure_logs
from open311.plugins.registry import Registry
from open311.settings import Settings, variable


@click.command()
@click.option("--examples", default=300, show_default=True, help="Made-up requests for each empty city.")
def run(examples: int) -> None:
    """Start everything on this machine: database, schema, cities, examples, server and worker.

    The database is that of DATABASE_URL, or a private PostGIS cluster under ./var if DATABASE_URL is not set. A
    process that dies is started again. Ctrl-C stops everything.
    """
    settings = read_settings()
    configure_logs(settings.log_level)
    with running_database(settings) as (settings, cluster), claimed_port(settings) as port:
        settings = replace(settings, port=port)
        with prepared_platform(settings) as platform:
            fill_with_examples(platform, examples)
            key = add_demo_key(platform)
        _name_faults(platform.registry)
        Supervisor(_environment(settings), settings, cluster).run(partial(_greet, platform.registry, key))


def _name_faults(registry: Registry) -> None:
    for reason in registry.reasons:
        say(f"Not served: {reason}")


def _environment(settings: Settings) -> dict[str, str]:
    """The settings as the children's environment."""
    named = {variable(row): getattr(settings, row.name) for row in fields(Settings)}
    texts = {name: ",".join(value) if isinstance(value, tuple) else str(value) for name, value in named.items()}
    return os.environ | texts


def _greet(registry: Registry, key: str, address: str) -> None:
    cities = sorted(jurisdiction.id for jurisdiction in registry)
    city = "cityofchicago.org" if "cityofchicago.org" in cities else (cities or ["none"])[0]
    say("")
    say(f"  Open311 GeoReport v2 for {len(cities)} cities: {', '.join(cities)}")
    say("")
    say(f"  Look around   {address}/")
    say(f"  API page      {address}/docs")
    say(f"  Try           curl '{address}/open311/v2/services.json?jurisdiction_id={city}'")
    say(f"                curl '{address}/open311/v2/requests.xml?jurisdiction_id={city}&page_size=5'")
    say(f"  Demo api_key  {key}")
    say("")
    say("  Ctrl-C stops everything.")
