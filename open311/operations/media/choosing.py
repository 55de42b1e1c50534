"""Which of the files in a call are taken as photos."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from open311.domain.photos import SentFile, SentPhoto
from open311.media.kinds import HEAD_BYTES, readable_kinds, sniff
from open311.settings import Settings
from schemas.texts import Message, tell, tell_count


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file that is not taken: the name of its field, and why."""

    name: str
    reason: Message


@dataclass(frozen=True, slots=True)
class Chosen:
    """The files of a call that are taken as photos, and the others."""

    photos: tuple[SentPhoto, ...] = ()
    dropped: tuple[Dropped, ...] = ()


def choose(files: Iterable[SentFile], settings: Settings) -> Chosen:
    """Recognise photos by their first bytes. Neither the name of a file nor its declared type counts."""
    photos: list[SentPhoto] = []
    dropped: list[Dropped] = []
    for file in files:
        found = _photo(file, settings, len(photos))
        if isinstance(found, SentPhoto):
            photos.append(found)
        else:
            dropped.append(Dropped(file.name, found))
    return Chosen(tuple(photos), tuple(dropped))


def _photo(file: SentFile, settings: Settings, count: int) -> SentPhoto | Message:
    """The photo in a file, or why it is not taken."""
    if not file.size_bytes:
        return tell("it is empty")
    if file.data is None:
        return tell(
            "it has {size} bytes, and {most} are allowed", size=file.size_bytes, most=settings.max_photo_bytes
        )
    kind = sniff(file.data[:HEAD_BYTES])
    if kind is None:
        return tell(
            "it is no picture that can be read here; send one of {kinds}",
            kinds=", ".join(kind.name for kind in readable_kinds()),
        )
    if count >= settings.max_photos:
        return tell_count(
            "only {count} photo is taken at once",
            "only {count} photos are taken at once",
            count=settings.max_photos,
        )
    return SentPhoto(media_type=kind.media_type, data=file.data)
