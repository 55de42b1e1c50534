"""`open311 sms`: the queue of text messages, and numbers that get none."""

from __future__ import annotations

import click

from open311.cli.group import CommandGroup
from open311.cli.output import counted, fail, say, say_table
from open311.cli.platforms import command_platform, find_jurisdiction
from open311.clock import utc_now
from open311.operations.sms import watching
from schemas.values import format_instant

_JURISDICTION = click.option(
    "--jurisdiction", default="", help="The city's jurisdiction_id. Not needed if only one city is served."
)
_NUMBER = click.argument("number")


@click.group(cls=CommandGroup)
def sms() -> None:
    """See and steer the text messages to reporters."""


@sms.command()
def status() -> None:
    """Show what waits, what was sent within the last day, why messages were not sent, and the gateway's state.

    No number is shown.
    """
    with command_platform() as platform:
        now = utc_now()
        with platform.database.reading() as connection:
            found = watching.read_state(connection, now)
        faults = list(watching.setup_faults(platform))
    for city, fault in faults:
        say(f"{city}: {fault}.")
    rows = [
        (one.jurisdiction_id, one.kind.value, one.state.value, str(one.count), format_instant(one.oldest))
        for one in (*found.waiting, *found.ended)
    ]
    say_table(("city", "about", "state", "messages", "the oldest"), rows)
    for cause, count in found.causes:
        say(f"{counted(count, 'message')}: {cause}")
    circuit = found.circuit
    if circuit.failing_since is not None:
        say(f"The gateway fails since {format_instant(circuit.failing_since)}: {circuit.cause}")
    if circuit.rests_until is not None:
        say(f"The next try is at {format_instant(circuit.rests_until)}; `open311 sms retry` tries at once.")
    if found.stopped:
        say(f"Numbers that get no messages, because their owners want none: {found.stopped}")


@sms.command()
def retry() -> None:
    """Try now all messages that wait because an earlier try failed."""
    with command_platform() as platform:
        count = watching.retry_all(platform, now=utc_now())
    say(f"{counted(count, 'message')} will be tried now.")


@sms.command("test")
@_NUMBER
@_JURISDICTION
def test_sms(number: str, jurisdiction: str) -> None:
    """Send a message to NUMBER, to try the gateway of the settings.

    \b
    Example:
      open311 sms test "+1 617 555 0123" --jurisdiction city.example
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        if not city.sms.kind:
            fail(f"no message was sent: {city.id} has no table [sms].")
        if fault := watching.try_sms(platform, city, number, now=utc_now()):
            fail(f"no message was sent: {fault}.")
    say("The gateway has taken the message.")


@sms.command()
@_NUMBER
@_JURISDICTION
def stop(number: str, jurisdiction: str) -> None:
    """Send no messages to NUMBER any more, as if its owner had answered STOP. Only a digest of NUMBER is stored.

    \b
    Example:
      open311 sms stop "+1 617 555 0123" --jurisdiction city.example
    """
    with command_platform() as platform:
        watching.stop_number(platform, find_jurisdiction(platform, jurisdiction), number, now=utc_now())
    say("The number gets no messages any more.")


@sms.command()
@_NUMBER
@_JURISDICTION
def allow(number: str, jurisdiction: str) -> None:
    """Let NUMBER get messages again, as if its owner had answered START.

    \b
    Example:
      open311 sms allow "+1 617 555 0123" --jurisdiction city.example
    """
    with command_platform() as platform:
        is_known = watching.allow_number(platform, find_jurisdiction(platform, jurisdiction), number)
    say("The number gets messages again." if is_known else "The number was not stopped.")
