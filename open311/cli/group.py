"""Groups of commands: their help texts and their error messages."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import NoReturn

import click

from open311.cli.output import fail, warn
from open311.errors import NotFound, Open311Error, Problem, Unavailable
from open311.settings import unknown_settings
from open311.starting import STOPPED

SERVICES = ("serve", "worker")
"""Commands that run as services. All lines that they write are JSON unless they run on a terminal."""
OPTIONS = {
    "jurisdiction_id": "--jurisdiction",
    "account_id": "--account-id",
    "address": "ADDRESS",
    "area": "--area",
    "contact": "--contact",
    "days": "--days",
    "device_id": "--device-id",
    "departments": "--department",
    "email": "--email",
    "end_datetime": "--until",
    "label": "--label",
    "name": "NAME",
    "phone": "--phone",
    "polygon": "--polygon",
    "reason": "--reason",
    "role": "--role",
    "service_codes": "--service",
    "start_datetime": "--from",
}
"""Parameter of an operation -> the option or argument by which a user of the shell knows it."""
LISTS = {
    "block": "blocks list",
    "delivery": "deliveries list",
    "notice": "notices list",
    "service_request_id": "requests list --all",
    "subscription_id": "subscriptions list",
}
"""Parameter of an operation -> the command that shows what exists."""


class CommandGroup(click.Group):
    """A group whose commands print an Open311Error as one sentence, without a traceback."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with the whole first sentence of their help, which click would shorten."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        commands = [(name, command) for name, command in found if command is not None]
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(limit=1_000)) for name, command in commands])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. An Open311Error ends it with its message and status 1, and Ctrl-C with status 130."""
        if ctx.parent is None:
            self._name_unknown_settings(ctx)
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            warn("stopped.", as_log=_is_service(ctx))
            sys.exit(STOPPED)
        except Open311Error as error:
            fail_with(error, as_log=_is_service(ctx))

    def _name_unknown_settings(self, ctx: click.Context) -> None:
        for line in unknown_settings(os.environ):
            warn(line, as_log=bool(ctx._protected_args) and ctx._protected_args[0] in SERVICES)


def fail_with(error: Open311Error, *, as_log: bool) -> NoReturn:
    """End the command with the message of an error and status 1. `as_log` has the same meaning as for `fail`."""
    if isinstance(error, Unavailable):
        from open311.storage.failures import why_down  # imported here, so that other commands start faster

        why = why_down(error)
        fail(f"the database cannot be used: {why}" if why else str(error), as_log=as_log)
    fail("; ".join(_with_option_name(one) for one in error.problems) + _cure(error), as_log=as_log)


def _with_option_name(problem: Problem) -> str:
    """A problem, with the option's name in place of a parameter's."""
    return str(replace(problem, field=OPTIONS.get(problem.field, problem.field)))


def _cure(error: Open311Error) -> str:
    """A sentence with the command that shows what exists, if the error says that something does not exist."""
    field = error.problems[0].field if error.problems else ""
    return f" See `open311 {LISTS[field]}`." if isinstance(error, NotFound) and field in LISTS else ""


def _is_service(ctx: click.Context) -> bool:
    return ctx.invoked_subcommand in SERVICES
