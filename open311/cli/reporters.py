"""`open311 reporters`: the personal data of those who send requests and updates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from open311.cli.files import new_private_file
from open311.cli.group import CommandGroup
from open311.cli.output import counted, progress, say, say_pieces, say_table, warn
from open311.cli.platforms import command_platform, find_jurisdiction
from open311.cli.shell import shell_user
from open311.clock import utc_now
from open311.domain.people import IDENTIFYING_FIELDS, Person, nothing_found, read_person
from open311.errors import Misconfigured
from open311.operations.desk.rendering import json_of
from open311.operations.people.erase_person import ErasedPart, erase_person
from open311.operations.people.export_person import ExportPage, export_person
from open311.operations.people.photo_files import read_photo_files
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from schemas.values import format_instant

SHOWN = 10
"""How many requests are named in the report of an erasure; the audit trail has all."""


@click.group(cls=CommandGroup)
def reporters() -> None:
    """Export or erase the data of a person."""


_JURISDICTION = click.option(
    "--jurisdiction", default="", help="The city's jurisdiction_id. Not needed if only one city is served."
)
_REASON = click.option(
    "--reason", default="", help="Why, without the name of the person; kept in the audit trail for ever."
)


def _person_options(command: Any) -> Any:
    for name, meaning in reversed(
        (
            ("--email", "An email address, in any case."),
            ("--phone", "A phone number in any spelling; one of the city's phone_region needs no country code."),
            ("--device-id", "The id of a device, as the app sent it."),
            ("--account-id", "The id of an account with the app."),
        )
    ):
        command = click.option(name, default=None, help=meaning)(command)
    return command


@reporters.command("export")
@_JURISDICTION
@_person_options
@_REASON
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="A new file, which only you can read. Without it, the JSON is printed.",
)
@click.option(
    "--files",
    "folder",
    type=click.Path(path_type=Path),
    default=None,
    help="A new folder for the files of the photos, which only you can read. OPEN311_MEDIA must be set as for the"
    " services.",
)
def export_command(
    jurisdiction: str, reason: str, output: Path | None, folder: Path | None, **who: str | None
) -> None:
    """Write what the city has about a person, as JSON: requests, updates, mail, and systems that got the data.

    With several options, the data of all who fit one of them are written. Look at the data before you hand them
    over: several people may use an account of an app, or a phone. Comments of others, and their photos, are left
    out. Personal data in the city's own texts are masked as for the public, unless the person has given them.

    \b
    Example:
      open311 reporters export --email jane@mail.example --output jane.json --reason "Letter of 1 March."
      open311 reporters export --email jane@mail.example --output jane.json --files photos-of-jane
    """
    _person(who)  # so that a faulty call needs no database
    now = utc_now()
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        person = _person(who, city)
        why = reason or "open311 reporters export"
        pages = export_person(platform, city, person, reason=why, principal=shell_user(), now=now)
        if folder is not None:
            _make_folder(folder)
            pages = _with_files(platform, city, pages, folder, now)
        pieces = _export_in_json(city, pages, now)
        if output is None:
            say_pieces(pieces)
            return
        with new_private_file(output, "--output") as file:
            for piece in pieces:
                file.write(piece)
    say(f"{output}: written; only you can read it.")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise Misconfigured(f"--files: {folder} cannot be made: {error.strerror}.") from None


def _with_files(
    platform: Platform, city: Jurisdiction, pages: Iterable[ExportPage], folder: Path, now: datetime
) -> Iterator[ExportPage]:
    """The pages. While they are read, the files of their photos are written into the folder."""
    missing: list[str] = []
    for page in pages:
        for item in page.requests:
            ids = {photo["id"] for photo in item["photos"]}
            for file in read_photo_files(platform, city, item["number"], ids, now):
                if file.data is None:
                    missing.append(file.name)
                    continue
                with new_private_file(folder / file.name, "--files") as written:
                    written.write(file.data)
        yield page
    if missing:
        warn(f"not in the media store: {', '.join(missing)}; is OPEN311_MEDIA set as for the services?")


def _export_in_json(city: Jurisdiction, pages: Iterable[ExportPage], now: datetime) -> Iterator[bytes]:
    """An export, of which only one page is in memory. Warns if nothing was found."""
    head = json_of({"jurisdiction_id": city.id, "exported_datetime": format_instant(now)})
    yield head[:-1] + b',"requests":['
    separator, subscribed = b"\n", list[dict[str, Any]]()
    for page in pages:
        subscribed += page.subscriptions
        for item in page.requests:
            yield separator + json_of(item)
            separator = b",\n"
    yield b'\n],"subscriptions":' + json_of(subscribed) + b"}\n"
    if separator == b"\n" and not subscribed:
        warn(nothing_found())


@reporters.command("erase")
@_JURISDICTION
@_person_options
@_REASON
@click.option(
    "--texts",
    "with_texts",
    is_flag=True,
    help="Erase also descriptions, answers, photos and notes of the person's requests, personal data in their"
    " addresses, and the person's comments with their photos. Give this option the first time: afterwards,"
    " nobody knows whose texts they were.",
)
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Change nothing; show what would be erased.")
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask before erasing.")
def erase_command(
    jurisdiction: str, reason: str, with_texts: bool, is_dry_run: bool, is_sure: bool, **who: str | None
) -> None:
    """Erase what says who a person is, and with --texts what the person wrote. Report what was erased where.

    The command first shows what it would erase, and asks. With several options, the data of all who fit one of them
    are erased: run `open311 reporters export` first, because several people may use an account or a phone. An
    erasure cannot be undone. The requests stay with their places, and the statistics count them as before. The
    audit trail (`open311 staff audit`) keeps the report, which does not say whose data it was. Backups, and other
    systems that got the data, still have them; the report names the systems.

    \b
    Example:
      open311 reporters erase --email jane@mail.example --reason "Letter of 1 March."
    """
    _person(who)  # so that a faulty call needs no database
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        person = _person(who, city)
        options: dict[str, Any] = {
            "with_texts": with_texts,
            "reason": reason or "open311 reporters erase",
            "principal": shell_user(),
            "now": utc_now(),
        }
        if is_dry_run or not is_sure:
            tried = _Report.of(erase_person(platform, city, person, **options, is_dry_run=True))
            tried.say(is_dry_run=True)
            if is_dry_run:
                return
            if tried.names and not with_texts:
                warn("the texts stay, and afterwards nobody can find them for this person; --texts erases them.")
            click.confirm("Erase this permanently?", abort=True)
        with progress(city.id, None) as advance:
            parts = _advancing(erase_person(platform, city, person, **options), advance)
            _Report.of(parts).say(is_dry_run=False)


def _advancing(parts: Iterable[ErasedPart], advance: Any) -> Iterator[ErasedPart]:
    for part in parts:
        advance(len(part.numbers))
        yield part


def _person(who: Mapping[str, str | None], city: Jurisdiction | None = None) -> Person:
    given = {name: value for name in IDENTIFYING_FIELDS if (value := who[name]) is not None}
    return read_person(given, phone_region=city.privacy.phone_region if city else "")


class _Report:
    """The parts of an erasure together."""

    def __init__(self) -> None:
        self.erasure = ""
        self.names: list[str] = []
        self.rows = Counter[str]()
        self.systems: dict[tuple[str, tuple[str, ...] | None], int] = {}
        self.copies: list[str] = []
        self.photos = 0

    @classmethod
    def of(cls, parts: Iterable[ErasedPart]) -> _Report:
        """The report of these parts."""
        report = cls()
        for part in parts:
            report.erasure = part.erasure
            report.names += part.names
            report.rows += part.rows
            report.copies += part.copies
            report.photos += part.photos
            for one in part.systems:
                key = (one.system, one.shared)
                report.systems[key] = report.systems.get(key, 0) + 1
        return report

    def say(self, *, is_dry_run: bool) -> None:
        """Print the report."""
        verb = "would be erased" if is_dry_run else "were erased"
        if not self.names and not self.rows:
            say(nothing_found())
        else:
            say_table(("table", "rows"), ((name, str(rows)) for name, rows in sorted(self.rows.items())))
        if self.names:
            more = f" and {len(self.names) - SHOWN} more" if len(self.names) > SHOWN else ""
            say(f"Data in {counted(len(self.names), 'request')} {verb}: {', '.join(self.names[:SHOWN])}{more}.")
        for (system, fields), number in sorted(self.systems.items(), key=str):
            known = ", ".join(fields) if fields else "unknown fields, because it is not configured any more"
            say(f"Ask {system} too: it got {counted(number, 'request')}, or may have, with {known}.")
        for name in self.copies:
            say(f"{name} was merged into a request of the person and may have copies of its notes; look at it.")
        if self.photos and not is_dry_run:
            say(
                f"Photos whose files the worker has still to delete: {self.photos}."
                " The audit trail gets an entry when no file is left."
            )
        if not is_dry_run:
            say(f"The audit trail has this as {self.erasure}.")
            warn("backups made before still have the data; see spec/operating.md.")
