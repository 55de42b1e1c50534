"""What the public can read of changes, as `servicerequestupdates` lists it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from open311.domain.events import Event, VisibilityChanged, replay
from open311.domain.requests import RequestRecord, Visibility
from open311.domain.workflow import word_of
from open311.operations.masking import Mask
from open311.plugins import Jurisdiction
from open311.storage import history, updates
from open311.storage.engine import Connection
from open311.storage.updates import NewUpdate


def updates_of(
    connection: Connection,
    changes: Iterable[tuple[RequestRecord, RequestRecord, Sequence[Event]]],
    city: Jurisdiction,
) -> Iterator[NewUpdate]:
    """The updates of stored changes, each with a new word for the state, or with masked texts, or both.

    changes  the request before the change, the request after it, and the events between
    A change that shows a hidden request has one update with all that was written while the request was hidden.
    """
    for before, after, events in changes:
        if not (after.visibility.is_shown and after.service_request_id):
            continue
        known, unread = before, list(events)
        if not before.visibility.is_shown:
            known, missed = _missed(connection, before)
            unread = [*missed, *events]
        mask = Mask.of(after, city)
        texts = [mask.masked(event.note) for event in unread if event.is_public and event.note]
        if texts or word_of(after) != word_of(known):
            yield NewUpdate(
                jurisdiction_id=after.jurisdiction_id,
                request_id=after.number,
                version=after.version,
                at=max(event.at for event in events),
                status=word_of(after),
                description="\n".join(texts),
            )


def mask_again(connection: Connection, records: Sequence[RequestRecord], city: Jurisdiction) -> None:
    """Mask the stored updates of requests again, after a change of the policy or of what staff have unmasked.

    Some updates have another text in place of a note, such as a text without the name of a hidden request. Such a
    text stays.
    """
    stored = updates.texts_of(connection, city.id, [record.number for record in records])
    if not stored:
        return
    histories = history.load_histories(connection, city.id, list({one.request_id for one in stored}))
    known = {record.number: record for record in records}
    for one in stored:
        text, mask = one.description, Mask.of(known[one.request_id], city)
        for event in histories.get(one.request_id, ()):
            if event.is_public and event.note and event.version <= one.version:
                text = mask.masked_again(text, event.note)
        if text != one.description:
            updates.replace_text(connection, one, text)


def _missed(connection: Connection, before: RequestRecord) -> tuple[RequestRecord, Sequence[Event]]:
    """The hidden request as the public saw it last, and the events since then.

    If the public never saw the request, these are the request after its first event, and all later events.
    """
    events = history.load_events(connection, before.jurisdiction_id, before.number)
    past = [event for event in events if event.version <= before.version]
    hiding = max((index for index, event in enumerate(past) if _hides(event)), default=0)
    return replay(before, past[: hiding + 1]), past[hiding + 1 :]


def _hides(event: Event) -> bool:
    return (
        isinstance(event, VisibilityChanged)
        and Visibility(event.old).is_shown
        and not Visibility(event.new).is_shown
    )
