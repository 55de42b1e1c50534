"""Change texts and questions of a city, but not its files: list, put and drop overrides. Only for admins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from open311.domain.access import Principal, Role
from open311.domain.overrides import Item, Override, Stand, Standing
from open311.errors import Conflict, Forbidden, Invalid, NotFound, Problem
from open311.operations.access.staff import require_city, require_role
from open311.operations.overriding.seeing import see_overrides
from open311.operations.platform import Platform
from open311.operations.upkeep.sync_catalogues import write_city
from open311.plugins import Jurisdiction
from open311.plugins.declared.overrides import (
    base_of,
    code_faults,
    ground_of,
    merged,
    picked,
    reduced,
    value_faults,
    with_overrides,
)
from open311.storage import audit, catalogue, overrides
from open311.storage.audit import Entry
from open311.storage.engine import Connection
from schemas.texts import tell

PUT, DROP = "override.put", "override.drop"
NOT_THERE = 0
"""The version of an item that has no override."""
_NO_ITEM = tell("The city has nothing with this name that can be changed.")


@dataclass(frozen=True, slots=True)
class Editable:
    """An item as an admin sees it.

    base   all fields as the files have them
    value  all fields as they count now
    stand  the override of the item, and how it compares with the files; None without an override
    """

    item: Item
    base: Mapping[str, Any]
    value: Mapping[str, Any]
    stand: Stand | None

    @property
    def version(self) -> int:
        """The version of the override."""
        return self.stand.override.version if self.stand else NOT_THERE


def may_edit(city: Jurisdiction, principal: Principal) -> bool:
    """Whether the principal may change texts and questions of the city."""
    return city.overrides and _is_editor(principal, city)


def list_overrides(platform: Platform, city: Jurisdiction, *, principal: Principal) -> list[Stand]:
    """The overrides of a city, also those that do not count. Raises Forbidden."""
    _require_admin(principal, city)
    return read_stands(platform, city)


def read_stands(platform: Platform, city: Jurisdiction) -> list[Stand]:
    """The overrides of a city, and how they compare with its files."""
    with platform.database.reading() as connection:
        stored = overrides.load_overrides(connection, city.id)
    return with_overrides(_declared(platform, city), stored)[1]


def read_item(platform: Platform, city: Jurisdiction, name: str, *, principal: Principal) -> Editable:
    """An item that can be overridden. Raises Forbidden, and NotFound if the city has no such item."""
    _require_editor(principal, city)
    item = _item(name)
    with platform.database.reading() as connection:
        stored = overrides.load_overrides(connection, city.id)
    return _editable(_declared(platform, city), stored, item)


def put_override(
    platform: Platform,
    city: Jurisdiction,
    name: str,
    sent: Mapping[str, Any],
    *,
    seen: int | None,
    principal: Principal,
    now: datetime,
) -> Editable:
    """Override fields of an item, in place of the former override.

    sent  the fields, with the keys of the city's files
    seen  the version of the override that the caller has seen, NOT_THERE for none; None for any
    Raises Forbidden, NotFound, Conflict if the override has another version, and Invalid if the value is faulty or
    says the same as the files.
    """
    _require_editor(principal, city)
    item, declared = _item(name), _declared(platform, city)
    with platform.database.transaction() as connection:
        catalogue.lock_catalogues(connection)
        stored = overrides.load_overrides(connection, city.id)
        before = next((one for one in stored if one.item == item), None)
        _require_seen(before, seen)
        base = base_of(ground_of(declared, stored, item), item)
        if base is None:
            raise NotFound(_NO_ITEM, "item")
        _check(declared, item, base, sent)
        value = reduced(base, sent)
        if not value:
            raise Invalid(tell("says the same as the files of the city; drop the override instead."), "value")
        new = Override(
            item=item,
            value=value,
            base=picked(base, value),
            version=overrides.next_version(connection, city.id),
            actor=str(principal),
            changed_at=now,
        )
        others = [one for one in stored if one.item != item]
        _require_fit(declared, others, new)
        overrides.write_override(connection, city.id, new)
        after = _write(platform, connection, declared, [*others, new], now)
        _record(connection, city, PUT, before, new, item, principal, now)
    see_overrides(platform, is_fresh=True)
    return _editable(declared, after, item)


def drop_override(
    platform: Platform, city: Jurisdiction, name: str, *, seen: int | None, principal: Principal, now: datetime
) -> None:
    """Drop an override, so that the files count again. An override that does not count can be dropped too.

    Raises Forbidden, NotFound if there is no such override, Conflict if it has another version, and Invalid if the
    other overrides would not fit without it.
    """
    _require_admin(principal, city)
    item, declared = _item(name), _declared(platform, city)
    with platform.database.transaction() as connection:
        catalogue.lock_catalogues(connection)
        stored = overrides.load_overrides(connection, city.id)
        before = next((one for one in stored if one.item == item), None)
        if before is None:
            raise NotFound(tell("There is no override of {name!r}.", name=name[:60]), "item")
        _require_seen(before, seen)
        overrides.next_version(connection, city.id)
        overrides.remove_override(connection, city.id, item)
        _write(platform, connection, declared, [one for one in stored if one.item != item], now)
        _record(connection, city, DROP, before, None, item, principal, now)
    see_overrides(platform, is_fresh=True)


def _declared(platform: Platform, city: Jurisdiction) -> Jurisdiction:
    """The city as its files declare it."""
    return next(one for one in platform.registry.declared if one.id == city.id)


def _item(name: str) -> Item:
    item = Item.of(name)
    if item is None:
        raise NotFound(_NO_ITEM, "item")
    return item


def _editable(declared: Jurisdiction, stored: Sequence[Override], item: Item) -> Editable:
    base = base_of(ground_of(declared, stored, item), item)
    if base is None:
        raise NotFound(_NO_ITEM, "item")
    stand = next((one for one in with_overrides(declared, stored)[1] if one.override.item == item), None)
    return Editable(item, base, merged(base, stand.override.value if stand else {}), stand)


def _check(city: Jurisdiction, item: Item, base: Mapping[str, Any], sent: Mapping[str, Any]) -> None:
    """Raise Invalid with all faults of a value that do not depend on the rest of the catalogue."""
    problems = list(_problems(city, item, base, sent))
    if problems:
        raise Invalid.of(problems)


def _problems(
    city: Jurisdiction, item: Item, base: Mapping[str, Any], sent: Mapping[str, Any]
) -> Iterator[Problem]:
    found = [
        Problem(field[:60], tell("does not fit: {fault}", fault=fault))
        for field, fault in _faults(city, item, sent)
    ]
    if not found and _is_emptied(base, sent, "group"):
        found.append(Problem("group", tell("is empty; send a heading, or leave it out.")))
    yield from found
    if found:
        return
    for code, what in code_faults(base, sent):
        fault = (
            tell("{code!r} is there twice; send each question once.", code=code[:60])
            if what == "twice"
            else tell("{code!r} is not in the city's files; send only codes and keys of the files.", code=code[:60])
        )
        yield Problem("attributes", fault)


def _is_emptied(base: Mapping[str, Any], sent: Mapping[str, Any], name: str) -> bool:
    """Whether a text that was sent is blank and not the same as in the files."""
    return name in base and sent.get(name, base[name]) != base[name] and not sent[name].strip()


def _faults(city: Jurisdiction, item: Item, sent: Mapping[str, Any]) -> list[tuple[str, str]]:
    return list(value_faults(city, item, sent))


def _require_fit(declared: Jurisdiction, others: Sequence[Override], new: Override) -> None:
    """Raise Invalid if the new override does not fit, or if it stops another override from counting."""
    lost = {one.override.item for one in with_overrides(declared, others)[1] if one.standing is Standing.MISFIT}
    for one in with_overrides(declared, [*others, new])[1]:
        if one.standing is Standing.MISFIT and one.override.item not in lost:
            raise Invalid(tell("does not fit: {fault}", fault=one.fault), "value")


def _require_seen(stored: Override | None, seen: int | None) -> None:
    version = NOT_THERE if stored is None else stored.version
    if seen is not None and seen != version:
        raise Conflict(
            tell("Somebody else has changed this meanwhile; read it again before you change it."), "If-Match"
        )


def _write(
    platform: Platform, connection: Connection, declared: Jurisdiction, stored: list[Override], now: datetime
) -> list[Override]:
    """Store the catalogue with the overrides. Returns the overrides."""
    city, _ = with_overrides(declared, stored)
    write_city(platform, connection, city, now)
    return stored


def _record(
    connection: Connection,
    city: Jurisdiction,
    act: str,
    before: Override | None,
    after: Override | None,
    item: Item,
    principal: Principal,
    now: datetime,
) -> None:
    """Write an entry of the audit trail. Where there is no override, the entry has the text of the files."""
    base = (after or before).base if after or before else {}  # type: ignore[union-attr]  # one of them is there
    details = {
        "before": dict(before.value) if before else dict(base),
        "after": dict(after.value) if after else dict(base),
    }
    entry = Entry(
        jurisdiction_id=city.id, at=now, actor=str(principal), act=act, subject=str(item), details=details
    )
    audit.add_entry(connection, entry)


def _is_editor(principal: Principal, city: Jurisdiction) -> bool:
    scope = principal.scope
    return principal.role.includes(Role.ADMIN) and scope.covers(city.id) and not scope.departments


def _require_admin(principal: Principal, city: Jurisdiction) -> None:
    require_role(principal, Role.ADMIN)
    require_city(principal, city.id)
    if principal.scope.departments:
        raise Forbidden(tell("this needs an account for all departments, because all of them use the texts."))


def _require_editor(principal: Principal, city: Jurisdiction) -> None:
    _require_admin(principal, city)
    if not city.overrides:
        raise Forbidden(
            tell(
                "the city's files do not allow this; the operator can write overrides = true in jurisdiction.toml."
            )
        )
