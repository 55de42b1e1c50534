"""The command line `open311`, for operators."""

from __future__ import annotations

import errno
import os
import sys
from importlib import import_module
from typing import Any

import click

from open311 import __version__
from open311.cli.group import CommandGroup
from open311.cli.memory import collection_paused, use_one_blas_thread
from open311.cli.output import end_unwritten, flush
from open311.starting import use_usual_interrupts

COMMANDS = {
    "run": "run.run",
    "serve": "serve.serve",
    "worker": "worker.worker",
    "doctor": "doctor.doctor",
    "db": "database.db",
    "federate": "federate.federate",
    "keys": "keys.keys",
    "blocks": "blocks.blocks",
    "staff": "staff.staff",
    "jurisdictions": "catalogue.jurisdictions",
    "route": "catalogue.route",
    "requests": "requests.requests",
    "photos": "photos.photos",
    "reporters": "reporters.reporters",
    "retention": "retention.retention_command",
    "deliveries": "deliveries.deliveries",
    "subscriptions": "subscriptions.subscriptions",
    "notices": "notices.notices",
    "sensors": "sensors.sensors",
    "media": "media.media",
    "mail": "mail.mail",
    "sms": "sms.sms",
    "import": "importing.import_command",
    "export": "exporting.export_command",
    "dump": "exporting.dump_command",
    "publish": "publishing.publish",
    "recount": "counting.recount",
    "forecast": "forecasting.forecast",
    "suggest": "suggesting.suggest",
    "areas": "areas.areas",
    "settings": "documents.settings",
    "openapi": "documents.openapi",
    "mcp": "mcp.mcp_command",
    "conformance": "conformance.conformance",
}
"""Each command, with the module and the variable that define it."""
UNWRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF, errno.EPIPE)
"""The errors of a standard output that cannot be written: a full disk, a closed pipe, and the like."""


class LazyCommands(CommandGroup):
    """Imports a command's module only when the command is called, so that each command starts fast."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command. If standard output cannot be written, end with one sentence and status 1."""
        try:
            try:
                return super().main(*args, **options)
            finally:
                flush()
        except OSError as error:
            if error.filename is not None or error.errno not in UNWRITTEN:
                raise
            end_unwritten(error)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse an argument that is not UTF-8, because the database cannot store it, unless it names a file."""
        for one in args:
            is_text = one.isascii() or one == one.encode("utf-8", "replace").decode("utf-8")
            if not is_text and not any(map(os.path.exists, (one, one.partition("=")[2]))):
                shown = os.fsencode(one).decode("utf-8", "backslashreplace")
                raise click.UsageError(f"An argument is not UTF-8: {shown}", ctx)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Import the command. From then on, Ctrl-C is an exception that the command can handle."""
        found = super().resolve_command(ctx, args)
        use_usual_interrupts()
        return found

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names of all commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(".")
        path = f"{__name__}.{module}"
        if path not in sys.modules:
            use_one_blas_thread()
            with collection_paused():
                import_module(path)
        command: click.Command = getattr(sys.modules[path], name)
        return command


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="open311")
def main() -> None:
    """A GeoReport v2 (Open311) server.

    \b
    Start here:
      open311 run                    a server with example data on this machine
      open311 jurisdictions list     the cities that are served
      open311 keys add --label APP   a key for an app that sends requests
      open311 staff add NAME         an account for somebody who works on requests
      open311 settings               everything that can be set, and how

    Without DATABASE_URL, `open311 run` starts a private PostGIS cluster under ./var. Other commands that use a
    database need the variable.
    """
