"""The block list, and the values that it compares, without a database."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from open311.domain.abuse import Block, BlockKind, BlockList, digest_of, network_of, read_address, read_range
from tests.build import NOON


def block(kind: BlockKind, value: str, number: int = 1, **changes: object) -> Block:
    values = {"jurisdiction_id": "a.example", "id": number, "kind": kind, "value": value, "reason": "spam"}
    return Block(**values | {"actor": "shell", "created_at": NOON} | changes)  # type: ignore[arg-type]


def found(listed: BlockList, city: str = "a.example", **sender: str) -> Block | None:
    who = {"address": "", "device": "", "email": ""} | sender
    return listed.find(city, NOON, key=7, **who)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("203.0.113.7", "203.0.113.7/32"),
        (" 203.0.113.0/24 ", "203.0.113.0/24"),
        ("2001:DB8::1", "2001:db8::1/128"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
    ],
)
def test_a_range_of_addresses_is_brought_into_one_form(text: str, form: str) -> None:
    assert read_range(text) == form


@pytest.mark.parametrize(
    "text",
    ["x", "0.0.0.0/0", "::/0", "203.0.113.0/33", "203.0.113", "1.2.3.4/24/8", "7", "7.1.0.0/15", "fe80::1%eth0"],
)
def test_a_text_that_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text.partition("/")[0])):
        read_range(text)


@given(st.ip_addresses(v=4) | st.ip_addresses(network="2000::/3"), st.integers(0, 16))
def test_a_range_holds_exactly_its_addresses(address: object, more: int) -> None:
    bits = (32 if ":" in str(address) else 16) + more
    whole = str(ip_network(f"{address}/{bits}", strict=False))
    listed = BlockList(1, "s", (block(BlockKind.ADDRESS, read_range(whole)),))
    assert found(listed, address=str(address)) is not None
    other = read_address(str(address))
    assert other is not None
    flipped = type(other)(int(other) ^ (1 << (other.max_prefixlen - 1)))
    assert found(listed, address=str(flipped)) is None


def test_the_oldest_valid_block_of_the_city_counts() -> None:
    listed = BlockList(
        1,
        "s",
        (
            block(BlockKind.KEY, "7", 3),
            block(BlockKind.DEVICE, digest_of("s", BlockKind.DEVICE, "d"), 2, jurisdiction_id="*"),
            block(BlockKind.ADDRESS, "203.0.113.0/24", 1, expires_at=NOON),
            block(BlockKind.EMAIL, digest_of("s", BlockKind.EMAIL, "e@x"), 4, expires_at=NOON + timedelta(days=1)),
        ),
    )
    assert [one and one.id for one in (found(listed), found(listed, device=" D "), found(listed, "b.example"))] == [
        3,
        2,
        None,
    ]
    assert found(listed, "b.example", address="203.0.113.7") is None
    assert found(listed, "b.example", device="d") is not None


def test_an_ipv6_address_is_counted_by_its_network() -> None:
    assert network_of("2001:db8:1:2:3::4") == "2001:db8:1:2::/64"
    assert network_of("::ffff:203.0.113.7") == "203.0.113.7"
    assert network_of("fe80::1%eth0") == "fe80::/64"
    assert network_of("unix") == "unix"
