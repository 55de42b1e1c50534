"""`open311 media`: the store of photos."""

from __future__ import annotations

import click

from open311.cli.group import CommandGroup
from open311.cli.output import fail, say
from open311.cli.platforms import command_platform
from open311.clock import utc_now
from open311.media.stores import StoreUnavailable, WrongStore
from open311.operations.media.files import adopt_store, store_fault
from open311.operations.platform import Platform
from open311.storage import media_files
from open311.storage.queue import MOST_COUNTED


@click.group(cls=CommandGroup)
def media() -> None:
    """Look after the store of photos, which OPEN311_MEDIA names.

    The file `_store` in it says to which database the photos belong. The server writes this file with the first
    photo. From then on, it stores and deletes no photo in a store without this file, because the store may be
    another one. Copy the file with the photos when you move them.
    """


@media.command()
def check() -> None:
    """Tell whether photos can be stored, and how many erased photos still have files.

    The exit status is 1 if photos cannot be stored.

    \b
    Example:
      open311 media check
    """
    with command_platform() as platform:
        fault = store_fault(platform, utc_now())
        with platform.database.reading() as connection:
            waiting = media_files.count_deletions(connection, MOST_COUNTED)
    say(f"Erased photos whose files the worker has still to delete: {waiting}.")
    if fault:
        fail(f"{_place(platform)}: {fault}.")
    say(f"{_place(platform)}: photos can be stored.")


@media.command()
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
def adopt(is_sure: bool) -> None:
    """Use a store without the file `_store` from now on, if the former photos are lost for good.

    Photos whose files are not in it stay missing: their addresses answer 503. If you have the files, copy them
    there with the file `_store` instead.

    \b
    Example:
      open311 media adopt
    """
    with command_platform() as platform:
        if not is_sure:
            click.confirm(f"Use {_place(platform)} for photos from now on?", abort=True)
        try:
            adopt_store(platform, utc_now())
        except WrongStore:
            fail(
                f"{_place(platform)}: has the photos of another database; use an empty store. If that"
                " database is gone for good, delete the file _store there first."
            )
        except StoreUnavailable as error:
            fail(f"{_place(platform)}: {error}")
    say(f"{_place(platform)}: is the store of photos now.")


def _place(platform: Platform) -> str:
    settings = platform.settings
    return settings.media if settings.media_bucket else str(settings.media_path)
