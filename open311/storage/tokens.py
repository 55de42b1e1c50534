"""Tokens of batch requests. A client gets a token immediately and exchanges it for an id later (A12, A13)."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

from sqlalchemy import ARRAY, BigInteger, Connection, any_, bindparam, select, update

from open311.domain.requests import TokenState
from open311.storage.hot.statements import Statement
from open311.storage.hot.transactions import Run
from open311.storage.tables import request_token


def find_token(run: Run, jurisdiction_id: str, token: str) -> TokenState | None:
    """The state of a token; None if there is no such token."""
    rows = run(_by_token(), {"jurisdiction_id": jurisdiction_id, "token": token})
    return TokenState(token=token, service_request_id=rows[0][0], failure=rows[0][1]) if rows else None


@cache
def _by_token() -> Statement:
    query = select(request_token.c.service_request_id, request_token.c.failure).where(
        request_token.c.jurisdiction_id == bindparam("jurisdiction_id"),
        request_token.c.token == bindparam("token"),
    )
    return Statement.of(query, is_prepared=True)


def token_of(connection: Connection, jurisdiction_id: str, number: int) -> str:
    """The token of request `number`; "" if it has none."""
    found = connection.execute(
        select(request_token.c.token).where(
            request_token.c.jurisdiction_id == jurisdiction_id, request_token.c.request_id == number
        )
    ).scalar_one_or_none()
    return found or ""


def tokens_of(connection: Connection, jurisdiction_id: str, numbers: Collection[int]) -> dict[int, str]:
    """The tokens of these requests, by number. Requests without a token are left out."""
    columns = request_token.c
    query = select(columns.request_id, columns.token).where(
        columns.jurisdiction_id == jurisdiction_id,
        columns.request_id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))),
    )
    return {row.request_id: row.token for row in connection.execute(query)}


def number_of(connection: Connection, jurisdiction_id: str, token: str) -> int:
    """The number of the request that a token stands for; 0 if there is no such token."""
    found = connection.execute(
        select(request_token.c.request_id).where(
            request_token.c.jurisdiction_id == jurisdiction_id, request_token.c.token == token
        )
    ).scalar_one_or_none()
    return found or 0


def settle_token(
    connection: Connection, jurisdiction_id: str, number: int, *, service_request_id: str = "", failure: str = ""
) -> None:
    """Store the result of a token: the request's id, or the reason why the request gets no id."""
    connection.execute(
        update(request_token)
        .where(request_token.c.jurisdiction_id == jurisdiction_id, request_token.c.request_id == number)
        .values(service_request_id=service_request_id, failure=failure)
    )
