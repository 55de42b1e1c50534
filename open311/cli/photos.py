"""`open311 photos`: the photos that wait for a person, and what the person decides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from open311.cli.files import new_private_file
from open311.cli.group import CommandGroup
from open311.cli.output import say, say_table
from open311.cli.platforms import command_platform, find_jurisdiction
from open311.cli.shell import shell_user
from open311.clock import utc_now
from open311.domain.photos import HeldPhoto
from open311.operations.desk.held_photos import find_held_photos
from open311.operations.desk.photos import ORIGINAL, read_photo, release_photo, withdraw_photo
from open311.operations.media.files import LARGEST
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from schemas.values import format_instant

AT_ONCE = 500


@click.group(cls=CommandGroup)
def photos() -> None:
    """Look at photos that are held, and release or withdraw photos."""


_JURISDICTION = click.option(
    "--jurisdiction", default="", help="The city's jurisdiction_id. Not needed if only one city is served."
)
_REQUEST = click.argument("request_id", metavar="REQUEST")
_PHOTO = click.argument("photo_id", metavar="PHOTO")


@photos.command("list")
@_JURISDICTION
def list_held(jurisdiction: str) -> None:
    """Show the photos that are held, the oldest first."""
    with command_platform() as platform:
        found = list(_held(platform, find_jurisdiction(platform, jurisdiction)))
    if not found:
        say("No photo is held.")
        return
    say_table(
        ("photo", "request", "service", "department", "visibility", "sent", "kind", "bytes"),
        map(_row, found),
    )


def _row(one: HeldPhoto) -> tuple[str, ...]:
    return (
        one.photo.id,
        one.service_request_id or str(one.photo.request_id),
        one.service_code,
        one.department or "-",
        one.visibility,
        format_instant(one.photo.created_at),
        one.photo.media_type,
        str(one.photo.size_bytes),
    )


def _held(platform: Platform, city: Jurisdiction) -> Iterator[HeldPhoto]:
    cursor = ""
    while True:
        values = {"cursor": cursor, "page_size": AT_ONCE}
        page = find_held_photos(platform, city, values, principal=shell_user())
        yield from page.photos
        cursor = page.cursor
        if not cursor:
            return


@photos.command()
@_REQUEST
@_PHOTO
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--original", "is_original", is_flag=True, help="The photo as it was sent, while the server keeps it."
)
@_JURISDICTION
def save(request_id: str, photo_id: str, file: Path, is_original: bool, jurisdiction: str) -> None:
    """Write a photo of a request into a new file, which only you can read.

    REQUEST is the id of the request, PHOTO that of the photo; `open311 photos list` shows both for held photos.
    FILE is the new file.

    \b
    Example:
      open311 photos save 8841 h3xR0tqL4l2b9mZkQ1w5vA look.jpg
    """
    with command_platform() as platform:
        found = read_photo(
            platform,
            find_jurisdiction(platform, jurisdiction),
            request_id,
            photo_id,
            size=ORIGINAL if is_original else LARGEST,
            principal=shell_user(),
            now=utc_now(),
        )
    with new_private_file(file, "FILE") as stream:
        stream.write(found.data)
    say(f"{file}: written; only you can read it.")


@photos.command()
@_REQUEST
@_PHOTO
@click.option("--reason", required=True, help="Why; the history of the request keeps it.")
@_JURISDICTION
def release(request_id: str, photo_id: str, reason: str, jurisdiction: str) -> None:
    """Show a held photo to everybody who can read its request.

    REQUEST is the id of the request, PHOTO that of the photo; `open311 photos list` shows both.

    \b
    Example:
      open311 photos release 8841 h3xR0tqL4l2b9mZkQ1w5vA --reason "It shows nobody."
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        release_photo(platform, city, request_id, photo_id, reason=reason, principal=shell_user(), now=utc_now())
    say(f"{photo_id}: everybody who can read request {request_id} sees it now.")


@photos.command()
@_REQUEST
@_PHOTO
@click.option("--reason", required=True, help="Why; the history of the request keeps it.")
@_JURISDICTION
def withdraw(request_id: str, photo_id: str, reason: str, jurisdiction: str) -> None:
    """Withdraw a photo that is shown or held from the public for good. Staff can still see it.

    REQUEST is the id of the request, PHOTO that of the photo: its address ends in PHOTO.jpg.

    \b
    Example:
      open311 photos withdraw 8841 h3xR0tqL4l2b9mZkQ1w5vA --reason "It shows a face."
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        withdraw_photo(platform, city, request_id, photo_id, reason=reason, principal=shell_user(), now=utc_now())
    say(f"{photo_id}: only staff see it now. A cache may show it for five more minutes.")
