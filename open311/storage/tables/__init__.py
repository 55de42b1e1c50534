"""The tables, for use in queries. The migrations create them, and a test compares the tables with the migrations.

jurisdiction_id is the first column of every key, so that the tables can be distributed by city. Instants are UTC.
"""

from open311.storage.tables.access import api_key, repeatable_post
from open311.storage.tables.catalogue import department, jurisdiction, service
from open311.storage.tables.columns import TransactionId, metadata
from open311.storage.tables.outbox import held_change, outbox, request_count
from open311.storage.tables.publication import change_mark, edition, publication, published_department
from open311.storage.tables.requests import reporter, request_event, request_number, request_token, service_request
from open311.storage.tables.staff import (
    audit_entry,
    staff_account,
    staff_repeat,
    staff_secret,
    staff_view,
)
from open311.storage.tables.updates import public_update, received_update

__all__ = [
    "TransactionId",
    "api_key",
    "audit_entry",
    "change_mark",
    "department",
    "edition",
    "held_change",
    "jurisdiction",
    "metadata",
    "outbox",
    "public_update",
    "publication",
    "published_department",
    "received_update",
    "repeatable_post",
    "reporter",
    "request_count",
    "request_event",
    "request_number",
    "request_token",
    "service",
    "service_request",
    "staff_account",
    "staff_repeat",
    "staff_secret",
    "staff_view",
]
