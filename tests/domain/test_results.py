"""The server checks the results that the code of a back end returns, before it uses them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from open311.domain.results import (
    LONGEST_PAUSE_S,
    MOST_CAUSE,
    Accepted,
    Defer,
    Failed,
    Partial,
    Pending,
    Rejected,
    Result,
    Retry,
    Skip,
    sound,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANY: Any = None


@pytest.mark.parametrize(
    "result",
    [
        Accepted(),
        Accepted("W-1"),
        Pending(60, "token"),
        Partial("W-1", ("photo",)),
        Rejected("No."),
        Skip("No."),
        Defer(NOON, "Monday."),
        Failed("Gone."),
        Retry(cause="Down.", after_s=5.0, is_uncertain=True),
    ],
)
def test_a_valid_result_is_not_changed(result: Result) -> None:
    assert sound(result) == result


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        True,
        "W-1",
        Accepted,
        Accepted(ANY),
        Accepted("W-1\n"),
        Accepted("W" * 301),
        Pending("soon", "token"),  # type: ignore[arg-type]
        Pending(float("nan")),  # type: ignore[arg-type]
        Partial("W-1", ()),
        Partial("W-1", [1]),  # type: ignore[arg-type]
        Defer(NOON.replace(tzinfo=None)),
        Rejected(ANY),
        Failed(b"Gone."),  # type: ignore[arg-type]
        Retry(cause="Down.", after_s="9"),  # type: ignore[arg-type]
        Retry(cause="Down.", is_uncertain="yes"),  # type: ignore[arg-type]
    ],
)
def test_a_value_of_a_wrong_type_is_refused(wrong: object) -> None:
    with pytest.raises(TypeError):
        sound(wrong)


def test_a_pause_has_a_limit_and_a_cause_is_one_short_line() -> None:
    found = sound(Retry(cause="one\ntwo\0" + "x" * 1000, after_s=1e300))
    assert isinstance(found, Retry)
    assert (found.after_s, len(found.cause)) == (LONGEST_PAUSE_S, MOST_CAUSE)
    assert found.cause.startswith("one two x")
    assert sound(Pending(-5)) == Pending(0)
