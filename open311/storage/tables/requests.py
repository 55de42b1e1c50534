"""The tables of requests, tokens, reporters and events. GETs that anybody can call read only the table of tokens.

GETs whose address has a secret, such as a status link, read requests and events too.
"""

from __future__ import annotations

from geoalchemy2 import Geometry
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKeyConstraint,
    Identity,
    Index,
    PrimaryKeyConstraint,
    Sequence,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from open311.storage.tables.columns import digits_of, instant_column, metadata, text_column

request_number = Sequence("request_number", metadata=metadata, increment=16)

service_request = Table(
    "service_request",
    metadata,
    text_column("jurisdiction_id", None),
    Column("id", BigInteger, nullable=False),  # an internal number that only staff see
    Column("service_request_id", Text),  # NULL while only the token is known, and for blackbox services
    text_column("service_code", None),
    text_column("status", "open"),
    text_column("detailed_status"),  # the status in the words of the source, from an import or a neighbour
    text_column("outcome"),  # the result of a closed request
    text_column("status_notes"),
    text_column("description"),
    text_column("department"),  # a code; "" if no department has it, or if only agency_responsible is known
    text_column("agency_responsible"),  # the text from an import; if "", the department's name is shown
    text_column("route_reason"),
    Column("is_triage", Boolean, nullable=False, server_default=text("false")),
    text_column("service_notice"),
    instant_column("requested_at"),
    instant_column("updated_at"),  # the time that the API shows; for a closed request, when it was closed
    instant_column("changed_at"),  # the time of the last change of any kind
    instant_column("expected_at", nullable=True),
    Column("lat", Double),  # the number that the caller sent
    Column("long", Double),
    Column("point", Geometry("POINT", srid=4326, spatial_index=False)),
    text_column("address"),
    text_column("address_id"),
    text_column("zipcode"),
    Column("is_outside", Boolean, nullable=False, server_default=text("false")),
    Column("areas", ARRAY(Text), nullable=False, server_default=text("'{}'")),  # the areas that the point is in
    Column("media_urls", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    # [{"code": …, "values": […]}]; only staff see an answer that also has `"is_asked": false`
    Column("answers", JSONB, nullable=False, server_default=text("'[]'")),
    text_column("visibility", "public"),  # see domain.requests.Visibility
    text_column("source", "api"),  # api, import, remote (of a neighbour) or example
    text_column("channel"),  # how the request reached the city: api, phone, web, …
    # service_request_id of an earlier request nearby, or of the public one into which this one was merged
    text_column("possible_duplicate_of"),
    text_column("progress"),  # progress of the work; "" before the work begins, and after the request is closed
    text_column("progress_detail"),  # the code of one of the city's own states
    text_column("assignee"),  # an account, such as staff:3
    text_column("priority", "normal"),  # low, normal, high or urgent
    instant_column("scheduled_at", nullable=True),  # when somebody will visit the place
    instant_column("held_since", nullable=True),  # when the work was put on hold
    Column("merged_into", BigInteger, nullable=False, server_default=text("0")),  # another request's id
    Column("version", BigInteger, nullable=False, server_default=text("1")),  # grows with each change
    # marks of texts that look like personal data and that staff let the public read
    Column("unmasked", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    PrimaryKeyConstraint("jurisdiction_id", "id"),
    UniqueConstraint("jurisdiction_id", "service_request_id"),
    ForeignKeyConstraint(["jurisdiction_id", "service_code"], ["service.jurisdiction_id", "service.code"]),
)
Index("service_request_service_idx", service_request.c.jurisdiction_id, service_request.c.service_code)

FOR_EVER = text("'infinity'::timestamptz")
DUE = func.coalesce(service_request.c.expected_at, FOR_EVER)
"""The due date by which queues are ordered. Requests without a date come last."""
_waits = text("status = 'open' AND merged_into = 0")
# The indexes of the queues. A queue has the requests that wait for staff, the earliest due date first. The filters
# by department, assignee, progress and triage have indexes. The added columns let index-only scans count by
# department.
Index(
    "service_request_queue_idx",
    service_request.c.jurisdiction_id,
    service_request.c.department,
    DUE,
    service_request.c.id,
    postgresql_where=_waits,
)
Index(
    "service_request_waiting_idx",
    service_request.c.jurisdiction_id,
    DUE,
    service_request.c.id,
    postgresql_include=["department", "expected_at", "held_since"],
    postgresql_where=_waits,
)
Index(
    "service_request_assigned_idx",
    service_request.c.jurisdiction_id,
    service_request.c.assignee,
    DUE,
    service_request.c.id,
    postgresql_include=["department"],
    postgresql_where=text("status = 'open' AND merged_into = 0 AND assignee <> ''"),
)
Index(
    "service_request_progress_idx",
    service_request.c.jurisdiction_id,
    service_request.c.progress,
    DUE,
    service_request.c.id,
    postgresql_where=text("status = 'open' AND merged_into = 0 AND progress <> ''"),
)
Index(
    "service_request_sorting_idx",
    service_request.c.jurisdiction_id,
    DUE,
    service_request.c.id,
    postgresql_include=["department", "progress"],
    postgresql_where=text("status = 'open' AND merged_into = 0 AND is_triage"),
)
Index(
    "service_request_merged_idx",
    service_request.c.jurisdiction_id,
    service_request.c.merged_into,
    postgresql_where=text("merged_into <> 0"),
)

# The requests that were closed, by department, for staff who look back.
Index(
    "service_request_closed_idx",
    service_request.c.jurisdiction_id,
    service_request.c.department,
    service_request.c.updated_at,
    service_request.c.id,
    postgresql_where=text("status = 'closed'"),
)
# The open requests around a crew.
Index(
    "service_request_place_idx",
    service_request.c.jurisdiction_id,
    service_request.c.point,
    postgresql_using="gist",
    postgresql_where=_waits,
)
# The requests that may repeat another one. If the other one is hidden, these requests must not name it any more.
Index(
    "service_request_repeats_idx",
    service_request.c.jurisdiction_id,
    service_request.c.possible_duplicate_of,
    postgresql_where=text("possible_duplicate_of <> ''"),
)
# The requests that no index of publications has. Staff search these by their text.
Index(
    "service_request_unlisted_idx",
    service_request.c.jurisdiction_id,
    service_request.c.id,
    postgresql_where=text("visibility <> 'public' OR service_request_id IS NULL"),
)

HAS_PHOTOS = "media_urls <> '{}'"
"""Whether a row of a table with `media_urls` has an address of a photo, in SQL."""
# The requests with photos. Retention looks at them once a day.
Index(
    "service_request_photos_idx",
    service_request.c.jurisdiction_id,
    service_request.c.id,
    postgresql_where=text(HAS_PHOTOS),
)

request_token = Table(
    "request_token",
    metadata,
    text_column("jurisdiction_id", None),
    text_column("token", None),
    Column("request_id", BigInteger, nullable=False),
    text_column("service_request_id"),  # "" until the token is resolved
    text_column("failure"),  # why the token will never be resolved; "" otherwise
    PrimaryKeyConstraint("jurisdiction_id", "token"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "request_id"],
        ["service_request.jurisdiction_id", "service_request.id"],
        ondelete="CASCADE",
    ),
)
Index("request_token_request_idx", request_token.c.jurisdiction_id, request_token.c.request_id)

reporter = Table(
    "reporter",
    metadata,
    text_column("jurisdiction_id", None),
    Column("request_id", BigInteger, nullable=False),
    text_column("email"),
    text_column("first_name"),
    text_column("last_name"),
    text_column("phone"),
    text_column("device_id"),
    text_column("account_id"),
    text_column("language"),  # in which the reporter gets mail, a BCP 47 tag; "" if the city sends none
    text_column("sms_language"),  # in which the reporter wants text messages; "" if the reporter wants none
    PrimaryKeyConstraint("jurisdiction_id", "request_id"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "request_id"],
        ["service_request.jurisdiction_id", "service_request.id"],
        ondelete="CASCADE",
    ),
)


