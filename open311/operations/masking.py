"""Masks personal data in texts that become public. The record and the history keep what was typed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from open311.domain.attributes import Answer
from open311.domain.events import Event
from open311.domain.personal_data import DataKind, Hit, Privacy, Treatment, mark_of
from open311.domain.requests import Note, RequestRecord
from open311.domain.services import Datatype, Service
from open311.plugins import Jurisdiction
from open311.translations import closest, in_language, languages
from schemas.texts import Message, tell

MARKERS: dict[DataKind, Message] = {
    DataKind.EMAIL: tell("[e-mail address]"),
    DataKind.PHONE: tell("[phone number]"),
    DataKind.IBAN: tell("[bank account]"),
    DataKind.CARD: tell("[card number]"),
    DataKind.PLATE: tell("[licence plate]"),
}
"""What the public reads in the place of personal data."""
NAMES: dict[DataKind, Message] = {
    DataKind.EMAIL: tell("an e-mail address"),
    DataKind.PHONE: tell("a phone number"),
    DataKind.IBAN: tell("a bank account"),
    DataKind.CARD: tell("a card number"),
    DataKind.PLATE: tell("a licence plate"),
}
_FREE_TEXT = (Datatype.STRING, Datatype.TEXT)
_ANY_MARKER = r"\[[^\[\]\n]{1,40}\]"
"""A marker in any language."""
Edit = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Mask:
    """Masks the texts of one request.

    language  the city's first language (BCP 47), in which the markers are written
    unmasked  the marks of the texts that staff have unmasked
    salt      the salt of these marks
    """

    privacy: Privacy
    language: str
    unmasked: tuple[str, ...] = ()
    salt: str = ""

    @classmethod
    def of(cls, record: RequestRecord, city: Jurisdiction) -> Mask:
        """The mask for a request of a city."""
        privacy = city.privacy_of(record.service_code)
        return cls(privacy, city.languages[0], record.unmasked, record.erasure_salt)

    def hits(self, text: str) -> Iterator[tuple[Hit, bool]]:
        """The personal data that the policy masks in a text. The bool is False if staff have unmasked the data."""
        for hit in self.privacy.hits_in(text):
            is_unmasked = bool(self.unmasked) and mark_of(text[hit.start : hit.end], self.salt) in self.unmasked
            yield hit, not is_unmasked

    def masked(self, text: str, found: set[DataKind] | None = None) -> str:
        """The text as the public reads it. The kinds of the masked data are added to `found`."""
        if not text or not self.privacy.all_in(text):  # almost every text has none
            return text
        hits = [hit for hit, is_masked in self.hits(text) if is_masked]
        if found is not None:
            found.update(hit.kind for hit in hits)
        return self._marked(text, hits)

    def cleared(self, text: str) -> str:
        """The text with a marker for each piece of personal data, even if the city or staff show it."""
        return self._marked(text, self.privacy.all_in(text))

    def _marked(self, text: str, hits: Sequence[Hit]) -> str:
        for hit in reversed(hits):
            marker = in_language(MARKERS[hit.kind], _language_of_markers(self.language))
            text = text[: hit.start] + marker + text[hit.end :]
        return text

    def masked_again(self, text: str, note: str) -> str:
        """Replace a note in a published text by the note as it is masked now.

        Wherever the note has personal data, the published text may have what was typed, or a marker in any
        language.
        """
        hits = self.privacy.all_in(note)
        if not hits:
            return text
        pattern, place = "", 0
        for hit in hits:
            pattern += re.escape(note[place : hit.start])
            pattern += f"(?:{re.escape(note[hit.start : hit.end])}|{_ANY_MARKER})"
            place = hit.end
        now = self.masked(note)
        return re.sub(pattern + re.escape(note[place:]), lambda _: now, text)


@cache
def _language_of_markers(tag: str) -> str:
    """The language of the markers.

    The first call reads all translations, so call this only for a text that gets a marker.
    """
    return closest(tag, languages())


def masked_request(
    record: RequestRecord, notes: Iterable[Note], city: Jurisdiction
) -> tuple[RequestRecord, list[Note], tuple[DataKind, ...]]:
    """The record and the notes as the public may read them, and the kinds of personal data that are masked."""
    notes = list(notes)
    if not city.privacy_of(record.service_code).may_be_in(_typed(record, notes)):
        return record, notes, ()  # almost every request
    found: set[DataKind] = set()
    edit = partial(Mask.of(record, city).masked, found=found)
    shown = [
        note if (text := edit(note.description)) is note.description else replace(note, description=text)
        for note in notes
    ]
    return _edited(record, city, edit), shown, tuple([kind for kind in DataKind if kind in found]) if found else ()


def _typed(record: RequestRecord, notes: Iterable[Note]) -> list[str]:
    """All texts that `masked_request` may mask, in no order."""
    texts = [record.description, record.status_notes, record.detailed_status, record.place.address]
    texts += [note.description for note in notes]
    texts += [value for answer in record.answers for value in answer.values]
    return texts


def _edited(record: RequestRecord, city: Jurisdiction, edit: Edit) -> RequestRecord:
    """The record after `edit` has changed all texts that become public. The same record if no text changes."""
    changes: dict[str, Any] = {}
    for name in ("description", "status_notes", "detailed_status"):
        typed = getattr(record, name)
        if (edited := edit(typed)) is not typed:
            changes[name] = edited
    if (address := edit(record.place.address)) is not record.place.address:
        changes["place"] = replace(record.place, address=address)
    answers = _edited_answers(record, city.service(record.service_code), edit) if record.answers else ()
    if answers is not record.answers:
        changes["answers"] = answers
    return replace(record, **changes) if changes else record


def _edited_answers(record: RequestRecord, service: Service | None, edit: Edit) -> tuple[Answer, ...]:
    texts = _public_texts(record, service)
    edited = {answer.code: tuple(map(edit, answer.values)) for answer in texts}
    if all(edited[answer.code] == answer.values for answer in texts):
        return record.answers
    return tuple(
        replace(answer, values=edited[answer.code]) if answer.is_asked and answer.code in edited else answer
        for answer in record.answers
    )


def _public_texts(record: RequestRecord, service: Service | None) -> Sequence[Answer]:
    """The answers in free text that become public. Keys of lists and ids of assets are not among them."""
    if service is None or not record.answers:
        return ()
    free = {
        attribute.code
        for attribute in service.attributes
        if attribute.is_public and attribute.datatype in _FREE_TEXT and not attribute.asset_layer
    }
    return [answer for answer in record.answers if answer.is_asked and answer.code in free]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Personal data in a public text of a request.

    part       description, address, status_notes, detailed_status, attribute[CODE] or note
    text       what was typed
    start      how many characters of the part stand before it
    is_masked  whether the public reads a marker instead; False if staff have unmasked it
    """

    kind: DataKind
    part: str
    text: str
    start: int
    is_masked: bool


