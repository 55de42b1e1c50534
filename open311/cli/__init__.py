"""`open311 …`: everything that an operator does in a shell."""

from __future__ import annotations

from importlib import import_module

import click

from open311 import __version__
from open311.cli.group import Shell, loading

COMMANDS = {
    "run": "servers.run",
    "serve": "servers.serve",
    "worker": "servers.worker",
    "db": "database.db",
    "keys": "keys.keys",
    "jurisdictions": "catalogue.jurisdictions",
    "route": "catalogue.route",
    "requests": "requests.requests",
    "import": "importing.import_command",
    "export": "exporting.export_command",
    "dump": "exporting.dump_command",
    "publish": "publishing.publish",
    "areas": "areas.areas",
    "settings": "documents.settings",
    "openapi": "documents.openapi",
    "conformance": "conformance.conformance",
}
"""Where each is: a server should not wait for the modules of an import to load."""


class Main(Shell):
    """The commands, each loaded when it is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """All of them."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """One of them."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(".")
        with loading():
            command: click.Command = getattr(import_module(f"{__name__}.{module}"), name)
        return command


@click.group(cls=Main, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
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
