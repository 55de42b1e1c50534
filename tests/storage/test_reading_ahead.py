"""An expected statement is sent with the first one. Its result is used only for a read that is exactly the same."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from sqlalchemy import BigInteger, Integer, Text, bindparam, cast, func, literal_column, select

from open311.errors import Unavailable
from open311.storage.engine import open_database
from open311.storage.failures import Refused
from open311.storage.hot.ahead import ReadAhead
from open311.storage.hot.connections import HotConnections
from open311.storage.hot.statements import Statement
from tests.waiting import until

_VALUE = cast(bindparam("value", type_=Text), Text)
ECHO = Statement.of(select(_VALUE), is_prepared=True)
NUMBER = Statement.of(select(cast(_VALUE, BigInteger)), is_prepared=True)
COUNT = Statement.of(select(func.nextval(literal_column("'runs'")), _VALUE), is_prepared=True)
"""Counts how often it runs."""
SLOW = Statement.of(select(func.pg_sleep(literal_column("5"))), is_prepared=True)
FAIL = Statement.of(
    select(func.nextval(literal_column("'runs'")), func.pg_sleep(literal_column("5"))), is_prepared=True
)
"""Counts how often it runs, and is too slow."""
_NUMBER = cast(_VALUE, BigInteger)
LOCK = Statement.of(select(func.pg_advisory_lock(_NUMBER)), is_prepared=True)
UNLOCK = Statement.of(select(func.pg_advisory_unlock(_NUMBER)), is_prepared=True)
WHO = Statement.of(select(func.pg_backend_pid()), is_prepared=True)
END = Statement.of(select(func.pg_terminate_backend(cast(_VALUE, Integer))), is_prepared=True)
"""Ends the session with this process id."""
ONE, TWO = {"value": "1"}, {"value": "2"}


@pytest.fixture(scope="module")
def address(make_database: Callable[[str], str]) -> str:
    return make_database("ahead")


@pytest.fixture
def hot(address: str) -> Iterator[HotConnections]:
    """A connection on which the statements have been prepared."""
    database = open_database(address, statement_timeout_ms=300)
    with database.transaction() as connection:
        connection.exec_driver_sql("CREATE SEQUENCE IF NOT EXISTS runs")
        connection.exec_driver_sql("ALTER SEQUENCE runs RESTART")
    for statement in (ECHO, NUMBER):
        database.hot.rows(statement, ONE)
    database.hot.rows(WHO, {})
    database.hot.rows(END, {"value": None})
    for slow in (SLOW, FAIL):
        with pytest.raises(Unavailable):
            database.hot.rows(slow, {})
    with database.transaction() as connection:
        connection.exec_driver_sql("ALTER SEQUENCE runs RESTART")
    database.hot.rows(COUNT, ONE)
    yield database.hot
    database.close()


def runs(hot: HotConnections) -> int:
    """How often COUNT and FAIL have run, including one run in the fixture."""
    [(number, _)] = hot.rows(COUNT, ONE)
    return int(number) - 1


def test_the_expected_statement_runs_once_with_the_first_one(hot: HotConnections) -> None:
    ahead = ReadAhead(hot, (COUNT, TWO))
    assert ahead.rows(ECHO, ONE) == [("1",)]
    assert ahead.rows(COUNT, {"value": "2"}) == [(2, "2")]
    assert runs(hot) == 2


def test_a_result_is_used_only_once(hot: HotConnections) -> None:
    ahead = ReadAhead(hot, (COUNT, TWO))
    ahead.rows(ECHO, ONE)
    assert [ahead.rows(COUNT, TWO) for _ in range(2)] == [[(2, "2")], [(3, "2")]]


def test_a_read_with_other_values_does_not_get_the_result_of_the_expected_read(hot: HotConnections) -> None:
    ahead = ReadAhead(hot, (COUNT, TWO))
    ahead.rows(ECHO, ONE)
    assert ahead.rows(COUNT, ONE) == [(3, "1")]
    assert ahead.rows(COUNT, TWO) == [(4, "2")], "the expected result is dropped"


def test_a_call_without_an_expectation_reads_as_usual(hot: HotConnections) -> None:
    ahead = ReadAhead(hot, None)
    assert [ahead.rows(ECHO, ONE), ahead.rows(ECHO, TWO)] == [[("1",)], [("2",)]]


def test_a_statement_that_was_not_prepared_before_is_not_sent_ahead(hot: HotConnections) -> None:
    other = Statement.of(select(func.nextval(literal_column("'runs'")).label("new")), is_prepared=True)
    ahead = ReadAhead(hot, (other, {}))
    assert ahead.rows(ECHO, ONE) == [("1",)]
    assert runs(hot) == 1
    assert ahead.rows(other, {}) == [(3,)]


@pytest.mark.parametrize(("statement", "values"), [(NUMBER, {"value": "x"}), (SLOW, {})], ids=["refused", "slow"])
def test_a_failure_of_the_expected_statement_is_raised_where_it_is_read(
    hot: HotConnections, statement: Statement, values: dict[str, str]
) -> None:
    [(before,)] = hot.rows(WHO, {})
    ahead = ReadAhead(hot, (statement, values))
    assert ahead.rows(ECHO, ONE) == [("1",)]
    with pytest.raises((Refused, Unavailable)):
        ahead.rows(statement, values)
    assert hot.rows(WHO, {}) == [(before,)], "the connection is still in use"


def test_a_failure_of_the_first_statement_is_raised_and_the_expected_one_can_still_be_read(
    hot: HotConnections,
) -> None:
    ahead = ReadAhead(hot, (ECHO, TWO))
    with pytest.raises(Refused, match="22P02"):
        ahead.rows(NUMBER, {"value": "x"})
    assert ahead.rows(ECHO, TWO) == [("2",)]


def test_values_that_cannot_be_sent_are_refused_where_they_are_read(hot: HotConnections) -> None:
    [(before,)] = hot.rows(WHO, {})
    wrong = {"value": "a\x00b"}
    ahead = ReadAhead(hot, (ECHO, wrong))
    assert ahead.rows(NUMBER, ONE) == [(1,)]
    with pytest.raises(Refused, match="NUL"):
        ahead.rows(ECHO, wrong)
    assert hot.rows(WHO, {}) == [(before,)], "the connection is still in use"


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "second"])
def test_a_statement_that_fails_does_not_run_again(hot: HotConnections, is_first: bool) -> None:
    one, other = ((FAIL, {}), (ECHO, ONE)) if is_first else ((ECHO, ONE), (FAIL, {}))
    ahead = ReadAhead(hot, other)
    with pytest.raises(Unavailable):
        [ahead.rows(*one), ahead.rows(*other)]
    assert runs(hot) == 2, "COUNT has run once in the fixture, and FAIL once in this test"


def test_other_threads_work_while_two_statements_run(address: str) -> None:
    with closing(open_database(address)) as database, database.transaction() as holder:
        for statement in (ECHO, LOCK):
            database.hot.rows(statement, ONE)
        database.hot.rows(UNLOCK, ONE)
        holder.exec_driver_sql("SELECT pg_advisory_lock(1)")

        def let_go() -> None:
            waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            until(lambda: holder.exec_driver_sql(waits).scalar_one(), "the other session to wait")
            holder.exec_driver_sql("SELECT pg_advisory_unlock(1)")

        thread = threading.Thread(target=let_go)
        thread.start()
        ahead = ReadAhead(database.hot, (LOCK, ONE))
        ahead.rows(ECHO, ONE)
        assert len(ahead.rows(LOCK, ONE)) == 1
        thread.join()


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "second"])
def test_a_connection_that_dies_is_replaced(hot: HotConnections, is_first: bool) -> None:
    [(before,)] = hot.rows(WHO, {})
    end = (END, {"value": str(before)})
    one, other = (end, (ECHO, TWO)) if is_first else ((ECHO, TWO), end)
    ReadAhead(hot, other).rows(*one)
    [(after,)] = hot.rows(WHO, {})
    assert before != after
    for _ in range(2):
        hot.rows(ECHO, ONE)
    ahead = ReadAhead(hot, (ECHO, TWO))
    assert [ahead.rows(WHO, {}), ahead.rows(ECHO, TWO)] == [[(after,)], [("2",)]]


def test_statements_that_the_server_has_dropped_fail_only_once(
    hot: HotConnections,
) -> None:
    hot.write(Statement("DEALLOCATE ALL", b"", b"DEALLOCATE ALL", ()), {})
    with pytest.raises(Unavailable):
        ReadAhead(hot, (NUMBER, TWO)).rows(ECHO, ONE)
    ahead = ReadAhead(hot, (NUMBER, TWO))
    assert ahead.rows(ECHO, ONE) == [("1",)]
    assert ahead.rows(NUMBER, TWO) == [(2,)]
