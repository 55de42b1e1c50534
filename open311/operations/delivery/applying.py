"""Apply the updates of back offices to requests, by the same commands as those of staff.

Most updates are newer than all other updates of their request. Many of these are applied in one transaction, by few
statements. Each other update has its own transaction: for example, an update out of order, of an unknown request,
or with a fault. If the worker dies, the next worker applies the updates of the transaction again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from open311.domain import commands
from open311.domain.access import Principal, Role, Scope
from open311.domain.commands import Command
from open311.domain.deliveries import wait_after
from open311.domain.erasures import holds_erased
from open311.domain.events import Erased, Event, NoteAdded
from open311.domain.remote_updates import Order, StoredUpdate, UpdateState, order_of, word_in
from open311.domain.requests import RequestRecord
from open311.domain.standing import Said, Standing, after_all, standing_of
from open311.domain.workflow import MEANINGS, Outcome, State
from open311.errors import Open311Error, Unavailable
from open311.observe import logger
from open311.operations.delivery.planning import actor_of
from open311.operations.delivery.sending import Clock
from open311.operations.delivery.storing import FIRST_LOOK, find_number
from open311.operations.federation.joining import join_remotes
from open311.operations.platform import Platform
from open311.operations.publishing import names_for
from open311.operations.workflow.act import act_within, changes_by, unused_states
from open311.operations.workflow.apply import Change, change_requests, load_request
from open311.operations.workflow.effects import Desk
from open311.operations.workflow.texts import text_for
from open311.operations.workflow.words import commands_for_word, commands_to
from open311.plugins import BackendConfig, Jurisdiction
from open311.storage import deliveries, external_ids, history, remote_updates, requests
from open311.storage.deliveries import Place
from open311.storage.engine import Connection, undeadlocked

log = logger(__name__)

IGNORE, UNCHANGED = "ignore", "unchanged"
MOST_TRIES = 8
"""How often an update is tried while a fault of this server prevents it from being applied."""
UNKNOWN_FOR = timedelta(days=3)
"""How long an update of an unknown request is tried again. The answer with the request's id may still come."""
ERASED = "its text was erased here before"
UNKNOWN_REQUEST = "no request that was sent there has this id"


AT_ONCE = 50
"""How many updates one transaction applies. It locks their requests for less than half a second."""
FEWEST = 3
"""Fewer updates than these are applied alone, because a batch needs more statements than one update."""


@dataclass(frozen=True, slots=True)
class Step:
    """What an update leads to. Nothing is written yet.

    changes  empty if the request does not change
    ignored  the reasons why parts of the update have no effect
    """

    update: StoredUpdate
    before: RequestRecord
    changes: Sequence[Change]
    ignored: Sequence[str]

    def ended(self, after: RequestRecord | None) -> StoredUpdate:
        """The update after its changes are written. `after`: the request then; None if it has not changed."""
        is_changed = after is not None and after.version != self.before.version
        state = UpdateState.APPLIED if is_changed and not self.ignored else UpdateState.NO_CHANGE
        return _ended(_at_version(self.update, self.before, after or self.before), state, *self.ignored)


@dataclass(frozen=True, slots=True)
class Desktop:
    """What is needed to apply an update: a desk and the configuration of the back end.

    desk  its principal is the back office
    """

    desk: Desk
    config: BackendConfig

    @property
    def place(self) -> Place:
        """The city and the name of the back end."""
        return self.desk.jurisdiction.id, self.config.name


def principal_of(backend: str, jurisdiction_id: str) -> Principal:
    """The principal that acts for a back office: an agent of one city."""
    return Principal(kind=actor_of(backend), role=Role.AGENT, scope=Scope(jurisdiction_id))


def apply_updates(platform: Platform, clock: Clock) -> int:
    """Apply all stored updates that are due, and return how many were tried."""
    done = 0
    for city in cities_with_updates(platform, clock()):
        while tried := apply_some(platform, city, clock()):
            done += tried
    return done


def cities_with_updates(platform: Platform, now: datetime) -> list[Jurisdiction]:
    """The cities that have updates to apply now, each with its neighbours."""
    with platform.database.reading() as connection:
        join_remotes(platform, connection)
        due = remote_updates.due_cities(connection, now)
    return [city for city in platform.registry if city.id in due]


def apply_some(platform: Platform, city: Jurisdiction, now: datetime) -> int:
    """Apply some of the stored updates of a city that are due, and return how many were tried; 0 if none is due.

    Raises Unavailable if the database is dead.
    """
    try:
        done, left = undeadlocked(lambda: _apply_batch(platform, city, now))
    except Unavailable:
        raise
    except Exception as error:  # one update has a fault; applied alone, it does not stop the others
        log.info("updates are applied one by one", city=city.id, cause=type(error).__name__)
        done, left = 0, AT_ONCE
    for _ in range(left):
        if not apply_next(platform, city, now):
            break
        done += 1
    return done


