"""The paths of pages to which mails link."""

from __future__ import annotations

from urllib.parse import quote

PORTAL_PATH = "/c"
MAIL_PATH = "/mail"
DESK_PATH = "/desk"


def request_path(jurisdiction_id: str, service_request_id: str) -> str:
    """The path of the public page of a request."""
    return f"{PORTAL_PATH}/{quote(jurisdiction_id, safe='')}/requests/{quote(service_request_id, safe='')}"


def desk_path(jurisdiction_id: str, number: int) -> str:
    """The path of the page for staff of a request."""
    return f"{DESK_PATH}/{quote(jurisdiction_id, safe='')}/requests/{number}"


def list_path(jurisdiction_id: str) -> str:
    """The path of the list of public requests."""
    return f"{PORTAL_PATH}/{quote(jurisdiction_id, safe='')}/requests"


def follower_path(jurisdiction_id: str, token: str) -> str:
    """The path of the page on which a follower agrees, leaves, or says what became of a report."""
    return f"{MAIL_PATH}/{quote(jurisdiction_id, safe='')}/{token}"
