"""Rules against abuse: what makes a report suspected, and the list of blocked senders (decision 0038)."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from open311.domain.access import ALL_JURISDICTIONS

OWN_NETWORK_BITS = 64
"""The length of the prefix that an IPv6 customer usually gets. The customer can use any address with it."""
LEAST_BITS = {4: 16, 6: 32}
"""The shortest prefix of a blocked range, by the version of IP. A shorter one would block too many people."""


class Suspicion(StrEnum):
    """Why a report or an update is held.

    HONEYPOT      a field was filled that people do not see
    BLOCKED       the sender is on the block list
    KEY_RATE      too many reports or updates with one api_key
    ADDRESS_RATE  too many reports or updates from one network address
    DEVICE_RATE   too many reports from one device
    REPEATS       the same report or update too often from the same device or address
    """

    HONEYPOT = "honeypot"
    BLOCKED = "blocked"
    KEY_RATE = "key_rate"
    ADDRESS_RATE = "address_rate"
    DEVICE_RATE = "device_rate"
    REPEATS = "repeats"


@dataclass(frozen=True, slots=True, kw_only=True)
class AbuseRules:
    """A city's rules against abuse.

    A report or an update that breaks a rule is held until a person has looked at it. Reports and updates are
    counted apart.

    honeypot      the name of a form's field that people do not see; "" for none
    per_key       the largest rate of one key, such as `20 per hour`; "" for no limit
    per_address   the largest rate of one network address; "" for no limit
    per_device    the largest rate of one device; "" for no limit
    most_repeats  how often one device or address may send the same within an hour; 0 for no limit
    """

    honeypot: str = ""
    per_key: str = ""
    per_address: str = ""
    per_device: str = ""
    most_repeats: int = 0

    @property
    def counts(self) -> bool:
        """Whether a rule counts reports or updates."""
        return bool(self.per_key or self.per_address or self.per_device or self.most_repeats)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sends a report or an update, as far as the rules against abuse need to know.

    address   the network address of the client; "" if it is not known
    is_caught  whether the honeypot was filled
    """

    address: str = ""
    is_caught: bool = False


UNKNOWN = Sender()
"""A sender about whom only the report and the key are known."""


class BlockKind(StrEnum):
    """What a block names."""

    KEY = "key"
    ADDRESS = "address"
    DEVICE = "device"
    EMAIL = "email"

    @property
    def is_hashed(self) -> bool:
        """Whether the value is personal data, of which only a digest is stored."""
        return self in (BlockKind.DEVICE, BlockKind.EMAIL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """An entry of the block list.

    value       the number of a key, a range of addresses, or a digest
    actor       who has added it, as `str(principal)`
    expires_at  None for a block without end
    """

    jurisdiction_id: str
    id: int
    kind: BlockKind
    value: str
    reason: str
    actor: str
    created_at: datetime
    expires_at: datetime | None = None

    def is_valid(self, jurisdiction_id: str, now: datetime) -> bool:
        """Whether the block is for this city and has not expired."""
        is_here = self.jurisdiction_id in (jurisdiction_id, ALL_JURISDICTIONS)
        return is_here and (self.expires_at is None or now < self.expires_at)


def digest_of(secret: str, kind: BlockKind, value: str) -> str:
    """The digest of a device or an e-mail address. Case and surrounding blanks make no difference."""
    plain = f"{kind} {value.strip().casefold()}"
    return hmac.new(secret.encode(), plain.encode(), "sha256").hexdigest()


def read_address(text: str) -> IPv4Address | IPv6Address | None:
    """A network address; None for any other text. An IPv4 address that is written as IPv6 becomes IPv4 again."""
    try:
        found = ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


class HostBits(ValueError):
    """A range is written with another address than its first. `whole`: the range with its first address."""

    def __init__(self, whole: str) -> None:
        self.whole = whole
        super().__init__(whole)


class TooWide(ValueError):
    """A range with more addresses than one block may have."""


def read_range(text: str) -> str:
    """A range of addresses in its usual form: `203.0.113.7` becomes `203.0.113.7/32`.

    Raises HostBits if the range is written with another address than its first, TooWide if it has too many
    addresses, and ValueError for other faults.
    """
    if "%" in text:
        raise ValueError(text)  # read_address leaves out the zone, so a range with a zone would never fit a caller
    found = ip_network(text.strip(), strict=False)
    address = ip_address(text.strip().partition("/")[0])
    if isinstance(found, IPv6Network) and found.network_address.ipv4_mapped and found.prefixlen >= 96:
        found = ip_network((found.network_address.ipv4_mapped, found.prefixlen - 96))
        address = getattr(address, "ipv4_mapped", None) or address
    if found.prefixlen < LEAST_BITS[found.version]:
        raise TooWide(text)
    if address != found.network_address:
        raise HostBits(str(found))
    return str(found)


def network_of(address: str) -> str:
    """The name under which reports are counted: the IPv4 address, or the network of the customer's IPv6 address."""
    found = read_address(address)
    if isinstance(found, IPv6Address):
        return str(ip_network((found, OWN_NETWORK_BITS), strict=False))
    return str(found) if found else address


@dataclass(frozen=True)
class BlockList:
    """All blocks at one version of the list.

    secret  the key of the digests
    """

    version: int = 0
    secret: str = ""
    blocks: tuple[Block, ...] = field(default=(), repr=False)

    def find(
        self, jurisdiction_id: str, now: datetime, *, key: int, address: str, device: str, email: str
    ) -> Block | None:
        """The oldest valid block of a sender; None if there is none."""
        found = [
            *self._named.get((BlockKind.KEY, str(key)), ()),
            *self._hashed(BlockKind.DEVICE, device),
            *self._hashed(BlockKind.EMAIL, email),
            *self._around(address),
        ]
        valid = [block for block in found if block.is_valid(jurisdiction_id, now)]
        return min(valid, key=lambda block: block.id, default=None)

    def _hashed(self, kind: BlockKind, value: str) -> Iterable[Block]:
        if not value.strip() or kind not in self._kinds:
            return ()
        return self._named.get((kind, digest_of(self.secret, kind, value)), ())

    def _around(self, text: str) -> Iterator[Block]:
        """The blocks whose ranges contain an address, by one look-up for each length of a prefix."""
        address = read_address(text) if BlockKind.ADDRESS in self._kinds else None
        if address is None:
            return
        for bits in self._prefixes[address.version]:
            network = ip_network((address, bits), strict=False)
            yield from self._named.get((BlockKind.ADDRESS, str(network)), ())

    @cached_property
    def _named(self) -> Mapping[tuple[BlockKind, str], list[Block]]:
        found: dict[tuple[BlockKind, str], list[Block]] = {}
        for block in self.blocks:
            found.setdefault((block.kind, block.value), []).append(block)
        return found

    @cached_property
    def _kinds(self) -> frozenset[BlockKind]:
        return frozenset(block.kind for block in self.blocks)

    @cached_property
    def _prefixes(self) -> Mapping[int, frozenset[int]]:
        """The lengths of the prefixes of all blocked ranges, by the version of IP."""
        ranges = [ip_network(block.value) for block in self.blocks if block.kind is BlockKind.ADDRESS]
        return {version: frozenset(one.prefixlen for one in ranges if one.version == version) for version in (4, 6)}
