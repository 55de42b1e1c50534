"""Which reporters were asked after a closing whether the problem is solved, and what they have answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import ARRAY, BigInteger, Connection, any_, bindparam, delete, literal_column, select
from sqlalchemy.dialects.postgresql import insert

from open311.storage.tables import feedback, follower


def forget(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> None:
    """Forget questions and answers, because these requests were closed or opened again."""
    columns = feedback.c
    is_one = columns.request_id == any_(bindparam(None, list(numbers), ARRAY(BigInteger)))
    connection.execute(delete(feedback).where(columns.jurisdiction_id == jurisdiction_id, is_one))


def ask(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> None:
    """Store that the reporters of these requests are asked, if they have agreed to mail."""
    columns = follower.c
    asked = select(columns.jurisdiction_id, columns.request_id, literal_column("''")).where(
        columns.jurisdiction_id == jurisdiction_id,
        columns.request_id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))),
        columns.is_reporter,
        columns.confirmed_at.is_not(None),
    )
    names = [column.name for column in feedback.c]
    connection.execute(insert(feedback).from_select(names, asked).on_conflict_do_nothing())


def answer(connection: Connection, jurisdiction_id: str, answers: Mapping[int, str]) -> None:
    """Store what reporters have answered, by the numbers of the requests."""
    statement = insert(feedback)
    changed = {"answer": statement.excluded.answer}
    rows = [
        {"jurisdiction_id": jurisdiction_id, "request_id": number, "answer": said}
        for number, said in sorted(answers.items())
    ]
    connection.execute(statement.on_conflict_do_update(constraint=feedback.primary_key, set_=changed), rows)
