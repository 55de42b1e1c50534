"""Groups of commands, and loading one."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

import click

from open311.errors import Open311Error


class Shell(click.Group):
    """A group whose commands end with a sentence, not a stack trace, where the failure was foreseen."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with their whole first sentence; click would cut it off."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        commands = [(name, command) for name, command in found if command is not None]
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(limit=1_000)) for name, command in commands])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Open311Error as error:
            from open311.cli.shell import fail  # it comes with all that a server needs

            fail(str(error))


@contextmanager
def loading() -> Iterator[None]:
    """A block that makes what stays: looking for garbage in it would take a tenth of its time.

    NumPy, which comes with Shapely, would start a thread for each core. Nothing here multiplies matrices, and until
    they find that out they keep the cores busy.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
