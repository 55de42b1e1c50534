"""Accounts of staff: their tokens, login links, and the audit trail."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from datetime import timedelta
from typing import Any

import pytest

from open311.domain.access import ALL_JURISDICTIONS, SHELL, Principal, Role, Scope
from open311.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from open311.operations.access import sessions, staff
from open311.operations.platform import Platform
from open311.plugins import Department
from open311.settings import Settings
from open311.storage import audit
from tests import build

CITY = "city.example"


def add(platform: Platform, name: str = "ada", **changes: Any) -> staff.Issued:
    """Add an account, by default an agent of the only city."""
    wanted: dict[str, Any] = {
        "role": Role.AGENT,
        "jurisdiction_id": CITY,
        "principal": SHELL,
        "now": build.NOON,
    } | changes
    return staff.add_account(platform, name=name, **wanted)


def who(platform: Platform, token: str, *, days: float = 0) -> Principal:
    """The holder of a token, some days later."""
    return staff.require_staff(platform, token, now=build.NOON + timedelta(days=days))


def test_a_token_gives_role_and_scope_and_never_a_name(platform: Platform) -> None:
    add(platform, "ada@city.example", departments=("streets",))
    issued = staff.issue_token(platform, CITY, "ada@city.example", principal=SHELL, now=build.NOON)
    found = who(platform, issued.secret)
    assert (found.kind, found.role, found.scope) == ("staff", Role.AGENT, Scope(CITY, frozenset({"streets"})))
    assert (found.label, str(found)) == (f"staff:{issued.account.id}", f"staff:{issued.account.id}")


def test_a_token_expires(platform: Platform) -> None:
    add(platform)
    issued = staff.issue_token(platform, CITY, "ada", days=30, principal=SHELL, now=build.NOON)
    assert who(platform, issued.secret, days=29)
    with pytest.raises(Unauthenticated, match="expired"):
        who(platform, issued.secret, days=30)
    for days in (0, 731):
        with pytest.raises(Invalid, match="a token has to expire"):
            staff.issue_token(platform, CITY, "ada", days=days, principal=SHELL, now=build.NOON)


def test_after_a_rotation_the_old_token_is_valid_for_a_day_or_ends_at_once(platform: Platform) -> None:
    add(platform)
    old = staff.issue_token(platform, CITY, "ada", principal=SHELL, now=build.NOON)
    new = staff.rotate_token(platform, CITY, "ada", principal=SHELL, now=build.NOON)
    assert who(platform, old.secret, days=0.9)
    with pytest.raises(Unauthenticated):
        who(platform, old.secret, days=1)
    newest = staff.rotate_token(platform, CITY, "ada", is_at_once=True, principal=SHELL, now=build.NOON)
    with pytest.raises(Unauthenticated):
        who(platform, new.secret)
    assert who(platform, newest.secret, days=89)


def test_a_revoked_token_and_a_revoked_account_are_refused(platform: Platform) -> None:
    first = add(platform).secret
    second = staff.issue_token(platform, CITY, "ada", principal=SHELL, now=build.NOON).secret
    [(_, secrets)] = staff.list_accounts(platform, CITY)
    staff.revoke_token(platform, CITY, "ada", secrets[0].id, principal=SHELL, now=build.NOON)
    with pytest.raises(Unauthenticated):
        who(platform, first)
    with pytest.raises(NotFound, match="is no valid token of ada"):
        staff.revoke_token(platform, CITY, "ada", secrets[0].id, principal=SHELL, now=build.NOON)
    assert who(platform, second)
    staff.revoke_account(platform, CITY, "ada", principal=SHELL, now=build.NOON)
    with pytest.raises(Unauthenticated):
        who(platform, second)
    with pytest.raises(Conflict, match="is revoked; run `open311 staff restore ada --jurisdiction"):
        add(platform)
    with pytest.raises(NotFound, match="is revoked; run `open311 staff restore` first"):
        staff.issue_token(platform, CITY, "ada", principal=SHELL, now=build.NOON)


def test_a_login_link_is_valid_once_and_for_ten_minutes(platform: Platform) -> None:
    add(platform)
    early = staff.issue_login(platform, CITY, "ada", principal=SHELL, now=build.NOON).secret
    link = staff.issue_login(platform, CITY, "ada", principal=SHELL, now=build.NOON).secret
    with pytest.raises(Unauthenticated):
        who(platform, link)  # a login link is no token
    for secret, minutes in ((early, 1), (link, 10), ("staff_x", 1)):
        with pytest.raises(Unauthenticated, match="used or too old"):
            sessions.sign_in(platform, secret, now=build.NOON + timedelta(minutes=minutes))
    assert sessions.sign_in(platform, link, now=build.NOON + timedelta(minutes=9)).principal.role is Role.AGENT
    with pytest.raises(Unauthenticated, match="used or too old"):
        sessions.sign_in(platform, link, now=build.NOON + timedelta(minutes=9))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"name": " "}, "cannot be a name"),
        ({"name": "me"}, "cannot be a name"),
        ({"role": Role.APP}, "is no role of staff"),
        ({"departments": ("moon",)}, "'moon' is no department of city.example"),
        ({"jurisdiction_id": ALL_JURISDICTIONS, "departments": ("streets",)}, "works for all departments"),
    ],
)
def test_a_faulty_account_is_refused(platform: Platform, changes: dict[str, Any], match: str) -> None:
    with pytest.raises(Invalid, match=match):
        add(platform, **changes)


def test_only_admins_of_the_city_or_of_all_cities_add_accounts(platform: Platform) -> None:
    for role, city, match in (
        (Role.DISPATCHER, CITY, "needs the role admin"),
        (Role.ADMIN, "other.example", "is not valid for"),
        (Role.ADMIN, ALL_JURISDICTIONS, ""),
    ):
        principal = Principal(kind="staff", role=role, scope=Scope(city), number=3)
        if match:
            with pytest.raises(Forbidden, match=match):
                add(platform, principal=principal)
        else:
            add(platform, principal=principal)


def test_acts_on_an_account_are_in_the_audit_trail_without_its_name(platform: Platform) -> None:
    add(platform, "ada@city.example")
    options: dict[str, Any] = {"principal": SHELL, "now": build.NOON}
    staff.issue_token(platform, CITY, "ada@city.example", **options)
    staff.rotate_token(platform, CITY, "ada@city.example", **options)
    link = staff.issue_login(platform, CITY, "ada@city.example", **options)
    sessions.sign_in(platform, link.secret, now=build.NOON)
    staff.revoke_account(platform, CITY, "ada@city.example", **options)
    with platform.database.reading() as connection:
        entries = audit.list_entries(connection, CITY)
    acts = ["account.add", "token.add", "token.rotate", "login.add", "login.use", "account.revoke"]
    account = str(link.account)
    assert [entry.act for entry in entries] == acts
    assert entries[0].details == {"role": "agent", "departments": [], "token": entries[0].details["token"]}
    assert entries[1].details == {"token": entries[0].details["token"] + 1}
    assert entries[5].details == {"role": "agent", "departments": []}
    assert {entry.subject for entry in entries} == {account}
    assert [entry.actor for entry in entries] == ["shell", "shell", "shell", "shell", account, "shell"]
    assert "ada" not in str(entries)


@pytest.mark.parametrize(
    ("changes", "match"), [({"days": 0}, "a token has to expire"), ({"label": "x" * 101}, "label")]
)
def test_a_name_is_free_after_its_account_was_refused(
    platform: Platform, changes: dict[str, Any], match: str
) -> None:
    with pytest.raises(Invalid, match=match):
        add(platform, **changes)
    assert staff.list_accounts(platform) == []
    assert add(platform).account.name == "ada"


def test_one_of_two_concurrent_accounts_with_the_same_name_is_refused(platform: Platform) -> None:
    def try_to_add(_: int) -> str:
        try:
            return add(platform).account.name
        except Conflict as error:
            return str(error)

    with ThreadPoolExecutor(2) as pool:
        results = sorted(pool.map(try_to_add, range(2)))
    assert results == ["ada", "name: 'ada' has an account already; choose another name."]
    assert len(staff.list_accounts(platform)) == 1


@pytest.mark.parametrize("name", ["ada\x07", "a\x00da", "ada\u202e", "a\u200bda", "a\nda", " ", ""])
def test_a_name_with_characters_that_nobody_sees_is_refused(platform: Platform, name: str) -> None:
    with pytest.raises(Invalid, match="cannot be a name"):
        add(platform, name)
    with pytest.raises(Invalid, match="is no label") if name.strip() else nullcontext():
        add(platform, "ada", label=name)


def test_names_that_differ_only_in_case_are_the_same_name(platform: Platform) -> None:
    add(platform, "Jos\u00e9")
    add(platform, "jose")
    with pytest.raises(Conflict, match="'JOS\u00c9' is the account 'Jos\u00e9' already"):
        add(platform, "JOS\u00c9")
    staff.revoke_account(platform, CITY, "jose", principal=SHELL, now=build.NOON)
    with pytest.raises(Conflict, match="restore jose"):
        add(platform, "Jose")


def test_one_of_two_concurrent_names_that_differ_only_in_case_is_refused(platform: Platform) -> None:
    def try_to_add(name: str) -> bool:
        try:
            return bool(add(platform, name))
        except Conflict:
            return False

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(try_to_add, ("ada", "ADA"))) == [False, True]


def test_an_account_gets_other_rights_and_its_tokens_have_them_at_once(platform: Platform) -> None:
    token = add(platform, departments=("streets",)).secret
    options: dict[str, Any] = {"principal": SHELL, "now": build.NOON}
    staff.change_account(platform, CITY, "ada", role=Role.DISPATCHER, **options)
    assert (who(platform, token).role, who(platform, token).scope.departments) == (
        Role.DISPATCHER,
        frozenset({"streets"}),
    )
    staff.change_account(platform, CITY, "ada", departments=("parks", "streets", "parks"), **options)
    assert who(platform, token).scope.departments == {"parks", "streets"}
    staff.change_account(platform, CITY, "ada", departments=(), **options)
    staff.change_account(platform, CITY, "ada", departments=(), **options)  # nothing changes, nothing is recorded
    assert who(platform, token).scope.departments == frozenset()
    with platform.database.reading() as connection:
        changes = [one for one in audit.list_entries(connection, CITY) if one.act == "account.change"]
    assert [one.details["before"]["role"] for one in changes] == ["agent", "dispatcher", "dispatcher"]
    assert changes[-1].details == {
        "role": "dispatcher",
        "departments": [],
        "before": {"role": "dispatcher", "departments": ["parks", "streets"]},
    }


@pytest.mark.parametrize(
    ("name", "changes", "error", "match"),
    [
        ("ada", {}, Invalid, "say what to change"),
        ("ada", {"role": Role.APP}, Invalid, "is no role of staff"),
        ("ada", {"departments": ("moon",)}, Invalid, "'moon' is no department"),
        ("bo", {"role": Role.READER}, NotFound, "'bo' is no account of city.example"),
    ],
)
def test_a_faulty_change_of_an_account_changes_nothing(
    platform: Platform, name: str, changes: dict[str, Any], error: type[Exception], match: str
) -> None:
    before = add(platform).account
    with pytest.raises(error, match=match):
        staff.change_account(platform, CITY, name, principal=SHELL, now=build.NOON, **changes)
    assert staff.find_account(platform, CITY, "ada") == before


def test_a_revoked_account_is_restored_with_a_new_token(platform: Platform) -> None:
    old = add(platform, departments=("streets",))
    options: dict[str, Any] = {"principal": SHELL, "now": build.NOON}
    with pytest.raises(Conflict, match="is a valid account already"):
        staff.restore_account(platform, CITY, "ada", **options)
    staff.revoke_account(platform, CITY, "ada", **options)
    with pytest.raises(Invalid, match="a token has to expire"):
        staff.restore_account(platform, CITY, "ada", days=0, **options)
    new = staff.restore_account(platform, CITY, "ada", label="tablet", **options)
    assert (new.account.id, who(platform, new.secret).scope.departments) == (
        old.account.id,
        frozenset({"streets"}),
    )
    with pytest.raises(Unauthenticated):
        who(platform, old.secret)
    with platform.database.reading() as connection:
        last = audit.list_entries(connection, CITY)[-1]
    assert (last.act, last.details["label"], last.details["token"]) == ("account.restore", "tablet", new.number)


def test_the_use_of_a_token_is_written_once_an_hour(platform: Platform) -> None:
    issued = add(platform, label="tablet")

    def used() -> Any:
        [(_, [secret])] = staff.list_accounts(platform, CITY)
        assert (secret.id, secret.label) == (issued.number, "tablet")
        return secret.last_used_at

    assert used() is None
    for hours, written in ((0, 0), (0.9, 0), (1, 1), (1.5, 1)):
        principal = who(platform, issued.secret, days=hours / 24)
        assert (principal.token, principal.expires_at) == (issued.number, issued.expires_at)
        assert used() == build.NOON + timedelta(hours=written)


def test_a_token_is_valid_while_its_row_is_locked(platform: Platform) -> None:
    issued = add(platform)
    with platform.database.transaction() as connection:
        connection.exec_driver_sql("SELECT 1 FROM staff_secret FOR UPDATE")
        assert who(platform, issued.secret).token == issued.number
    [(_, [secret])] = staff.list_accounts(platform, CITY)
    assert secret.last_used_at is None


def test_accounts_of_departments_that_are_gone_are_found(platform: Platform, settings: Settings) -> None:
    for name, departments in (
        ("ada", ("streets",)),
        ("bo", ("parks", "streets")),
        ("cy", ()),
        ("di", ("streets",)),
    ):
        add(platform, name, departments=departments)
    staff.revoke_account(platform, CITY, "di", principal=SHELL, now=build.NOON)
    assert staff.find_stranded(platform) == []
    left = (Department("parks", "Parks"), Department("desk", "Desk"))
    fewer = build.platform(settings, build.city(id=CITY, departments=left))
    with closing(fewer):
        ada, bo = map(str, staff.find_stranded(fewer))
    assert "ada works for 'streets', which is gone; the account sees no requests" in ada
    assert ada.endswith("`open311 staff change ada --jurisdiction city.example --department CODE`")
    assert "bo works for 'streets', which is gone; run" in bo
