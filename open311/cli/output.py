"""Output of commands: results go to standard output; errors go to standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import NoReturn

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

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


def fail(text: str) -> NoReturn:
    """End the command with a sentence on standard error and status 1."""
    error_console.print(f"open311: {text}", markup=False)
    sys.exit(1)
