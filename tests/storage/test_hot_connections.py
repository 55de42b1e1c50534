"""Statements on libpq connections return values unchanged, and each kind of failure has its own error."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Double,
    Integer,
    LargeBinary,
    Text,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP

from open311.embedded import Cluster
from open311.errors import Unavailable
from open311.storage.engine import open_database
from open311.storage.failures import Refused
from open311.storage.hot.connections import HotConnections
from open311.storage.hot.statements import Statement
from tests.waiting import until

WHO = Statement.of(select(func.pg_backend_pid()))
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
INSTANTS = st.integers(-(10**10), 10**11).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
KINDS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (Text, TEXTS),
    (BigInteger, st.integers(-(2**63), 2**63 - 1)),
    (Double, st.floats(allow_nan=False)),
    (Boolean, st.booleans()),
    (TIMESTAMP(timezone=True), INSTANTS),
    (ARRAY(Text), st.lists(TEXTS, max_size=5)),
    (LargeBinary, st.binary()),
]


@pytest.fixture(scope="module", params=[True, False], ids=["prepared", "unprepared"])
def hot(make_database: Callable[[str], str], request: pytest.FixtureRequest) -> Iterator[HotConnections]:
    database = open_database(make_database(f"direct_{request.param}".lower()), prepares=request.param)
    yield database.hot
    database.close()


def statement(*columns: Any, is_prepared: bool = False) -> Statement:
    return Statement.of(select(*columns), is_prepared=is_prepared)


def is_prepared(hot: HotConnections) -> bool:
    """Whether these connections prepare statements."""
    prepared = Statement.of(select(func.count()).select_from(table("pg_prepared_statements")), is_prepared=True)
    return hot.rows(prepared, {}) != [(0,)]


def statement_of(command: str) -> Statement:
    """A command that is not prepared."""
    return Statement(command, b"", command.encode(), ())


@pytest.mark.parametrize(("kind", "values"), KINDS, ids=[str(kind) for kind, _ in KINDS])
def test_any_value_is_returned_unchanged(hot: HotConnections, kind: Any, values: st.SearchStrategy[Any]) -> None:
    echo = statement(cast(bindparam("value"), kind), is_prepared=True)

    @settings(max_examples=60)
    @given(values | st.none())
    def check(value: Any) -> None:
        assert hot.rows(echo, {"value": value}) == [(value,)]

    check()


def test_columns_can_be_read_one_by_one(hot: HotConnections) -> None:
    texts = ["a", 'say "ö"', "\\", ""]
    unnested = func.unnest(cast(bindparam("texts"), ARRAY(Text)))
    rows = statement(unnested, literal_column("generate_series(7::bigint, 10)"), literal_column("NULL::text"))
    result = hot.read(rows, {"texts": texts})
    assert len(result) == 4
    assert result.texts(0) == [text.encode() for text in texts]
    assert result.values(2) == [None] * 4
    assert (result.combined(1), result.number(1, 3)) == (7 ^ 8 ^ 9 ^ 10, 10)
    assert result.rows() == [(text, number, None) for text, number in zip(texts, range(7, 11), strict=True)]


def test_a_percent_sign_and_a_repeated_parameter_name_work(hot: HotConnections) -> None:
    value = bindparam("value", type_=Text)
    like = statement((cast(value, Text) + literal_column("'%'")), cast(value, Text), is_prepared=True)
    assert hot.rows(like, {"value": "x"}) == [("x%", "x")]


def test_a_text_with_nul_is_refused(hot: HotConnections) -> None:
    with pytest.raises(Refused, match="NUL"):
        hot.rows(statement(cast(bindparam("value"), Text)), {"value": "a\x00b"})
    with pytest.raises(Refused, match="0x00"):
        hot.rows(statement(cast(bindparam("value"), ARRAY(Text))), {"value": ["a\x00b"]})
    assert hot.rows(statement(cast(bindparam("value"), Text)), {"value": "ab"}) == [("ab",)]


@pytest.mark.parametrize("is_prepared", [False, True])
def test_a_database_error_is_reported_without_values(hot: HotConnections, is_prepared: bool) -> None:
    broken = statement(cast(cast(bindparam("value"), Text), BigInteger), is_prepared=is_prepared)
    for _ in range(2):
        with pytest.raises(Refused, match="invalid input syntax") as caught:
            hot.write(broken, {"value": "jane@example.com"})
        assert "22P02" in str(caught.value)
    assert hot.rows(broken, {"value": "5"}) == [(5,)]


@pytest.mark.parametrize("is_prepared", [False, True])
@pytest.mark.parametrize("prepares", [False, True])
def test_a_statement_timeout_raises_unavailable_and_keeps_the_connection(
    database_url: str, prepares: bool, is_prepared: bool
) -> None:
    slow = statement(literal_column("pg_sleep(5)"), is_prepared=is_prepared)
    with closing(open_database(database_url, statement_timeout_ms=300, prepares=prepares)) as database:
        with pytest.raises(Unavailable):
            database.hot.rows(slow, {})
        assert database.hot.rows(statement(literal_column("1")), {}) == [(1,)]


def test_a_read_runs_on_a_new_connection_if_the_server_has_ended_the_idle_one(
    hot: HotConnections, database_url: str
) -> None:
    whoami = statement(literal_column("pg_backend_pid()"), is_prepared=True)
    end = statement(func.pg_terminate_backend(cast(bindparam("number"), Integer), literal_column("5000")))
    [(first,)] = hot.rows(whoami, {})
    with closing(open_database(database_url)) as other:
        assert other.hot.rows(end, {"number": first}) == [(True,)]
    [(second,)] = hot.rows(whoami, {})
    assert first != second


def test_a_read_is_repeated_on_a_new_connection_and_a_write_is_not(hot: HotConnections) -> None:
    whoami = statement(literal_column("pg_backend_pid()"), is_prepared=True)
    [(first,)] = hot.rows(whoami, {})
    terminate = statement(literal_column("pg_terminate_backend(pg_backend_pid())"), is_prepared=True)
    with pytest.raises(Unavailable):
        hot.write(terminate, {})
    [(second,)] = hot.rows(whoami, {})
    assert first != second


@pytest.mark.parametrize("command", ["DEALLOCATE ALL", "DISCARD ALL"])
def test_a_connection_that_lost_its_prepared_statements_is_replaced(hot: HotConnections, command: str) -> None:
    echo = statement(cast(bindparam("value"), Text), is_prepared=True)
    assert hot.rows(echo, {"value": "a"}) == [("a",)]
    has_prepared = is_prepared(hot)
    hot.write(statement_of(command), {})
    if has_prepared:
        with pytest.raises(Unavailable):
            hot.rows(echo, {"value": "b"})
    assert hot.rows(echo, {"value": "c"}) == [("c",)]


def test_a_missing_database_raises_unavailable() -> None:
    nowhere = HotConnections("host=127.0.0.1 port=1 dbname=none connect_timeout=2", prepares=True)
    with pytest.raises(Unavailable):
        nowhere.rows(statement(literal_column("1")), {})
    nowhere.close()


@pytest.mark.parametrize("prepares", [True, False])
def test_a_crash_of_postgresql_is_no_fault_of_a_statement(prepares: bool) -> None:
    """After a crash, libpq calls a connection good until its next use."""
    filled = (statement(cast(bindparam("value"), Text), is_prepared=True), {"value": "a"})
    folder = Path(tempfile.mkdtemp(prefix="open311-crash-", dir="/tmp"))  # PostgreSQL's user can reach this folder
    with Cluster(folder, durable=False) as cluster:
        cluster.create_database("crash")
        with closing(open_database(cluster.url("crash"), prepares=prepares)) as database:
            hot = database.hot
            calls: list[Callable[[], object]] = [
                partial(hot.write, *filled),
                partial(hot.read, *filled),
                partial(hot.read_both, filled, filled),
            ]
            for call in calls:
                until(lambda: answers(hot), "an answer of PostgreSQL")
                hot.read(*filled)
                own, victim = backend(hot), hot.session()
                os.kill(victim.run(WHO, {}).number(0, 0), signal.SIGKILL)
                until(partial(has_ended, own), "the end of the session")
                with suppress(Unavailable):  # a read is repeated, and may find that PostgreSQL is up again
                    call()
                victim.close()
            until(lambda: answers(hot), "an answer of PostgreSQL")
    shutil.rmtree(folder)


def answers(hot: HotConnections) -> bool:
    """Whether PostgreSQL answers."""
    try:
        return bool(hot.rows(statement(literal_column("1")), {}))
    except Unavailable:
        return False


def has_ended(pid: int) -> bool:
    """Whether there is no process with this id."""
    return not Path(f"/proc/{pid}").exists()


def backend(hot: HotConnections) -> int:
    """The process of PostgreSQL that serves the connection of this thread."""
    return hot.read(WHO, {}).number(0, 0)
