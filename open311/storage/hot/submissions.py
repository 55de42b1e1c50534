"""The statement that stores a new request: its record, reporter, history, outbox row, publication and token.

It also stores the kinds of personal data in the texts.

One statement is one round trip and one transaction, so a POST waits for the disk only once. That wait is most of
the time of a POST.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from geoalchemy2 import Geometry
from sqlalchemy import (
    ARRAY,
    CTE,
    BigInteger,
    Boolean,
    ColumnElement,
    Table,
    Text,
    bindparam,
    cast,
    column,
    func,
    insert,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB, REGCONFIG, TIMESTAMP
from sqlalchemy.dialects.postgresql import insert as pg_insert

from open311.domain.events import Event
from open311.domain.origins import Origin
from open311.domain.requests import Reporter, RequestRecord
from open311.storage.history import event_values
from open311.storage.hot.statements import Statement
from open311.storage.hot.transactions import Run
from open311.storage.publications import Publication, publication_values
from open311.storage.requests import record_values
from open311.storage.tables import (
    outbox,
    personal_data,
    publication,
    reporter,
    request_event,
    request_token,
    service_request,
)

_REPORTER = ("email", "first_name", "last_name", "phone", "device_id", "account_id")
_LANGUAGES = ("language", "sms_language")
_PUBLISHED = tuple(item.name for item in publication.c if item.name not in ("jurisdiction_id", "id", "written_by"))

_WORK = (
    *("outcome", "progress", "progress_detail", "assignee", "priority"),
    *("scheduled_at", "held_since", "merged_into", "unmasked"),
)
"""Columns that have their defaults in a new request."""
_RECORD = [item for item in service_request.c if item.name not in _WORK]

_EVENT: dict[str, Any] = {
    "at": TIMESTAMP(timezone=True),
    **dict.fromkeys(("kind", "visibility", "description", "actor", "cause", "data", "reason"), Text),
}
_NOT_PUBLISHED = dict.fromkeys(_PUBLISHED) | {"words_language": "simple"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRequest:
    """All values that are stored for a new request.

    publication  None while the request has no id
    token        "" if the request has no token
    language     the language in which the reporter gets mail; "" if the city sends none
    sms_language the language in which the reporter wants text messages; "" if the reporter wants none
    origin       where the request comes from, as another server says; `storage.origins` stores it
    """

    record: RequestRecord
    reporter: Reporter
    events: Sequence[Event]
    publication: Publication | None
    token: str = ""
    language: str = ""
    sms_language: str = ""
    origin: Origin | None = None


def insert_request(run: Run, new: NewRequest) -> bool:
    """Store a new request. Stores nothing and returns False if its service_request_id is taken.

    run  `HotConnections.write` for a separate transaction, or the function that `HotConnections.transaction` yields
    """
    return bool(run(_statement(), _values(new)))


@cache
def _statement() -> Statement:
    request = (
        pg_insert(service_request)
        .values({item.name: _parameter(f"r_{item.name}", item) for item in _RECORD})
        .on_conflict_do_nothing(index_elements=["jurisdiction_id", "service_request_id"])
        .returning(service_request.c.jurisdiction_id, service_request.c.id)
        .cte("request")
    )
    query = select(request.c.id).add_cte(
        _reporter(request),
        _events(request),
        _publication(request),
        _personal_data(request),
        _token(request),
        _outbox(request),
    )
    return Statement.of(query, is_prepared=True)


def _reporter(request: CTE) -> CTE:
    columns = {name: _parameter(f"w_{name}", reporter.c[name]) for name in (*_REPORTER, *_LANGUAGES)}
    return _follow(request, reporter, "request_id", columns, "has_reporter", "new_reporter")


def _publication(request: CTE) -> CTE:
    columns = {name: _parameter(f"p_{name}", publication.c[name]) for name in _PUBLISHED if name != "words"}
    columns["words"] = func.to_tsvector(
        cast(cast(bindparam("p_words_language"), Text), REGCONFIG), cast(bindparam("p_words"), Text)
    )
    return _follow(request, publication, "id", columns, "is_published", "new_publication")


def _personal_data(request: CTE) -> CTE:
    columns = {"kinds": _parameter("personal_data", personal_data.c.kinds)}
    return _follow(request, personal_data, "request_id", columns, "has_personal_data", "new_personal_data")


def _token(request: CTE) -> CTE:
    columns = {"token": _parameter("token", request_token.c.token)}
    return _follow(request, request_token, "request_id", columns, "has_token", "new_token")


def _follow(
    request: CTE, table: Table, number: str, columns: Mapping[str, ColumnElement[Any]], condition: str, name: str
) -> CTE:
    """Insert a row into another table, if the request was stored and the parameter `condition` is true."""
    row = select(request.c.jurisdiction_id, request.c.id, *columns.values()).where(
        cast(bindparam(condition), Boolean)
    )
    return insert(table).from_select(["jurisdiction_id", number, *columns], row, include_defaults=False).cte(name)


def _events(request: CTE) -> CTE:
    """Insert a row for each event. The parameters are arrays, one for each column."""
    arrays = {name: cast(bindparam(f"e_{name}"), ARRAY(kind)) for name, kind in _EVENT.items()}
    names: list[Any] = [column(name) for name in arrays]
    event = func.unnest(*arrays.values()).table_valued(*names, name="event").render_derived()
    values = [cast(event.c[name], JSONB) if name == "data" else event.c[name] for name in arrays]
    row = select(
        request.c.jurisdiction_id, request.c.id, cast(bindparam("r_version"), BigInteger), *values
    ).select_from(request.join(event, literal_column("true")))
    return (
        insert(request_event)
        .from_select(["jurisdiction_id", "request_id", "version", *arrays], row, include_defaults=False)
        .cte("events")
    )


def _outbox(request: CTE) -> CTE:
    """Insert the change into the outbox."""
    row = select(request.c.jurisdiction_id, request.c.id, cast(bindparam("r_version"), BigInteger))
    names = ["jurisdiction_id", "request_id", "version"]
    return insert(outbox).from_select(names, row, include_defaults=False).cte("new_change")


def _parameter(name: str, target: Any) -> ColumnElement[Any]:
    """A parameter with a cast to the column's type, because PostgreSQL cannot infer its type in a SELECT."""
    if isinstance(target.type, Geometry):
        return func.ST_GeomFromEWKT(cast(bindparam(name), Text), type_=Geometry)
    if isinstance(target.type, JSONB):
        return cast(cast(bindparam(name), Text), JSONB)
    return cast(bindparam(name), target.type)


def _values(new: NewRequest) -> dict[str, Any]:
    record = record_values(new.record)
    values = {f"r_{name}": value for name, value in record.items()}
    values["r_answers"] = orjson.dumps(record["answers"]).decode()
    published = publication_values(new.publication) if new.publication else _NOT_PUBLISHED
    values |= {f"p_{name}": value for name, value in published.items()}
    values |= {f"w_{name}": getattr(new.reporter, name) for name in _REPORTER}
    values |= {f"w_{name}": getattr(new, name) for name in _LANGUAGES}
    rows = [event_values(new.record, event) for event in new.events]
    kinds = list(new.publication.personal_data) if new.publication else []
    return values | {
        "is_published": new.publication is not None,
        "has_personal_data": bool(kinds),
        "personal_data": kinds,
        "has_reporter": bool(new.reporter),
        "has_token": bool(new.token),
        "token": new.token,
        **{f"e_{name}": [_event_value(row, name) for row in rows] for name in _EVENT},
    }


def _event_value(row: Mapping[str, Any], name: str) -> Any:
    return orjson.dumps(row[name]).decode() if name == "data" else row[name]
