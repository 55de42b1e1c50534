"""Looking at the servers of a replicated database, and the end of connections to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest

from open311.errors import Unavailable
from open311.operations.replica import LASTS_S
from open311.storage import replication
from open311.storage.engine import DEAD_PEER, Database, libpq_dsn, open_database
from open311.storage.failures import is_cut_off, is_lost, unavailable
from open311.storage.hot.connections import HotConnections
from open311.storage.hot.sessions import Session
from open311.storage.replication import Lookout


class Looking(HotConnections):
    """Connections of which a test can use the newest."""

    newest: Session

    def session(self) -> Session:
        """Open another connection."""
        self.newest = super().session()
        return self.newest


@pytest.fixture(scope="module")
def url(make_database: Callable[[str], str]) -> str:
    """The address of an empty database."""
    return make_database("replication")


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """An empty database."""
    database = open_database(url)
    yield database
    database.close()


def test_a_look_changes_no_setting_of_a_connection_that_a_pooler_gives_to_others(url: str) -> None:
    hot = Looking(libpq_dsn(url), prepares=False)
    lookout = Lookout(hot)
    assert lookout.look() is not None
    before = hot.session().command("SHOW statement_timeout").rows()
    hot.newest.close()
    lookout.close()
    assert lookout.look() is not None
    assert hot.newest.command("SHOW statement_timeout").rows() == before
    lookout.close()


def test_a_look_that_times_out_leaves_the_server_connected_and_an_ended_session_does_not(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hot = Looking(libpq_dsn(url), prepares=False)
    lookout = Lookout(hot)
    with monkeypatch.context() as patch:
        patch.setattr(replication, "LOOK_TIMEOUT_MS", 1)
        patch.setattr(replication, "_STANDING", "SELECT pg_sleep(60)")
        assert (lookout.look(), lookout.is_connected) == (None, True)
    assert lookout.look() is not None
    with monkeypatch.context() as patch:
        patch.setattr(replication, "_STANDING", "SELECT pg_terminate_backend(pg_backend_pid())")
        assert (lookout.look(), lookout.is_connected) == (None, False)
    assert lookout.look() is not None
    lookout.close()


@pytest.mark.parametrize(
    ("sql", "is_ended", "is_useless"),
    [
        ("SET LOCAL statement_timeout = 1; SELECT pg_sleep(60)", False, False),
        (
            "SET LOCAL default_transaction_read_only = on; SET TRANSACTION READ ONLY; CREATE TABLE one (two int)",
            False,
            True,
        ),
        ("SELECT 1 FROM no_such_table", False, False),
        ("SELECT pg_terminate_backend(pg_backend_pid())", True, True),
    ],
)
def test_a_connection_is_lost_only_if_it_was_ended_or_has_become_read_only(
    database: Database, sql: str, is_ended: bool, is_useless: bool
) -> None:
    with pytest.raises(Unavailable) as caught, database.transaction() as connection:
        connection.exec_driver_sql(sql)
    assert (is_cut_off(caught.value), is_lost(caught.value)) == (is_ended, is_useless)


def test_a_server_that_does_not_exist_counts_as_cut_off_and_an_error_of_our_own_does_not() -> None:
    nowhere = open_database("postgresql+psycopg2://nobody@127.0.0.1:1/none")
    with pytest.raises(Unavailable) as caught, nowhere.reading():
        pass
    assert is_cut_off(caught.value)
    with pytest.raises(Unavailable) as hot:
        nowhere.hot.session()
    assert is_cut_off(hot.value)
    assert not is_cut_off(unavailable(None))
    assert not is_lost(unavailable(None))


def test_connections_of_both_drivers_probe_the_other_machine_and_give_up_in_time(
    database: Database, url: str
) -> None:
    with database.reading() as connection:
        driver: Any = connection.connection.driver_connection
        found = driver.info.dsn_parameters
    assert DEAD_PEER.items() <= found.items()
    session = database.hot.session()
    assert DEAD_PEER.items() <= session._connection.info.get_parameters().items()
    session.close()
    idle_s, between_s, times = (int(DEAD_PEER[f"keepalives_{name}"]) for name in ("idle", "interval", "count"))
    assert idle_s + between_s * times < LASTS_S
    assert int(DEAD_PEER["tcp_user_timeout"]) / 1_000 < LASTS_S
    assert "keepalives_idle=30" in libpq_dsn(f"{url}{'&' if '?' in url else '?'}keepalives_idle=30")
    assert psycopg2.extensions.parse_dsn(libpq_dsn(url)).items() >= DEAD_PEER.items()
