"""Output of commands: results go to standard output; errors go to standard error."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, NoReturn

from open311.observe import configure_logs, logger

if TYPE_CHECKING:
    from rich.console import Console

_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that steer a terminal or reorder a line. Texts of citizens and of other servers may have them."""


@cache
def console() -> Console:
    """Standard output.

    Rich is imported only when it is needed. So the server, which prints nothing, needs 4 MB less.
    """
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


@cache
def error_console() -> Console:
    """Standard error."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def harmless(text: str) -> str:
    """The text with an escape for each character that would steer the terminal. Line ends and tabs stay."""
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def counted(count: int, one: str, several: str = "") -> str:
    """A number with its noun: `1 city`, `2 cities`. `several`: the plural, if it is not the noun with an `s`."""
    return f"{count} {one if count == 1 else several or f'{one}s'}"


def say(text: str) -> None:
    """Print one line."""
    console().print(harmless(text), markup=False, soft_wrap=True)


def say_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table of plain text. The first column never wraps. The other columns wrap and are never cut off."""
    from rich.table import Column, Table
    from rich.text import Text

    first, *others = headings
    table = Table(Column(first, no_wrap=True), *(Column(name, overflow="fold") for name in others), box=None)
    for row in rows:
        table.add_row(*(Text(harmless(cell)) for cell in row))
    console().print(table)


def say_json(body: bytes) -> None:
    """Print JSON."""
    say(body.decode())


def say_pieces(pieces: Iterable[bytes]) -> None:
    """Print a long text piece by piece."""
    for piece in pieces:
        sys.stdout.write(piece.decode())


@contextmanager
def progress(title: str, whole: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar, if standard error is a terminal. Yields the function that advances it.

    whole  the length of the bar; None if nobody knows it
    """
    from rich.progress import Progress

    with Progress(console=error_console(), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(title, total=whole)
        yield lambda rows: bar.advance(task, rows)


def flush() -> None:
    """Write what waits in the buffer of standard output."""
    sys.stdout.flush()


def end_unwritten(error: OSError) -> NoReturn:
    """End the command because standard output cannot be written. Nobody is told about a closed pipe.

    The rest of the buffer is dropped, because Python would try to write it again when it ends.
    """
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.__stdout__.fileno() if sys.__stdout__ else 1)
    if error.errno == errno.EPIPE:
        sys.exit(1)
    fail(f"standard output: {error.strerror}")


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
        error_console().print(f"open311: {harmless(text)}", markup=False)
