"""`open311 …`: everything that an operator does in a shell."""

from __future__ import annotations

import click

from open311 import __version__
from open311.cli.areas import areas
from open311.cli.catalogue import jurisdictions, route
from open311.cli.conformance import conformance
from open311.cli.database import db
from open311.cli.documents import openapi, settings
from open311.cli.exporting import dump_command, export_command
from open311.cli.importing import import_command
from open311.cli.keys import keys
from open311.cli.publishing import publish
from open311.cli.requests import requests
from open311.cli.servers import run, serve, worker
from open311.cli.shell import Shell


@click.group(cls=Shell, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="open311")
def main() -> None:
    """A GeoReport v2 (Open311) server.

    \b
    Start here:
      open311 run                    a server with example data on this machine
      open311 jurisdictions list     the cities it serves
      open311 keys add --label APP   a key for an app that sends requests
      open311 settings               everything that can be set, and how

    Without DATABASE_URL, commands use a private PostGIS cluster under ./var.
    """


for command in (
    run,
    serve,
    worker,
    db,
    keys,
    jurisdictions,
    route,
    requests,
    import_command,
    export_command,
    dump_command,
    publish,
    areas,
    settings,
    openapi,
    conformance,
):
    main.add_command(command)
