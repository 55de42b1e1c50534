"""Tokens of batch requests: given out at once, exchanged for an id later (A12, A13)."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from open311.domain.requests import TokenState
from open311.storage.tables import request_token


def add_token(connection: Connection, jurisdiction_id: str, token: str, number: int) -> None:
    """Give request `number` a token."""
    connection.execute(
        insert(request_token).values(jurisdiction_id=jurisdiction_id, token=token, request_id=number)
    )


def find_token(connection: Connection, jurisdiction_id: str, token: str) -> TokenState | None:
    """What became of a token; None if it was never given out."""
    row = connection.execute(
        select(request_token.c.service_request_id, request_token.c.failure).where(
            request_token.c.jurisdiction_id == jurisdiction_id, request_token.c.token == token
        )
    ).one_or_none()
    if row is None:
        return None
    return TokenState(token=token, service_request_id=row.service_request_id, failure=row.failure)


def token_of(connection: Connection, jurisdiction_id: str, number: int) -> str:
    """The token of request `number`; "" if it has none."""
    found = connection.execute(
        select(request_token.c.token).where(
            request_token.c.jurisdiction_id == jurisdiction_id, request_token.c.request_id == number
        )
    ).scalar_one_or_none()
    return found or ""


def settle_token(
    connection: Connection, jurisdiction_id: str, number: int, *, service_request_id: str = "", failure: str = ""
) -> None:
    """Write down what a request's token stands for from now on."""
    connection.execute(
        update(request_token)
        .where(request_token.c.jurisdiction_id == jurisdiction_id, request_token.c.request_id == number)
        .values(service_request_id=service_request_id, failure=failure)
    )