def _apply_batch(platform: Platform, city: Jurisdiction, now: datetime) -> tuple[int, int]:
    """Apply the updates that are newer than all others of their request, in one transaction.

    Returns their number, and the number of the due updates that have to be applied alone.
    """
    with platform.database.transaction() as connection:
        due = remote_updates.all_due(connection, city.id, now, rows=AT_ONCE)
        if len(due) < FEWEST:
            return 0, len(due)
        names = names_for(connection, city)
        steps: dict[int, Step] = {}
        for config in city.backends:
            own = [one for one in due if one.backend == config.name]
            place = Desktop(Desk(connection, city, principal_of(config.name, city.id), now, names), config)
            for step in _steps(place, own) if own else ():
                steps.setdefault(step.before.number, step)
        changes = [change for step in steps.values() for change in step.changes]
        after = {one.number: one for one in change_requests(connection, changes, names)} if changes else {}
        remote_updates.save_all(connection, [step.ended(after.get(number)) for number, step in steps.items()])
        return len(steps), len(due) - len(steps)


def _steps(place: Desktop, due: Sequence[StoredUpdate]) -> Iterator[Step]:
    """What the updates of one back office lead to, without those that have to be applied alone."""
    connection, city = place.desk.connection, place.desk.jurisdiction
    keys = deliveries.known_keys(connection, place.place, [one.update_id for one in due])
    numbers = external_ids.numbers_of(connection, *place.place, [one.remote_id for one in due if one.remote_id])
    first: dict[int, StoredUpdate] = {}
    for update in due:
        if number := numbers.get(update.remote_id, 0):
            first.setdefault(number, replace(update, number=number))
    records = requests.load_numbers(connection, city.id, list(first), is_locked=True)
    histories = history.load_histories(connection, city.id, list(first))
    newest: dict[int, Order] = {}
    for one in remote_updates.understood_of(connection, place.place, list(first)):
        order = _order(place.config, one)
        newest[one.number] = max(newest.get(one.number, order), order)
    for number, update in first.items():
        word, order = _word_of(place.config, update), _order(place.config, update)
        is_plain = word not in (None, IGNORE) and not update.is_unreadable and update.update_id not in keys
        if is_plain and newest.get(number, order) <= order and not records[number].merged_into:
            record, events = records[number], histories.get(number, ())
            yield _step(place, record, _without_erased(record, update, events), word or UNCHANGED, events)


def apply_next(platform: Platform, city: Jurisdiction, now: datetime) -> bool:
    """Apply the next stored update of a city. Returns False if none is due.

    A fault of this server is logged, and the update is tried again later, so that other updates do not wait for it.
    Raises Unavailable if the database is dead.
    """
    taken: list[StoredUpdate] = []

    def once() -> bool:
        taken.clear()
        with platform.database.transaction() as connection:
            found = remote_updates.next_due(connection, city.id, now)
            if found is None:
                return False
            taken.append(found)
            config = city.backend(found.backend)
            after = _orphaned(found) if config is None else _applied(_desktop(connection, city, config, now), found)
            remote_updates.save(connection, after)
        _tell(found, after)
        return True

    try:
        return undeadlocked(once)
    except Unavailable:
        raise
    except Exception as error:
        if not taken:
            raise
        log.exception("an update of a back office was not applied", city=city.id, update=taken[0].id)
        _put_off(platform, taken[0], error, now)
        return True


def _desktop(connection: Connection, city: Jurisdiction, config: BackendConfig, now: datetime) -> Desktop:
    return Desktop(Desk(connection, city, principal_of(config.name, city.id), now), config)


def _put_off(platform: Platform, update: StoredUpdate, error: Exception, now: datetime) -> None:
    """Try the update later, or leave it to a person."""
    attempts = update.attempts + 1
    fault = str(error) if isinstance(error, Open311Error) else f"{type(error).__name__}; the log has it"
    later = replace(
        update,
        attempts=attempts,
        cause=f"it could not be applied: {fault}"[:500],
        due_at=now + timedelta(seconds=wait_after(attempts + 3, 0.5)),
    )
    if attempts >= MOST_TRIES:
        later = replace(later, state=UpdateState.QUARANTINED, due_at=None)
    with platform.database.transaction() as connection:
        remote_updates.save(connection, later)


