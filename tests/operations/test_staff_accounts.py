"""Accounts of staff: their tokens, login links, and the audit trail."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from open311.domain.access import ALL_JURISDICTIONS, SHELL, Principal, Role, Scope
from open311.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from open311.operations.access import staff
from open311.operations.platform import Platform
from open311.storage import audit
from tests import build

CITY = "city.example"


def add(platform: Platform, name: str = "ada", **changes: Any) -> None:
    """Add an account, by default an agent of the only city."""
    wanted: dict[str, Any] = {
        "role": Role.AGENT,
        "jurisdiction_id": CITY,
        "principal": SHELL,
        "now": build.NOON,
    } | changes
    staff.add_account(platform, name=name, **wanted)


def who(platform: Platform, token: str, *, days: float = 0) -> Principal:
    """The holder of a token, some days later."""
    return staff.require_staff(platform, token, now=build.NOON + timedelta(days=days))


def test_a_token_tells_role_and_scope_and_never_a_name(platform: Platform) -> None:
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
    add(platform)
    first, second = (
        staff.issue_token(platform, CITY, "ada", principal=SHELL, now=build.NOON).secret for _ in range(2)
    )
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
    with pytest.raises(Conflict, match="has an account already"):
        add(platform)
    with pytest.raises(NotFound, match="is no valid account"):
        staff.issue_token(platform, CITY, "ada", principal=SHELL, now=build.NOON)


def test_a_login_link_is_good_once_and_for_ten_minutes(platform: Platform) -> None:
    add(platform)
    early = staff.issue_login(platform, CITY, "ada", principal=SHELL, now=build.NOON).secret
    link = staff.issue_login(platform, CITY, "ada", principal=SHELL, now=build.NOON).secret
    with pytest.raises(Unauthenticated):
        who(platform, link)  # a login link is no token
    for secret, minutes in ((early, 1), (link, 10), ("staff_x", 1)):
        with pytest.raises(Unauthenticated, match="used or too old"):
            staff.sign_in(platform, secret, now=build.NOON + timedelta(minutes=minutes))
    assert staff.sign_in(platform, link, now=build.NOON + timedelta(minutes=9)).role is Role.AGENT
    with pytest.raises(Unauthenticated, match="used or too old"):
        staff.sign_in(platform, link, now=build.NOON + timedelta(minutes=9))


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


def test_only_admins_of_the_city_manage_accounts(platform: Platform) -> None:
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


def test_every_act_on_an_account_is_in_the_audit_trail(platform: Platform) -> None:
    add(platform, "ada@city.example")
    options: dict[str, Any] = {"principal": SHELL, "now": build.NOON}
    staff.issue_token(platform, CITY, "ada@city.example", **options)
    staff.rotate_token(platform, CITY, "ada@city.example", **options)
    link = staff.issue_login(platform, CITY, "ada@city.example", **options)
    staff.sign_in(platform, link.secret, now=build.NOON)
    staff.revoke_account(platform, CITY, "ada@city.example", **options)
    with platform.database.reading() as connection:
        entries = audit.list_entries(connection, CITY)
    acts = ["account.add", "token.add", "token.rotate", "login.add", "login.use", "account.revoke"]
    account = str(link.account)
    assert [entry.act for entry in entries] == acts
    assert {entry.subject for entry in entries} == {account}
    assert [entry.actor for entry in entries] == ["shell", "shell", "shell", "shell", account, "shell"]
    assert "ada" not in str(entries)
