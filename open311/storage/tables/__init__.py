"""The tables, for use in queries. The migrations create them, and a test compares the tables with the migrations.

jurisdiction_id is the first column of every key, so that the tables can be distributed by city. Instants are UTC.
"""

from open311.storage.tables.abuse import block, block_list, status_link
from open311.storage.tables.access import api_key, repeatable_post
from open311.storage.tables.catalogue import department, jurisdiction, service
from open311.storage.tables.columns import TransactionId, metadata
from open311.storage.tables.deliveries import (
    backend_value,
    delivery,
    destination,
    external_id,
    operator_notice,
    remote_update,
)
from open311.storage.tables.mail import follower, mail, mail_key, mail_recipient, mail_reminder
from open311.storage.tables.map import map_cell, mapped_request
from open311.storage.tables.media import media, media_deletion, media_store
from open311.storage.tables.notices import city_notice
from open311.storage.tables.outbox import held_change, outbox, request_count
from open311.storage.tables.overrides import catalogue_override, override_list
from open311.storage.tables.publication import (
    change_mark,
    close_cell,
    edition,
    personal_data,
    publication,
    published_department,
)
from open311.storage.tables.remotes import remote, remote_name, remote_service, request_origin
from open311.storage.tables.requests import reporter, request_event, request_number, request_token, service_request
from open311.storage.tables.sensors import sensor_condition, sensor_reading
from open311.storage.tables.sms import sms, sms_stop
from open311.storage.tables.staff import (
    audit_entry,
    staff_account,
    staff_repeat,
    staff_secret,
    staff_session,
    staff_view,
)
from open311.storage.tables.statistics import (
    closed_count,
    counted_request,
    feedback,
    forecast,
    forecast_run,
    open_count,
    overdue_mark,
    statistics_check,
    support_change,
)
from open311.storage.tables.subscriptions import announced_request, notification, subscription, webhook
from open311.storage.tables.suggestions import suggestion_count
from open311.storage.tables.support import supporter
from open311.storage.tables.updates import public_update, received_update

__all__ = [
    "TransactionId",
    "announced_request",
    "api_key",
    "audit_entry",
    "backend_value",
    "block",
    "block_list",
    "catalogue_override",
    "change_mark",
    "city_notice",
    "close_cell",
    "closed_count",
    "counted_request",
    "delivery",
    "department",
    "destination",
    "edition",
    "external_id",
    "feedback",
    "follower",
    "forecast",
    "forecast_run",
    "held_change",
    "jurisdiction",
    "mail",
    "mail_key",
    "mail_recipient",
    "mail_reminder",
    "map_cell",
    "mapped_request",
    "media",
    "media_deletion",
    "media_store",
    "metadata",
    "notification",
    "open_count",
    "operator_notice",
    "outbox",
    "overdue_mark",
    "override_list",
    "personal_data",
    "public_update",
    "publication",
    "published_department",
    "received_update",
    "remote",
    "remote_name",
    "remote_service",
    "remote_update",
    "repeatable_post",
    "reporter",
    "request_count",
    "request_event",
    "request_number",
    "request_origin",
    "request_token",
    "sensor_condition",
    "sensor_reading",
    "service",
    "service_request",
    "sms",
    "sms_stop",
    "staff_account",
    "staff_repeat",
    "staff_secret",
    "staff_session",
    "staff_view",
    "statistics_check",
    "status_link",
    "subscription",
    "suggestion_count",
    "support_change",
    "supporter",
    "webhook",
]
