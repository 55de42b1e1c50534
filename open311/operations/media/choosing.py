"""Which of the files in a call are accepted as photos."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil, floor

from open311.domain.photos import SentFile, SentPhoto
from open311.media.kinds import HEAD_BYTES, readable_kinds, sniff
from open311.media.sizes import pixels_of
from open311.settings import Settings
from schemas.texts import Message, tell, tell_count


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file that is not accepted: the name of its field, and why.

    number  its place among the files of the call; the first one is 1
    count   how many files the call has
    """

    name: str
    reason: Message
    number: int = 1
    count: int = 1


@dataclass(frozen=True, slots=True)
class Chosen:
    """The files of a call that are accepted as photos, and the others."""

    photos: tuple[SentPhoto, ...] = ()
    dropped: tuple[Dropped, ...] = ()


def choose(files: Iterable[SentFile], settings: Settings) -> Chosen:
    """Recognise photos by their first bytes. Neither the name of a file nor its declared type counts."""
    photos: list[SentPhoto] = []
    dropped: list[Dropped] = []
    sent = tuple(files)
    for number, file in enumerate(sent, start=1):
        found = _photo(file, settings, len(photos))
        if isinstance(found, SentPhoto):
            photos.append(found)
        else:
            dropped.append(Dropped(file.name, found, number, len(sent)))
    return Chosen(tuple(photos), tuple(dropped))


def _photo(file: SentFile, settings: Settings, count: int) -> SentPhoto | Message:
    """The photo in a file, or why it is refused. `count`: how many photos of the call are accepted already."""
    if not file.size_bytes:
        return tell("it is empty")
    if file.data is None:
        return tell(
            "it is too large: it has {size}, and at most {most} are allowed",
            size=in_units(file.size_bytes, ceil),
            most=in_units(settings.max_photo_bytes, floor),
        )
    kind = sniff(file.data[:HEAD_BYTES])
    if kind is None:
        return tell(
            "it is not a picture that can be shown here; send a picture of one of these kinds: {kinds}",
            kinds=", ".join(kind.name for kind in readable_kinds()),
        )
    pixels = pixels_of(kind, file.data)
    if pixels > settings.max_photo_pixels:
        return tell("it has {pixels} pixels, and {most} are allowed", pixels=pixels, most=settings.max_photo_pixels)
    if count >= settings.max_photos:
        return tell_count(
            "only {count} photo can be sent at once",
            "only {count} photos can be sent at once",
            count=settings.max_photos,
        )
    return SentPhoto(media_type=kind.media_type, data=file.data)


def in_units(size_bytes: int, rounded: Callable[[float], int]) -> str:
    """A size that people can read, such as 12.3 MB. `rounded`: `ceil` or `floor`, for the tenths."""
    unit, name = (1_000_000, "MB") if size_bytes >= 1_000_000 else (1_000, "kB")
    return f"{rounded(size_bytes * 10 / unit) / 10:g} {name}"