def _orphaned(update: StoredUpdate) -> StoredUpdate:
    return _quarantined(update, f"the city has no back end {update.backend} any more")


def _quarantined(update: StoredUpdate, cause: str) -> StoredUpdate:
    return replace(update, state=UpdateState.QUARANTINED, due_at=None, cause=cause)


def _ended(update: StoredUpdate, state: UpdateState, *causes: str) -> StoredUpdate:
    """The update in its last state. A remark on its text stays in `cause`; the fault of a failed try does not."""
    kept = "" if update.state is UpdateState.QUARANTINED or update.attempts else update.cause
    return replace(update, state=state, due_at=None, cause="; ".join(filter(None, (kept, *causes))))


def _tell(before: StoredUpdate, after: StoredUpdate) -> None:
    """Log once that an update waits for a person."""
    if after.state is UpdateState.QUARANTINED and before.state is not UpdateState.QUARANTINED:
        what = {"city": after.jurisdiction_id, "backend": after.backend, "update": after.id}
        log.warning("an update of a back office waits for a person", cause=after.cause, **what)


# --- The words of back offices


def _applied(place: Desktop, update: StoredUpdate) -> StoredUpdate:
    connection = place.desk.connection
    if update.is_unreadable:
        return _quarantined(update, update.cause)
    own = deliveries.number_of_key(connection, place.place, update.update_id)
    if own:
        return _ended(replace(update, number=own), UpdateState.ECHO)
    number = find_number(connection, place.place, update)
    if not number:
        return _unknown(update, place.desk.now)
    update = replace(update, number=number)
    word = _word_of(place.config, update)
    if word == IGNORE:
        return _ended(update, UpdateState.IGNORED)
    if word is None:
        return _quarantined(update, "its status is not in the table `statuses`")
    record = load_request(connection, place.desk.jurisdiction, number)
    events = history.load_events(connection, record.jurisdiction_id, number)
    update = _without_erased(record, update, events)
    earlier = _known(place, number)
    if any(order > _order(place.config, update) for order, _ in earlier):
        before = [one for _, one in sorted(earlier, key=lambda one: one[0])]
        return _fitted_in(place, record, update, word, before)
    return _in_order(place, record, update, word, events)


def _without_erased(record: RequestRecord, update: StoredUpdate, events: Sequence[Event]) -> StoredUpdate:
    """The update. Its text is left out if the text was erased here, because the back office may still have it."""
    if not update.description:
        return update
    marks = {mark for event in events if isinstance(event, Erased) for mark in event.marks or ()}
    if not holds_erased(update.description, marks, record.erasure_salt):
        return update
    return replace(update, description="", cause="; ".join(filter(None, (update.cause, ERASED))))


def word_for(config: BackendConfig, status: str) -> str | None:
    """One of mySociety's words for a back office's status, or `ignore`; None if a person has to decide."""
    words = {name.strip().casefold(): word for name, word in config.statuses.items()}
    word = words.get(status.strip().casefold()) or word_in(status)
    if not word:
        return UNCHANGED
    if word in MEANINGS or (word == IGNORE and status.strip().casefold() in words):
        return word
    return {"keep": UNCHANGED, "ignore": IGNORE}.get(config.unknown_status)


def _word_of(config: BackendConfig, update: StoredUpdate) -> str | None:
    """Like `word_for`. But the first snapshot of an open case (FIRST_LOOK) changes no status."""
    word = word_for(config, update.status)
    return UNCHANGED if word in MEANINGS and update.cause.startswith(FIRST_LOOK) else word


def _unknown(update: StoredUpdate, now: datetime) -> StoredUpdate:
    """Wait, because the id of the request may come later.

    After UNKNOWN_FOR, the update waits for a person or the id.
    """
    attempts = update.attempts + 1
    due_at = now + timedelta(seconds=wait_after(attempts + 5, 0.5))
    is_fresh = due_at < update.received_at + UNKNOWN_FOR
    after = _quarantined(update, UNKNOWN_REQUEST)
    return replace(after, attempts=attempts, due_at=due_at if is_fresh else None)


def _known(place: Desktop, number: int) -> list[tuple[Order, StoredUpdate]]:
    found = remote_updates.understood(place.desk.connection, place.place, number)
    return [(_order(place.config, one), one) for one in found]


def _order(config: BackendConfig, update: StoredUpdate) -> Order:
    return order_of(update, word_for(config, update.status) or UNCHANGED)


# --- In order


