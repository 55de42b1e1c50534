"""Deliveries as plain data for JSON (fields: schemas.deliveries)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from open311.domain.deliveries import Delivery, write_cursor
from open311.operations.delivery.managing import DeliveryPage, DeliveryView
from open311.storage.audit import Entry
from open311.storage.deliveries import Listed


def plain_deliveries(page: DeliveryPage) -> dict[str, Any]:
    """A page of deliveries (DeliveryListSchema). Its instants are written by `json_of`."""
    return {
        "deliveries": [plain_listed(one) for one in page.rows],
        "cursor": write_cursor(page.next_id) if page.next_id else None,
    }


def plain_listed(listed: Listed) -> dict[str, Any]:
    """A delivery in a list (ListedDeliverySchema)."""
    named = {
        "number": listed.delivery.number,
        "service_request_id": listed.service_request_id or None,
        "department": listed.department or None,
    }
    return plain_delivery(listed.delivery) | named


def plain_delivery(one: Delivery) -> dict[str, Any]:
    """A delivery of a known request (DeliverySchema)."""
    return {
        "id": one.id,
        "backend": one.backend,
        "subject": one.subject.value,
        "version": one.version,
        "state": one.state.value,
        "created_datetime": one.created_at,
        "due_datetime": None if one.ended_at else one.due_at,
        "ended_datetime": one.ended_at,
        "attempts": one.attempts,
        "is_uncertain": one.is_uncertain or one.state.value == "uncertain",
        "cause": one.cause or None,
    }


def plain_view(view: DeliveryView) -> dict[str, Any]:
    """All about a delivery (DeliveryViewSchema)."""
    one, circuit = view.listed.delivery, view.circuit
    return plain_listed(view.listed) | {
        "key": one.key,
        "remote_id": view.remote_id or None,
        "missing": list(one.missing),
        "risk": view.risk or None,
        "waits_for": view.waits_for or None,
        "down_since": circuit.failing_since if circuit.is_resting else None,
        "history": [_plain_act(act, view.names) for act in view.acts],
        "commands": list(view.commands),
    }


def _plain_act(act: Entry, names: Mapping[str, str]) -> dict[str, Any]:
    command = act.act.partition(".")[2]
    return {
        "at": act.at,
        "actor": act.actor,
        "name": names.get(act.actor),
        "command": command,
        "reason": act.reason,
    }
