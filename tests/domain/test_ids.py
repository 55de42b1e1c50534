from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from open311.domain.ids import check_pattern, format_id, new_api_key, new_token

AT = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pattern", "number", "expected"),
    [
        ("{number}", 8841, "8841"),
        ("SR{yy}-{number:08}", 42, "SR26-00000042"),
        ("{year}-{number:07}", 8841, "2026-0008841"),
        ("{number:02}", 12345, "12345"),
    ],
)
def test_an_id_is_made_from_the_pattern(pattern: str, number: int, expected: str) -> None:
    assert check_pattern(pattern) == ""
    assert format_id(pattern, number, AT) == expected


@pytest.mark.parametrize(
    ("pattern", "word"),
    [
        ("SR{yy}", "must contain {number}"),
        ("{number}{month}", "not {month}"),
        ("{number} a", "letters, digits"),
        ("{number}/{year}", "letters, digits"),
        ("{number!r}", "letters, digits"),
        ("{number:>8}", "letters, digits"),
    ],
)
def test_a_bad_pattern_is_refused_with_the_reason(pattern: str, word: str) -> None:
    assert word in check_pattern(pattern)


@given(st.integers(1, 10**12), st.integers(1, 10**12))
def test_different_numbers_get_different_ids(one: int, other: int) -> None:
    ids = {format_id("SR{yy}-{number:08}", number, AT) for number in (one, other)}
    assert len(ids) == len({one, other})


@pytest.mark.parametrize("make", [new_token, new_api_key])
def test_secrets_are_long_unique_and_url_safe(make: object) -> None:
    secrets = {make() for _ in range(100)}  # type: ignore[operator]
    assert len(secrets) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{32,}", secret) for secret in secrets)
