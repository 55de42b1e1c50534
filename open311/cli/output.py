"""Output of commands: results go to standard output; errors go to standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import NoReturn

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from open311.observe import configure_logs, logger

console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
error_console = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Print one line."""
    console.print(text, markup=False, soft_wrap=True)


def say_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table of plain text. The first column never wraps. The other columns wrap and are never cut off."""
    first, *others = headings
    table = Table(Column(first, no_wrap=True), *(Column(name, overflow="fold") for name in others), box=None)
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def say_json(body: bytes) -> None:
    """Print JSON."""
    say(body.decode())


def fail(text: str, *, as_log: bool = False) -> NoReturn:
    """End the command with a sentence on standard error and status 1.

    as_log  whether the command is a service, all of whose lines are JSON unless it runs on a terminal
    """
    warn(text, as_log=as_log, level="error")
    sys.exit(1)


def warn(text: str, *, as_log: bool = False, level: str = "warning") -> None:
    """Print a sentence on standard error; with `as_log`, as a line of the log unless on a terminal."""
    if as_log and not sys.stderr.isatty():
        configure_logs("info")
        getattr(logger("open311.cli"), level)(text)
    else:
        error_console.print(f"open311: {text}", markup=False)
