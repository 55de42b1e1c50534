"""The tables of the statistics of public requests and of their reporters' answers, and the tables of forecasts."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

from open311.domain.statistics import BUCKETS
from open311.storage.tables.columns import instant_column, metadata, text_column

# How each public request that is not merged is counted now. A request in several areas has a row for each, and
# `place` numbers them from 0. Days are those of the city's time zone.
counted_request = Table(
    "counted_request",
    metadata,
    Column("id", BigInteger, nullable=False),
    Column("requested_on", Date, nullable=False),
    Column("closed_on", Date),
    Column("hours", Integer),  # from the report to the closing, whole hours; NULL while open
    instant_column("due_at", nullable=True),
    Column("place", SmallInteger, nullable=False),
    Column("is_quick", Boolean, nullable=False),  # closed at once: see domain.statistics.QUICK
    Column("is_on_time", Boolean),  # NULL while open, and without a due date
    text_column("jurisdiction_id", None),
    text_column("service_code", None),
    text_column("department", None),
    text_column("area", None),  # "" outside all areas
    text_column("target", None),
    Column("supporters", Integer, nullable=False, server_default=text("0")),
    Column("feedback", Text),  # what the reporter has answered; "" for no answer yet, NULL if nobody was asked
    PrimaryKeyConstraint("jurisdiction_id", "id", "place"),
)
_c = counted_request.c
Index(
    "counted_request_due_idx",
    _c.jurisdiction_id,
    _c.due_at,
    _c.service_code,
    _c.department,
    _c.area,
    _c.requested_on,
    _c.target,
    _c.place,
    postgresql_where=text("hours IS NULL"),
)
for _name, _first in (("service", _c.service_code), ("department", _c.department), ("area", _c.area)):
    _rest = [column for column in (_c.service_code, _c.department) if column is not _first]
    Index(
        f"counted_request_{_name}_idx",
        _c.jurisdiction_id,
        _first,
        _c.hours,
        _c.requested_on,
        _c.place,
        *_rest,
        postgresql_where=text("hours IS NOT NULL"),
    )
Index(
    "counted_request_hours_idx",
    _c.jurisdiction_id,
    _c.hours,
    _c.requested_on,
    _c.place,
    _c.service_code,
    postgresql_where=text("hours IS NOT NULL"),
)
Index(
    "counted_request_day_idx",
    _c.jurisdiction_id,
    _c.requested_on,
    _c.hours,
    _c.place,
    _c.service_code,
    _c.department,
    _c.area,
    postgresql_where=text("hours IS NOT NULL"),
)

# Sums of counted requests that are closed. `cut` says which of the columns service, department and area are filled:
# each of their values has its own sums. With service, department is filled too. A row counts the requests that were
# reported in the period; only `ended` counts those that were closed in it. NULL stands for 0, because most buckets
# of a row are empty.
closed_count = Table(
    "closed_count",
    metadata,
    text_column("jurisdiction_id", None),
    text_column("cut", None),  # all, department, service, area, area_department or service_area
    text_column("grain", None),  # day, month or ever
    text_column("service_code", None),
    text_column("department", None),
    text_column("area", None),
    Column("period", Date, nullable=False),  # its first day
    *(
        Column(name, Integer)
        for name in ("closed", "ended", "quick", "on_time", "late", "matched", "ambiguous", "not_managed")
    ),
    *(Column(f"bucket_{number}", Integer) for number in range(len(BUCKETS))),
    *(Column(name, Integer) for name in ("asked", "solved", "partly", "not_solved")),  # the reporters' answers
    Column("supporters", Integer),
    PrimaryKeyConstraint("jurisdiction_id", "cut", "grain", "area", "service_code", "department", "period"),
)
Index(
    "closed_count_service_idx",
    closed_count.c.jurisdiction_id,
    closed_count.c.cut,
    closed_count.c.grain,
    closed_count.c.service_code,
    closed_count.c.period,
    postgresql_where=text("cut = 'service_area'"),
)
Index(
    "closed_count_period_idx",
    closed_count.c.jurisdiction_id,
    closed_count.c.cut,
    closed_count.c.grain,
    closed_count.c.period,
    postgresql_where=text("cut <> 'service_area'"),
)

# Sums of counted requests that are open, by the day of the report, with the cuts of `closed_count`. `overdue` has
# those that were due before the city's mark. A row without requests is deleted.
open_count = Table(
    "open_count",
    metadata,
    text_column("jurisdiction_id", None),
    text_column("cut", None),
    text_column("grain", None),  # day or month
    text_column("service_code", None),
    text_column("department", None),
    text_column("area", None),
    Column("period", Date, nullable=False),  # its first day
    *(Column(name, Integer, nullable=False) for name in ("open", "overdue", "matched", "ambiguous", "not_managed")),
    Column("supporters", Integer, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("jurisdiction_id", "cut", "grain", "area", "service_code", "department", "period"),
)
Index(
    "open_count_service_idx",
    open_count.c.jurisdiction_id,
    open_count.c.cut,
    open_count.c.grain,
    open_count.c.service_code,
    open_count.c.period,
    postgresql_where=text("cut = 'service_area'"),
)
Index(
    "open_count_period_idx",
    open_count.c.jurisdiction_id,
    open_count.c.cut,
    open_count.c.grain,
    open_count.c.period,
    postgresql_where=text("cut <> 'service_area'"),
)

# The sums count an open request as overdue if it was due before this instant. The worker moves it.
overdue_mark = Table(
    "overdue_mark",
    metadata,
    text_column("jurisdiction_id", None),
    instant_column("due_before"),
    PrimaryKeyConstraint("jurisdiction_id"),
)

# The reporters who were asked after the last closing whether the problem is solved. No row: nobody was asked.
feedback = Table(
    "feedback",
    metadata,
    text_column("jurisdiction_id", None),
    Column("request_id", BigInteger, nullable=False),
    text_column("answer"),  # a value of domain.mails.Feedback; "" for no answer yet
    PrimaryKeyConstraint("jurisdiction_id", "request_id"),
)

# The requests whose number of supporters has changed. Such a change is no event, so the dispatcher finds the
# requests here. It deletes the rows when it counts the requests again.
support_change = Table(
    "support_change",
    metadata,
    text_column("jurisdiction_id", None),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("request_id", BigInteger, nullable=False),
    Column("written_at", TIMESTAMP(timezone=True), nullable=False, server_default=text("now()")),
    PrimaryKeyConstraint("jurisdiction_id", "id"),
)

# How far the daily check of all counted requests has come. Without a row, a city has no uncounted requests.
statistics_check = Table(
    "statistics_check",
    metadata,
    text_column("jurisdiction_id", None),
    Column("checked_until", BigInteger, nullable=False, server_default=text("0")),  # a service_request.id
    instant_column("checked_at", nullable=True),  # when the last whole check ended; NULL before the first
    PrimaryKeyConstraint("jurisdiction_id"),
)

# When the forecasts of a city were made; without a row, there are none.
forecast_run = Table(
    "forecast_run",
    metadata,
    text_column("jurisdiction_id", None),
    instant_column("as_of"),
    Column("without_row", Integer, nullable=False),  # pairs of a service and an area with too few requests
    PrimaryKeyConstraint("jurisdiction_id"),
)

# What is to be expected of all requests, a service, an area, or a service in an area; "" stands for all.
forecast = Table(
    "forecast",
    metadata,
    text_column("jurisdiction_id", None),
    text_column("service_code", None),
    text_column("area", None),
    Column("outlook", JSONB, nullable=False),  # see domain.outlooks.Outlook
    PrimaryKeyConstraint("jurisdiction_id", "service_code", "area"),
)
Index("forecast_area_idx", forecast.c.jurisdiction_id, forecast.c.area, forecast.c.service_code)