# The requests of a person who asks for the data that the city has.
Index(
    "reporter_email_idx",
    reporter.c.jurisdiction_id,
    func.lower(reporter.c.email),
    postgresql_where=text("email <> ''"),
)
Index(
    "reporter_phone_idx",
    reporter.c.jurisdiction_id,
    digits_of(reporter.c.phone),
    postgresql_where=text("phone <> ''"),
)
Index(
    "reporter_device_idx",
    reporter.c.jurisdiction_id,
    reporter.c.device_id,
    postgresql_where=text("device_id <> ''"),
)
Index(
    "reporter_account_idx",
    reporter.c.jurisdiction_id,
    reporter.c.account_id,
    postgresql_where=text("account_id <> ''"),
)

request_event = Table(
    "request_event",
    metadata,
    text_column("jurisdiction_id", None),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("request_id", BigInteger, nullable=False),
    instant_column("at"),
    text_column("kind", None),  # the attribute `kind` of the event's class in domain.events
    text_column("visibility", "staff"),  # public or staff
    # the text of a note; for other kinds, one line made from `data`, as the API's field `notes` shows it
    text_column("description"),
    text_column("actor", "system"),
    text_column("cause"),
    Column(
        "version", BigInteger, nullable=False, server_default=text("0")
    ),  # the request's version; 0 if from release 0.1
    Column("data", JSONB, nullable=False, server_default=text("'{}'")),
    text_column("reason"),  # the actor's reason, for staff only
    PrimaryKeyConstraint("jurisdiction_id", "id"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "request_id"],
        ["service_request.jurisdiction_id", "service_request.id"],
        ondelete="CASCADE",
    ),
)
Index("request_event_request_idx", request_event.c.jurisdiction_id, request_event.c.request_id)
