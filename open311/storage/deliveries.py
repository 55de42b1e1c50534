"""The tables of deliveries and of the circuits of back offices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Connection,
    Exists,
    Row,
    Select,
    Text,
    Update,
    any_,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert as pg_insert

from open311.domain.deliveries import (
    BY_HAND,
    ELSEWHERE,
    ENDED,
    MOVING,
    STOPPED,
    Circuit,
    Delivery,
    DeliverySearch,
    DeliveryState,
    Subject,
)
from open311.storage.copying import insert_rows
from open311.storage.queue import MOST_COUNTED
from open311.storage.tables import delivery, destination, remote_update, service_request

Place = tuple[str, str]
"""A jurisdiction_id, and the name of one of its back ends."""
ERASED = "erased"
"""The text that replaces an erased cause."""
BLOCKED_FOR = timedelta(hours=1)
"""How long a delivery is put off if it waits for an earlier one. It is due at once when the earlier one ends."""
_MOST_PUT_OFF = 200
"""A claim puts off deliveries of at most this many requests. It locks the circuit, so it must not take long."""


def add(connection: Connection, new: Iterable[Delivery]) -> None:
    """Store new deliveries. Each back office that gets one has a row in `destination`."""
    rows = [_values(one) for one in new]
    insert_rows(connection, delivery, rows)
    for city, backend in sorted({(row["jurisdiction_id"], row["backend"]) for row in rows}):
        _add_place(connection, (city, backend))


def save(connection: Connection, changed: Delivery) -> None:
    """Store the state of a delivery. The caller must have locked or claimed it."""
    save_all(connection, [changed])


def save_all(connection: Connection, changed: Sequence[Delivery]) -> None:
    """Store the states of deliveries of one city. The caller must have locked or claimed them."""
    if not changed:
        return
    rows = [
        {f"new_{name}": value for name, value in _values(one).items() if name in _CHANGING}
        | {"of_city": one.jurisdiction_id, "of_id": one.id}
        for one in changed
    ]
    connection.execute(_save_all(), rows)
    _wake_next(connection, [one for one in changed if one.state in ENDED])


@cache
def _save_all() -> Update:
    columns = delivery.c
    return (
        update(delivery)
        .where(columns.jurisdiction_id == bindparam("of_city"), columns.id == bindparam("of_id"))
        .values({name: bindparam(f"new_{name}") for name in sorted(_CHANGING)})
    )


def park_all(connection: Connection, place: Place, cause: str, now: datetime) -> int:
    """Park all deliveries that wait for a back office, and return their number.

    A delivery that is being sent goes on, unless its lease has ended: then it is parked as uncertain.
    """
    columns, is_lost = delivery.c, delivery.c.state == DeliveryState.SENDING.value
    parked = (
        update(delivery)
        .where(columns.jurisdiction_id == place[0], columns.backend == place[1], columns.state.in_(MOVING))
        .where(~is_lost | (columns.due_at <= now))
        .values(state=DeliveryState.PARKED.value, cause=cause, is_uncertain=columns.is_uncertain | is_lost)
    )
    return connection.execute(parked).rowcount


def hasten_first(connection: Connection, jurisdiction_id: str, number: int, now: datetime) -> None:
    """Let the deliveries of a request that were never tried be due now."""
    columns = delivery.c
    connection.execute(
        update(delivery)
        .where(columns.jurisdiction_id == jurisdiction_id, columns.request_id == number)
        .where(columns.state == DeliveryState.WAITING.value, columns.attempts == 0, columns.due_at > now)
        .values(due_at=now)
    )


def delete_old(connection: Connection, before: datetime) -> int:
    """Delete the deliveries of changes, if the deliveries ended before an instant. Returns their number.

    The delivery of a request itself stays as long as the request, because it says that the back office has the
    request.
    """
    columns = delivery.c
    old = delete(delivery).where(columns.subject == Subject.UPDATE.value, columns.ended_at < before)
    return connection.execute(old).rowcount


def load(connection: Connection, jurisdiction_id: str, id: int, *, is_locked: bool = False) -> Delivery | None:
    """One delivery, or None."""
    query = select(delivery).where(delivery.c.jurisdiction_id == jurisdiction_id, delivery.c.id == id)
    row = connection.execute(query.with_for_update() if is_locked else query).one_or_none()
    return None if row is None else _delivery(row)


def lock_all(connection: Connection, jurisdiction_id: str, ids: Sequence[int]) -> dict[int, Delivery]:
    """Deliveries by id, locked. Unknown ids are left out."""
    columns = delivery.c
    query = (
        select(delivery)
        .where(columns.jurisdiction_id == jurisdiction_id)
        .where(columns.id == any_(bindparam(None, list(ids), ARRAY(BigInteger))))
        .order_by(columns.id)  # all lock in the same order, to avoid deadlocks
        .with_for_update()
    )
    return {row.id: _delivery(row) for row in connection.execute(query)}


def of_requests(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> list[Delivery]:
    """All deliveries of some requests, sorted by the number of the request, then oldest first."""
    columns = delivery.c
    query = (
        select(delivery)
        .where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.request_id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))),
        )
        .order_by(columns.request_id, columns.id)
    )
    return [_delivery(row) for row in connection.execute(query)]


def number_of_key(connection: Connection, place: Place, key: str) -> int:
    """The number of the request whose delivery has this key; 0 if there is none."""
    columns = delivery.c
    query = select(columns.request_id).where(
        columns.jurisdiction_id == place[0], columns.backend == place[1], columns.key == key
    )
    return connection.execute(query.limit(1)).scalar_one_or_none() or 0


def known_keys(connection: Connection, place: Place, keys: Sequence[str]) -> set[str]:
    """Which of these keys belong to deliveries to a back office."""
    columns = delivery.c
    query = select(columns.key).where(
        columns.jurisdiction_id == place[0],
        columns.backend == place[1],
        columns.key == any_(bindparam(None, list(keys), ARRAY(Text))),
    )
    return set(connection.execute(query).scalars())


@dataclass(frozen=True, slots=True)
class Listed:
    """A delivery in a list, with the id and department of its request. "" for none."""

    delivery: Delivery
    service_request_id: str
    department: str


def find(connection: Connection, search: DeliverySearch) -> list[Listed]:
    """A page of deliveries. If there is a next page, its first delivery follows."""
    return [_listed(row) for row in connection.execute(page_of(search))]


def page_of(search: DeliverySearch) -> Select[Any]:
    """The statement for a page. Deliveries that have not ended are read from an index of their own."""
    columns, requests = delivery.c, service_request.c
    query = (
        select(delivery, requests.service_request_id, requests.department)
        .join(
            service_request,
            (requests.jurisdiction_id == columns.jurisdiction_id) & (requests.id == columns.request_id),
        )
        .where(columns.jurisdiction_id == search.jurisdiction_id)
        .order_by(columns.id.desc())
        .limit(literal_column(str(search.page_size + 1)))
    )
    states = [state.value for state in search.wanted_states]
    if len(states) < len(DeliveryState):
        query = query.where(columns.state.in_(states))
    if search.backends:
        query = query.where(columns.backend.in_(search.backends))
    if search.number:
        query = query.where(columns.request_id == search.number)
    if search.created_before is not None:
        query = query.where(columns.created_at < search.created_before)
    if search.departments is not None:
        query = query.where(requests.department.in_(search.departments))
    if search.after:
        query = query.where(columns.id < search.after)
    return query


def earlier_id(connection: Connection, one: Delivery) -> int:
    """The id of the earlier delivery for which this one waits; 0 if there is none."""
    columns = delivery.c
    query = (
        select(func.min(columns.id))
        .where(columns.jurisdiction_id == one.jurisdiction_id, columns.request_id == one.number)
        .where(columns.backend == one.backend, columns.id < one.id, columns.state.not_in(ENDED))
    )
    return connection.execute(query).scalar_one() or 0


def delivered_key(connection: Connection, place: Place, number: int) -> str:
    """The key of the delivery that brought a request to a back office; "" if no such delivery is done."""
    columns = delivery.c
    query = select(columns.key).where(
        columns.jurisdiction_id == place[0],
        columns.request_id == number,
        columns.backend == place[1],
        columns.subject == Subject.CASE.value,
        columns.state == DeliveryState.DONE.value,
    )
    return connection.execute(query.limit(1)).scalar_one_or_none() or ""


def due_places(connection: Connection, places: Iterable[Place], now: datetime) -> list[Place]:
    """Which of these back ends have a delivery to send and do not rest."""
    return [place for place in places if connection.execute(_ready(place, now)).first() is not None]


def next_due(connection: Connection, place: Place, now: datetime) -> Delivery | None:
    """The next delivery to send, locked; None if none is due, or if all are locked."""
    return next(iter(all_due(connection, place, now, rows=1)), None)


def all_due(connection: Connection, place: Place, now: datetime, *, rows: int) -> list[Delivery]:
    """The next deliveries to send, locked. Deliveries that others have locked are left out.

    A delivery waits until the earlier ones of the same request to the same back office have ended. A due delivery
    that waits is put off by `BLOCKED_FOR`, so that the next claims do not read it again. When an earlier delivery
    ends, the next one becomes due.
    """
    columns, put_off = delivery.c, 0
    query = _due(place, now).order_by(columns.due_at, columns.id).limit(literal_column(str(rows)))
    while put_off < _MOST_PUT_OFF:
        found = [_delivery(row) for row in connection.execute(query.with_for_update(skip_locked=True))]
        blocked = _blocked_of(connection, place, [one.id for one in found])
        for one in found:
            if one.id in blocked:
                _put_off_from(connection, one, now)
        free = [one for one in found if one.id not in blocked]
        if free or not found:
            return free
        put_off += len(blocked)
    return []  # the next claim continues


def _blocked_of(connection: Connection, place: Place, ids: Sequence[int]) -> set[int]:
    """Which of these deliveries wait for an earlier one."""
    columns = delivery.c
    query = (
        select(columns.id)
        .where(columns.jurisdiction_id == place[0])
        .where(columns.id == any_(bindparam(None, list(ids), ARRAY(BigInteger))), _waits())
    )
    return set(connection.execute(query).scalars()) if ids else set()


def is_late(connection: Connection, place: Place, before: datetime) -> bool:
    """Whether a delivery that does not wait for an earlier one was due before this instant."""
    return connection.execute(_next(place, before).limit(literal_column("1"))).first() is not None


def count_open(
    connection: Connection, states: Iterable[DeliveryState] = (*MOVING, *STOPPED)
) -> dict[Place, dict[str, int]]:
    """The number of deliveries that have not ended, by back end and state.

    No number is above `MOST_COUNTED`. Each back end and state is counted on its own, so that none hides another.
    """
    counts: dict[Place, dict[str, int]] = {}
    for state in states:
        for city, backend, count in connection.execute(_count(state)):
            counts.setdefault((city, backend), {})[state.value] = count
    return counts


def count_parked_by_hand(connection: Connection) -> dict[Place, int]:
    """The number of deliveries that a person has parked, by back end. No number is above `MOST_COUNTED`."""
    rows = connection.execute(_count(DeliveryState.PARKED, BY_HAND))
    return {(city, backend): count for city, backend, count in rows}


def _count(state: DeliveryState, causes: Sequence[str] | None = None) -> Select[Any]:
    columns, places = delivery.c, destination.c
    rows = (
        select(literal_column("1"))
        .where(true() if causes is None else columns.cause.in_(causes))
        .where(columns.jurisdiction_id == places.jurisdiction_id, columns.backend == places.backend)
        .where(columns.state == state.value, columns.state.in_(MOVING if state in MOVING else STOPPED))
        .limit(literal_column(str(MOST_COUNTED)))
        .correlate(destination)
        .subquery()
    )
    counted = select(func.count().label("count")).select_from(rows).lateral()
    return select(places.jurisdiction_id, places.backend, counted.c.count).where(counted.c.count > 0)


def blank_causes(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> int:
    """Erase the causes of the deliveries of requests, and return how many had one.

    A back office may have repeated parts of the request in its errors.
    """
    columns = delivery.c
    return connection.execute(
        update(delivery)
        .where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.request_id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))),
            columns.cause.not_in(("", ELSEWHERE, ERASED, *BY_HAND)),
        )
        .values(cause=ERASED)
    ).rowcount


def count_quarantined(connection: Connection) -> dict[Place, int]:
    """The number of updates of back offices that wait for a person. No number is above `MOST_COUNTED`."""
    columns = remote_update.c
    rows = (
        select(columns.jurisdiction_id, columns.backend)
        .where(columns.state == "quarantined", columns.due_at.is_(None))  # the others are tried again
        .limit(literal_column(str(MOST_COUNTED)))
    )
    return dict(_counted(connection, rows))


def _counted(connection: Connection, rows: Select[Any]) -> Iterator[tuple[Place, int]]:
    found = rows.subquery().c
    query = select(found.jurisdiction_id, found.backend, func.count()).group_by(
        found.jurisdiction_id, found.backend
    )
    for city, backend, count in connection.execute(query):
        yield (city, backend), count


def oldest_at(connection: Connection, place: Place) -> datetime | None:
    """When the oldest unfinished delivery was made; None if there is none. Only `MOST_COUNTED` rows are read."""
    columns = delivery.c
    rows = (
        select(columns.created_at)
        .where(columns.jurisdiction_id == place[0], columns.backend == place[1], columns.state.in_(MOVING))
        .order_by(columns.due_at)
        .limit(literal_column(str(MOST_COUNTED)))
        .subquery()
    )
    found: datetime | None = connection.execute(select(func.min(rows.c.created_at))).scalar_one()
    return found


def circuits(connection: Connection) -> dict[Place, Circuit]:
    """The circuits of all back offices of all cities."""
    columns = destination.c
    query = select(columns.jurisdiction_id, columns.backend, *(columns[field.name] for field in fields(Circuit)))
    found = (dict(row._mapping) for row in connection.execute(query))
    return {(row.pop("jurisdiction_id"), row.pop("backend")): Circuit(**row) for row in found}


def load_circuit(connection: Connection, place: Place, *, is_locked: bool = True) -> Circuit:
    """The circuit of a back office."""
    if is_locked:
        _add_place(connection, place)
    columns = destination.c
    query = select(*(columns[field.name] for field in fields(Circuit))).where(
        columns.jurisdiction_id == place[0], columns.backend == place[1]
    )
    row = connection.execute(query.with_for_update() if is_locked else query).one_or_none()
    return Circuit() if row is None else Circuit(**row._mapping)


def save_circuit(connection: Connection, place: Place, circuit: Circuit) -> None:
    """Store the circuit of a back office."""
    columns = destination.c
    values = {field.name: getattr(circuit, field.name) for field in fields(Circuit)}
    connection.execute(
        update(destination).where(columns.jurisdiction_id == place[0], columns.backend == place[1]).values(values)
    )


def add_delivered(connection: Connection, place: Place, count: int) -> None:
    """Count deliveries that a back office has accepted."""
    columns = destination.c
    own = (columns.jurisdiction_id == place[0], columns.backend == place[1])
    connection.execute(update(destination).where(*own).values(delivered=columns.delivered + count))


def delivered(connection: Connection) -> dict[Place, int]:
    """How many deliveries each back office of all cities has accepted."""
    columns = destination.c
    rows = connection.execute(select(columns.jurisdiction_id, columns.backend, columns.delivered))
    return {(row.jurisdiction_id, row.backend): row.delivered for row in rows}


def _add_place(connection: Connection, place: Place) -> None:
    connection.execute(
        pg_insert(destination)
        .values(jurisdiction_id=place[0], backend=place[1])
        .on_conflict_do_nothing(index_elements=["jurisdiction_id", "backend"])
    )


def _wake_next(connection: Connection, ended: Sequence[Delivery]) -> None:
    """Make the next delivery of each request to the same back office due now. The ended ones are stored already."""
    if ended:
        connection.execute(_wake(), {"of_city": ended[0].jurisdiction_id, "ended": [one.id for one in ended]})


@cache
def _wake() -> Update:
    ended_one = delivery.alias("ended_one")
    columns, before, later = delivery.c, ended_one.c, delivery.alias("later").c
    following = (
        select(func.min(later.id).label("id"))
        .where(later.jurisdiction_id == before.jurisdiction_id, later.request_id == before.request_id)
        .where(later.backend == before.backend, later.state.not_in(ENDED))
        .correlate(ended_one)
        .lateral()
    )
    return (
        update(delivery)
        .where(before.jurisdiction_id == bindparam("of_city"))
        .where(before.id == any_(bindparam("ended", type_=ARRAY(BigInteger))))
        .where(columns.jurisdiction_id == before.jurisdiction_id, columns.id == following.c.id)
        .where(columns.state == DeliveryState.WAITING.value, columns.id > before.id)
        .where(columns.due_at > before.due_at)
        .values(due_at=before.due_at)
    )


def _put_off_from(connection: Connection, blocked: Delivery, now: datetime) -> None:
    """Put off a delivery that waits for an earlier one, and those behind it."""
    columns = delivery.c
    connection.execute(
        update(delivery)
        .where(columns.jurisdiction_id == blocked.jurisdiction_id, columns.request_id == blocked.number)
        .where(columns.backend == blocked.backend, columns.id >= blocked.id)
        .where(columns.state == DeliveryState.WAITING.value, columns.due_at <= now)
        .values(due_at=now + BLOCKED_FOR)
    )


def _next(place: Place, now: datetime) -> Select[Any]:
    """The due deliveries that wait for no earlier one of their request."""
    return _due(place, now).where(~_waits())


def _waits() -> Exists:
    """Whether a delivery waits for an earlier one of its request."""
    earlier, columns = delivery.alias("earlier"), delivery.c
    return (
        select(earlier.c.id)
        .where(
            earlier.c.jurisdiction_id == columns.jurisdiction_id,
            earlier.c.request_id == columns.request_id,
            earlier.c.backend == columns.backend,
            earlier.c.id < columns.id,
            earlier.c.state.not_in(ENDED),
        )
        .exists()
    )


def _ready(place: Place, now: datetime) -> Select[Any]:
    """A delivery that is due, if its back office does not rest."""
    columns = destination.c
    rests = (
        select(columns.backend)
        .where(columns.jurisdiction_id == place[0], columns.backend == place[1], columns.rests_until > now)
        .exists()
    )
    return _due(place, now).where(~rests).limit(literal_column("1"))


def _due(place: Place, now: datetime) -> Select[Any]:
    columns = delivery.c
    return select(delivery).where(
        columns.jurisdiction_id == place[0],
        columns.backend == place[1],
        columns.state.in_(MOVING),
        columns.due_at <= now,
    )


_RENAMED = {"number": "request_id"}
_CHANGING = frozenset(
    ("state", "due_at", "attempts", "is_uncertain", "token", "remote_id", "missing", "cause", "ended_at", "key")
)


def _values(one: Delivery) -> dict[str, Any]:
    values = {
        _RENAMED.get(field.name, field.name): getattr(one, field.name)
        for field in fields(Delivery)
        if field.name != "id"
    }
    return values | {"subject": one.subject.value, "state": one.state.value, "missing": list(one.missing)}


def _listed(row: Row[Any]) -> Listed:
    values = dict(row._mapping)
    named = values.pop("service_request_id") or "", values.pop("department")
    return Listed(_from(values), *named)


def _delivery(row: Row[Any]) -> Delivery:
    return _from(dict(row._mapping))


def _from(values: dict[str, Any]) -> Delivery:
    values["number"] = values.pop("request_id")
    values["subject"] = Subject(values["subject"])
    values["state"] = DeliveryState(values["state"])
    values["missing"] = tuple(values["missing"])
    return Delivery(**values)
