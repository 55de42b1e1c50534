"""An index finds a person by each value that names the person, and phones are compared as the domain says."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Select, Text, bindparam, select, text

from open311.domain.people import Person, phone_digits
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.settings import Settings
from open311.storage import kept, people, supporters
from open311.storage.tables.columns import digits_of
from tests import build

MANY = 20_000
ROWS = (
    "INSERT INTO reporter (jurisdiction_id, request_id, email, phone, device_id, account_id)"
    " SELECT 'test.example', 1000000 + n, 'U' || n || '@mail.example', '+1 555 ' || n, 'd' || n, 'a' || n"
    f" FROM generate_series(1, {MANY}) n",
    "INSERT INTO received_update (jurisdiction_id, api_key_id, update_id, request_id, version, digest, at, email,"
    " phone, account_id) SELECT 'test.example', 1, n, 1000000 + n, 1, '', now(), 'U' || n || '@mail.example',"
    f" '+1 555 ' || n, 'a' || n FROM generate_series(1, {MANY}) n",
    "INSERT INTO supporter (jurisdiction_id, request_id, api_key_id, person, given_at)"
    " SELECT 'test.example', 1000001 + n % 900, 1, sha256(n::text::bytea), now()"
    f" FROM generate_series(1, {MANY}) n",
    "ANALYZE supporter",
    "ANALYZE reporter",
    "ANALYZE received_update",
)


@pytest.fixture(scope="module")
def connection(make_database: Callable[[str], str]) -> Iterator[Connection]:
    """Many people in a separate database."""
    platform = build.platform(Settings(database_url=make_database("people")), build.city())
    ensure_synced(platform)
    build.multiply(platform, build.store(platform), MANY)
    with platform.database.transaction() as connection:
        for statement in ROWS:
            connection.execute(text(statement))
        yield connection
    platform.close()


@pytest.mark.parametrize(
    ("person", "indexes"),
    [
        (Person(email="u7@MAIL.example"), ("reporter_email_idx", "received_update_email_idx")),
        (Person(phone="001-555-7"), ("reporter_phone_idx", "received_update_phone_idx")),
        (Person(device_id="d7"), ("reporter_device_idx",)),
        (Person(account_id="a7"), ("reporter_account_idx", "received_update_account_idx")),
        (Person(email="u7@mail.example", device_id="d7"), ("reporter_email_idx", "reporter_device_idx")),
    ],
    ids=lambda value: "-".join(value.named_by) if isinstance(value, Person) else "",
)
def test_each_way_to_name_a_person_has_its_index(
    connection: Connection, person: Person, indexes: tuple[str, ...]
) -> None:
    assert people.numbers_of(connection, "test.example", person, after=0, rows=10) == [1_000_007]
    query = people.numbers_query("test.example", person, after=0, rows=10)
    shown = str(query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
    plan = "\n".join(connection.exec_driver_sql("EXPLAIN " + shown.replace("%", "%%")).scalars())
    assert [name for name in indexes if name not in plan] == []
    assert "Seq Scan" not in plan


def plan_of(connection: Connection, query: Select[Any]) -> str:
    statement = query.compile(dialect=connection.dialect, compile_kwargs={"render_postcompile": True})
    return "\n".join(connection.exec_driver_sql(f"EXPLAIN {statement}", statement.params).scalars())


def test_supporters_are_found_and_counted_by_indexes(connection: Connection) -> None:
    digest = hashlib.sha256(b"7").digest()
    plan = plan_of(connection, people.numbers_query("test.example", Person(), [digest], after=0, rows=10))
    assert "supporter_person_idx" in plan
    plan = plan_of(connection, supporters.count_query("test.example", [1_000_007]))
    assert "supporter_pkey" in plan
    assert "service_request_merged_idx" in plan
    assert "Seq Scan" not in plan
    counted = supporters.count(connection, "test.example", [1_000_007, 1_000_900, 1_000_901])
    assert counted == {1_000_007: 23, 1_000_900: 22}


def test_a_person_of_another_city_is_not_found(connection: Connection) -> None:
    person = Person(email="u7@mail.example")
    assert people.numbers_of(connection, "other.example", person, after=0, rows=10) == []
    assert people.updates_of(connection, "other.example", [1_000_007]) == []
    assert kept.with_people(connection, "other.example", after=0, rows=10) == []


@given(phone=st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30))
def test_the_database_and_the_domain_agree_on_the_digits_of_a_phone(connection: Connection, phone: str) -> None:
    found = connection.execute(select(digits_of(bindparam("phone", phone, type_=Text)))).scalar_one()
    assert found == phone_digits(phone)