def _in_order(
    place: Desktop, record: RequestRecord, update: StoredUpdate, word: str, events: Sequence[Event]
) -> StoredUpdate:
    """Apply an update that is the newest of its request."""
    desk = place.desk
    step = _step(place, record, update, word, events)
    if not step.changes:
        return step.ended(None)
    names = desk.names or names_for(desk.connection, desk.jurisdiction)
    after, *_ = change_requests(desk.connection, step.changes, names)
    return step.ended(after)


def _step(place: Desktop, record: RequestRecord, update: StoredUpdate, word: str, events: Sequence[Event]) -> Step:
    """What the newest update of a request leads to. `events`: the history of the request."""
    desk = place.desk
    orders, ignored = commands_for_word(
        record,
        update.status or word,
        MEANINGS[word],
        desk.jurisdiction,
        text=update.description,
        reason=_reason(update),
    )
    if _is_known_text(place, record, update.description, events):
        orders = [order for order in orders if not isinstance(order, commands.Note)]
    return Step(update, record, changes_by(desk, record, orders), tuple(map(str, ignored)))


def _at_version(update: StoredUpdate, before: RequestRecord, after: RequestRecord) -> StoredUpdate:
    return replace(update, version=after.version if after.version != before.version else 0)


def _reason(update: StoredUpdate) -> str:
    return f"update {update.update_id}"


def _is_known_text(place: Desktop, record: RequestRecord, text: str, events: Sequence[Event]) -> bool:
    """Whether a text is empty, or repeats the last public text or one that somebody else has written here."""
    if not text or text == record.status_notes:
        return True
    own = str(place.desk.principal)
    return any(event.note == text and event.actor != own for event in events)


# --- Out of order


def _fitted_in(
    place: Desktop, record: RequestRecord, update: StoredUpdate, word: str, earlier: Sequence[StoredUpdate]
) -> StoredUpdate:
    """Apply an update that came after newer ones: store its text, and in most cases nothing else.

    Its status counts only if it changes what the newer updates lead to, for example if it is a closing and the only
    newer update is the text "thank you". So the result does not depend on the order in which updates come. But if
    the request is not in the state to which the other updates have led, for example because of a command of staff,
    the status does not count.
    """
    config, city = place.config, place.desk.jurisdiction
    first, hidden = _before_all(record), unused_states(city)
    known = [(_order(config, one), _said(config, one)) for one in earlier]
    before = after_all(first, (said for _, said in known), hidden)
    known.append((_order(config, update), Said(MEANINGS[word], update.description)))
    after = after_all(first, (said for _, said in sorted(known, key=lambda one: one[0])), hidden)
    current = standing_of(record)
    is_ours = (current.state, current.outcome) == (before.state, before.outcome) and not record.merged_into
    orders = commands_to(current, after, text=after.text or "", reason=_reason(update)) if is_ours else []
    changed = act_within(place.desk, record.number, orders)
    changed = _with_texts(
        place, changed, update, _texts(place, changed, update, before, after, orders, is_ours=is_ours)
    )
    state = UpdateState.APPLIED if orders else UpdateState.LATE
    return _ended(_at_version(update, record, changed), state)


def _before_all(record: RequestRecord) -> Standing:
    base = standing_of(record).base
    return Standing(state=base, base=base)


def _said(config: BackendConfig, update: StoredUpdate) -> Said:
    word = UNCHANGED if update.cause.startswith(FIRST_LOOK) else word_for(config, update.status) or UNCHANGED
    return Said(MEANINGS.get(word), update.description)


def _texts(
    place: Desktop,
    record: RequestRecord,
    update: StoredUpdate,
    before: Standing,
    after: Standing,
    orders: Sequence[Command],
    *,
    is_ours: bool,
) -> Iterable[tuple[str, bool]]:
    """The texts to publish, each with True if it is late: then a newer public text stays in status_notes."""
    is_last = is_ours and after.text == update.description
    events = history.load_events(place.desk.connection, record.jurisdiction_id, record.number)
    if update.description and not _is_known_text(place, record, update.description, events):
        yield update.description, not is_last
    is_closed = after.state is State.CLOSED
    if is_ours and not orders and is_closed and after.text is None and before.text is not None:
        yield text_for(place.desk.jurisdiction, record, after.outcome or Outcome.UNKNOWN, place.desk.now), False


def _with_texts(
    place: Desktop, record: RequestRecord, update: StoredUpdate, texts: Iterable[tuple[str, bool]]
) -> RequestRecord:
    desk = place.desk
    events = [
        NoteAdded(at=desk.now, actor=str(desk.principal), reason=_reason(update), note=text, is_late=is_late)
        for text, is_late in texts
    ]
    if not events:
        return record
    [after] = change_requests(desk.connection, [(record, events)], names_for(desk.connection, desk.jurisdiction))
    return after