def findings_of(record: RequestRecord, events: Iterable[Event], city: Jurisdiction) -> list[Finding]:
    """The personal data in those texts of a request that are public, or become public when the request is released.

    events  the history, for the notes
    """
    mask = Mask.of(record, city)
    return [
        Finding(kind=hit.kind, part=part, text=text[hit.start : hit.end], start=hit.start, is_masked=is_masked)
        for part, text in _texts_of(record, events, city)
        for hit, is_masked in mask.hits(text)
    ]


def _texts_of(record: RequestRecord, events: Iterable[Event], city: Jurisdiction) -> Iterator[tuple[str, str]]:
    """The public texts of a request, each with the name of its part.

    `status_notes` are left out if they equal a note.
    """
    notes = [event.note for event in events if event.is_public and event.note]
    yield "description", record.description
    yield "address", record.place.address
    yield "detailed_status", record.detailed_status
    for answer in _public_texts(record, city.service(record.service_code)):
        yield from ((f"attribute[{answer.code}]", value) for value in answer.values)
    if record.status_notes not in notes:
        yield "status_notes", record.status_notes
    yield from (("note", note) for note in notes)


def masked_kinds(record: RequestRecord, city: Jurisdiction) -> tuple[DataKind, ...]:
    """The kinds of personal data in the public texts of a request, apart from its notes."""
    found = {one.kind for one in findings_of(record, (), city)}
    return tuple(kind for kind in DataKind if kind in found)


def must_be_held(record: RequestRecord, city: Jurisdiction) -> bool:
    """Whether a new request waits for a review because of personal data in its texts."""
    privacy = city.privacy_of(record.service_code)
    return any(privacy.treatment(kind) is Treatment.HOLD for kind in masked_kinds(record, city))
