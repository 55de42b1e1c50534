"""The block list: add, list and remove blocks, and find the block of a sender."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from open311.domain.abuse import LEAST_BITS, Block, BlockKind, BlockList, HostBits, TooWide, digest_of, read_range
from open311.domain.access import ALL_JURISDICTIONS, Principal, Role
from open311.errors import Conflict, Invalid, NotFound
from open311.operations.access.staff import require_city, require_role
from open311.operations.platform import Platform
from open311.storage import audit, blocks, keys
from open311.storage.audit import Entry
from open311.storage.engine import Connection
from schemas.texts import tell

USUAL_DAYS = 90
MOST_DAYS = 3_650
MOST_CHARACTERS = 500
FOR_ALL = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockOrder:
    """A block to add.

    value   as a person writes it: a key's number, an address or range, a device_id, an e-mail address
    days    how long the block lasts; 0 if it has no end
    """

    kind: BlockKind
    value: str = field(repr=False)
    reason: str
    days: int = USUAL_DAYS
    jurisdiction_id: str = ALL_JURISDICTIONS


def current_blocks(platform: Platform) -> BlockList:
    """The blocks at the newest version of the list that this process has seen.

    The list is read again only after a change. So most POSTs need no statement for it.
    """
    kept = platform.process.blocks
    if kept.list.version < kept.newest:
        with kept.lock:
            if kept.list.version < kept.newest:
                kept.list = blocks.read_list(platform.database.hot)
    return kept.list


def note_block_version(platform: Platform) -> None:
    """Read the version of the list, for a caller without a key. With a key, the look-up of the key reads it."""
    platform.process.blocks.note_version(blocks.read_version(platform.database.hot))


def add_block(platform: Platform, order: BlockOrder, *, principal: Principal, now: datetime) -> Block:
    """Add a block.

    Raises Forbidden unless the caller is an admin of the jurisdiction, Invalid for a faulty value, reason or number
    of days, and Conflict if the value is blocked already.
    """
    _require_admin(principal, order.jurisdiction_id)
    reason = _reason(order.reason)
    if not 0 <= order.days <= MOST_DAYS:
        raise Invalid(tell("must be 0 to {most}; 0 means without end.", most=MOST_DAYS), "days")
    with platform.database.transaction() as connection:
        secret = blocks.lock_list(connection)
        value = _stored(connection, order, secret)
        if same := blocks.find_same(connection, order.jurisdiction_id, order.kind, value):
            raise Conflict(
                tell("is blocked already by block {number}; remove that one first.", number=same.id), "value"
            )
        added = blocks.add_block(
            connection,
            {
                "jurisdiction_id": order.jurisdiction_id,
                "kind": order.kind,
                "value": value,
                "reason": reason,
                "actor": str(principal),
                "created_at": now,
                "expires_at": now + timedelta(days=order.days) if order.days else None,
            },
        )
        _record(connection, added, "block.add", reason, principal, now)
    return added


def list_blocks(platform: Platform, jurisdiction_id: str, *, principal: Principal) -> Sequence[Block]:
    """The blocks of a city and those of all cities, oldest first; all blocks for FOR_ALL."""
    _require_admin(principal, jurisdiction_id)
    with platform.database.reading() as connection:
        found = blocks.list_blocks(connection)
    return [one for one in found if jurisdiction_id == FOR_ALL or one.jurisdiction_id in (jurisdiction_id, FOR_ALL)]


def remove_block(platform: Platform, number: int, *, reason: str, principal: Principal, now: datetime) -> Block:
    """Remove a block.

    Raises Forbidden unless the caller is an admin, Invalid if the reason is missing or faulty, and NotFound if the
    caller has no such block.
    """
    require_role(principal, Role.ADMIN)
    why = _reason(reason)
    with platform.database.transaction() as connection:
        blocks.lock_list(connection)
        found = next((one for one in blocks.list_blocks(connection) if one.id == number), None)
        if found is None or not principal.scope.covers(found.jurisdiction_id):
            raise NotFound(tell("{number} is no block here.", number=number), "block")
        blocks.remove_block(connection, number)
        _record(connection, found, "block.remove", why, principal, now)
    return found


def _require_admin(principal: Principal, jurisdiction_id: str) -> None:
    require_role(principal, Role.ADMIN)
    require_city(principal, jurisdiction_id)


def _reason(text: str) -> str:
    reason = text.strip()
    if not reason or len(reason) > MOST_CHARACTERS or not reason.isprintable():
        raise Invalid(
            tell("is no reason; write one line of 1 to {most} characters.", most=MOST_CHARACTERS), "reason"
        )
    return reason


def _stored(connection: Connection, order: BlockOrder, secret: str) -> str:
    """The value of a block as it is stored. Raises Invalid for a value that cannot be of its kind."""
    value = order.value.strip()
    if not value or len(value) > MOST_CHARACTERS:
        raise Invalid(
            tell("has {count} characters; send 1 to {most}.", count=len(value), most=MOST_CHARACTERS), "value"
        )
    if order.kind is BlockKind.KEY:
        return _key(connection, value)
    if order.kind is BlockKind.ADDRESS:
        return _range(value)
    if order.kind is BlockKind.EMAIL and "@" not in value:
        raise Invalid(tell("is no e-mail address; send one such as name@mail.example."), "value")
    return digest_of(secret, order.kind, value)


def _range(value: str) -> str:
    try:
        return read_range(value)
    except HostBits as error:
        fault = tell(
            "does not begin a range; send {whole} for the whole range, or the address without its prefix.",
            whole=error.whole,
        )
    except TooWide:
        fault = tell(
            "has too many addresses; one block has at most a /{four} of IPv4 or a /{six} of IPv6.",
            four=LEAST_BITS[4],
            six=LEAST_BITS[6],
        )
    except ValueError:
        fault = tell("is no range of addresses; send one such as 203.0.113.0/24 or 2001:db8::/32.")
    raise Invalid(fault, "value")


def _key(connection: Connection, value: str) -> str:
    if value not in {str(one.id) for one in keys.list_keys(connection)}:
        raise Invalid(tell("is no number of a key; `open311 keys list` shows them."), "value")
    return value


def _record(
    connection: Connection, block: Block, act: str, reason: str, principal: Principal, now: datetime
) -> None:
    """Write an entry of the audit trail, without the blocked value, because the trail is kept for a long time."""
    entry = Entry(
        jurisdiction_id=block.jurisdiction_id,
        at=now,
        actor=str(principal),
        act=act,
        subject=f"block:{block.id}",
        reason=reason,
        details={"kind": str(block.kind)},
    )
    audit.add_entry(connection, entry)
