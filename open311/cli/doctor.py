"""`open311 doctor`: what is wrong, and how to correct it."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict

import click
import orjson

from open311.cli.output import say, say_json
from open311.clock import exact_now
from open311.observe import configure_logs
from open311.operations.examining.examine import examine
from open311.operations.examining.findings import Level, worst


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON list.")
@click.option("--all", "is_all", is_flag=True, help="Also name what is in order.")
@click.option("--tls", "asks_address", is_flag=True, help="Also connect to OPEN311_PUBLIC_URL for its certificate.")
def doctor(as_json: bool, is_all: bool, asks_address: bool) -> None:
    """Look for what is wrong or will soon be wrong: settings, disks, database, worker, deliveries, mail, texts.

    Each finding is one line with the command or setting that corrects it. Nothing is written, and nothing secret or
    personal is printed. The exit status is 0 without findings, 1 with warnings only, and 2 with a fault.

    \b
    Examples:
      open311 doctor
      open311 doctor --all --tls
      open311 doctor --json
    """
    configure_logs("error")
    found = list(examine(os.environ, exact_now, asks_address=asks_address))
    shown = [one for one in found if is_all or one.level is not Level.OK]
    if as_json:
        say_json(orjson.dumps([asdict(one) for one in shown], option=orjson.OPT_INDENT_2))
    else:
        for one in shown:
            cure = f"; try: {one.cure}" if one.cure else ""
            say(f"{one.level:<8}{one.subject}: {one.what}{cure}")
        if not shown:
            say(f"{len(found)} subjects were checked, and all are in order.")
    sys.exit(worst(found).status)
