from __future__ import annotations

from typing import Any

import pytest

from open311.domain.access import SHELL, Scope
from open311.errors import Forbidden, Invalid
from open311.operations.access.api_keys import (
    add_key,
    list_keys,
    require_key,
    require_scope,
    resume_key,
    revoke_key,
    suspend_key,
)
from open311.operations.platform import Platform
from open311.storage import audit
from tests import build


def test_a_key_is_found_by_its_secret(platform: Platform) -> None:
    number, secret = add_key(platform, label="app", contact="a@b.example", now=build.NOON)
    key = require_key(platform, secret)
    assert (key.number, str(key), key.scope, key.is_test) == (number, f"key:{number}", Scope("*"), False)
    assert [(key.id, key.label) for key in list_keys(platform)] == [(number, "app")]


@pytest.mark.requirement("C095")
@pytest.mark.parametrize("secret", ["", "badkey", "\x00", "ü☂", "x" * 100_000])
def test_the_error_for_an_invalid_key_asks_for_a_valid_key(platform: Platform, secret: str) -> None:
    with pytest.raises(Forbidden, match=r"api_key: is (missing|not valid); send a valid api_key") as caught:
        require_key(platform, secret)
    assert len(str(caught.value)) < 300


def test_the_database_contains_no_secret(platform: Platform) -> None:
    _, secret = add_key(platform, label="app", now=build.NOON)
    with platform.database.reading() as connection:
        (row,) = connection.exec_driver_sql("SELECT * FROM api_key").all()
    assert secret.encode() not in b"".join(str(value).encode() for value in row)
    assert secret.encode() not in bytes(row.digest)
    assert secret not in repr(list_keys(platform))


def test_a_revoked_key_is_refused_and_cannot_be_revoked_again(platform: Platform) -> None:
    number, secret = add_key(platform, label="app", now=build.NOON)
    assert revoke_key(platform, number, now=build.NOON)
    assert not revoke_key(platform, number, now=build.NOON)
    assert not revoke_key(platform, number + 999, now=build.NOON)
    with pytest.raises(Forbidden):
        require_key(platform, secret)
    assert [key.revoked_at for key in list_keys(platform)] == [build.NOON]


def test_a_key_for_one_city_is_valid_for_this_city_only(platform: Platform) -> None:
    key = build.api_key(platform, jurisdiction_id="city.example")
    require_scope(key, "city.example")
    with pytest.raises(Forbidden, match=r"is not valid for b.example"):
        require_scope(key, "b.example")


def test_a_key_for_an_unserved_city_is_refused(platform: Platform) -> None:
    with pytest.raises(Invalid, match=r"'nowhere' is not served here; use one of city.example"):
        add_key(platform, label="app", jurisdiction_id="nowhere", now=build.NOON)
    assert list_keys(platform) == []


@pytest.mark.parametrize("text", ["a\x1b[2Jb", "app\u202e", "a\u200bpp", "two\nlines", "x" * 201])
def test_a_label_or_a_contact_that_people_cannot_read_is_refused(platform: Platform, text: str) -> None:
    with pytest.raises(Invalid, match="label: is no label"):
        add_key(platform, label=text, now=build.NOON)
    with pytest.raises(Invalid, match="contact: is no contact"):
        add_key(platform, label="app", contact=text, now=build.NOON)


@pytest.mark.parametrize("label", ["", "  "])
def test_a_key_needs_a_label(platform: Platform, label: str) -> None:
    with pytest.raises(Invalid, match="label: is no label"):
        add_key(platform, label=label, now=build.NOON)


def test_the_audit_trail_has_each_act_on_a_key_and_a_city_changes_only_its_own_keys(platform: Platform) -> None:
    city = "city.example"
    by: dict[str, Any] = {"principal": SHELL, "now": build.NOON}
    number, _ = add_key(platform, label="FixIt app", jurisdiction_id=city, may_update=True, **by)
    elsewhere, _ = add_key(platform, label="Other app", **by)
    assert not revoke_key(platform, elsewhere, jurisdiction_id=city, **by)
    assert suspend_key(platform, number, "It sends each report twice.", jurisdiction_id=city, **by)
    assert resume_key(platform, number, jurisdiction_id=city, **by)
    assert revoke_key(platform, number, reason="The app is gone.", jurisdiction_id=city, **by)
    assert not resume_key(platform, number, jurisdiction_id=city, **by)
    assert [key.id for key in list_keys(platform, city)] == [number]
    with platform.database.reading() as connection:
        entries = [(one.act, one.subject, one.reason) for one in audit.list_entries(connection, city)]
    subject = f"key:{number}"
    assert entries == [
        ("key.add", subject, ""),
        ("key.suspend", subject, "It sends each report twice."),
        ("key.resume", subject, ""),
        ("key.revoke", subject, "The app is gone."),
    ]
