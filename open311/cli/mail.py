"""`open311 mail`: the queue of mails, mails that came back, and addresses that get none."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import BinaryIO

import click

from open311.cli.environment import read_settings
from open311.cli.group import CommandGroup
from open311.cli.output import counted, fail, say, say_table
from open311.cli.platforms import command_platform, find_jurisdiction
from open311.clock import utc_now
from open311.errors import Unavailable
from open311.operations.mailing import watching
from open311.operations.mailing.bouncing import MOST_BYTES, take_bounce
from open311.operations.mailing.rules import can_mail
from schemas.values import format_instant

_JURISDICTION = click.option(
    "--jurisdiction", default="", help="The city's jurisdiction_id. Not needed if only one city is served."
)
_ADDRESS = click.argument("address")


@click.group(cls=CommandGroup)
def mail() -> None:
    """See and steer the mail to reporters, followers and departments."""


@mail.command()
def status() -> None:
    """Show what waits, what was sent within the last day, why mails were not sent, and the mail server's state.

    No address is shown.
    """
    with command_platform() as platform:
        now = utc_now()
        with platform.database.reading() as connection:
            found = watching.read_state(connection, now)
        is_on = can_mail(platform.settings)
    if not is_on:
        say("No mail is sent to people: OPEN311_SMTP_URL and OPEN311_PUBLIC_URL must both be set.")
    rows = [
        (one.jurisdiction_id, one.kind.value, one.state.value, str(one.count), format_instant(one.oldest))
        for one in (*found.waiting, *found.ended)
    ]
    say_table(("city", "mail", "state", "mails", "the oldest"), rows)
    for cause, count in found.causes:
        say(f"{counted(count, 'mail')}: {cause}")
    circuit = found.circuit
    if circuit.failing_since is not None:
        say(f"The mail server fails since {format_instant(circuit.failing_since)}: {circuit.cause}")
    if circuit.rests_until is not None:
        say(f"The next try is at {format_instant(circuit.rests_until)}; `open311 mail retry` tries at once.")
    for (city, why), count in sorted(found.stopped.items()):
        say(f"{city}: {counted(count, 'address', 'addresses')} get no mail ({why}).")


@mail.command()
def retry() -> None:
    """Try now all mails that wait because an earlier try failed."""
    with command_platform() as platform:
        count = watching.retry_all(platform, now=utc_now())
    say(f"{counted(count, 'mail')} will be tried now.")


@mail.command("test")
@_ADDRESS
def test_mail(address: str) -> None:
    """Send a mail to ADDRESS, to try the mail server of the settings.

    \b
    Example:
      open311 mail test you@city.example
    """
    if fault := watching.try_mail(read_settings(), address, now=utc_now()):
        fail(f"no mail was sent: {fault}.")
    say("The mail server has taken the mail.")


@mail.command()
@_ADDRESS
@_JURISDICTION
def stop(address: str, jurisdiction: str) -> None:
    """Send no mail of the city to ADDRESS any more. For this, the server stores only a digest of the address.

    \b
    Example:
      open311 mail stop ada@home.example --jurisdiction city.example
    """
    with command_platform() as platform:
        watching.stop_address(platform, find_jurisdiction(platform, jurisdiction), address, now=utc_now())
    say("The address gets no mail any more.")


@mail.command()
@_ADDRESS
@_JURISDICTION
def allow(address: str, jurisdiction: str) -> None:
    """Let ADDRESS get mail of the city again, after its mail came back or its owner wanted none.

    \b
    Example:
      open311 mail allow ada@home.example --jurisdiction city.example
    """
    with command_platform() as platform:
        is_known = watching.allow_address(platform, find_jurisdiction(platform, jurisdiction), address)
    say("The address gets mail again." if is_known else "The address was not stopped.")


@mail.command()
@click.argument("file", nargs=-1, type=click.File("rb"))
@click.option("--to", default="", help="The address to which the mail came, if its headers do not say it.")
@click.option(
    "--maildir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Read all new mails of this folder, and move them from new/ to cur/.",
)
def bounce(file: tuple[BinaryIO, ...], to: str, maildir: Path | None) -> None:
    """Read mails that came back to OPEN311_BOUNCE_MAIL: from FILEs, a maildir, or else standard input.

    An address that does not exist, or from which mail came back too often, gets no mail any more. A mail that is no
    report about a failed delivery changes nothing. If the database is down, the status is 75, so that a mail server
    tries again.

    \b
    Example:
      open311 mail bounce < message
      open311 mail bounce --maildir /var/mail/bounces
    """
    found = sorted(path for path in (maildir / "new").iterdir() if path.is_file()) if maildir else []
    try:
        with command_platform() as platform:
            for one in file or (() if maildir else (sys.stdin.buffer,)):
                say(take_bounce(platform, one.read(MOST_BYTES), now=utc_now(), to=to).value)
            for path in found:
                with path.open("rb") as opened:
                    content = opened.read(MOST_BYTES)
                say(f"{path.name}: {take_bounce(platform, content, now=utc_now(), to=to).value}")
                (path.parent.parent / "cur").mkdir(exist_ok=True)
                path.rename(path.parent.parent / "cur" / f"{path.name}:2,S")
    except Unavailable as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(os.EX_TEMPFAIL)
