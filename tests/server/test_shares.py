"""How the web processes share the connections."""

from __future__ import annotations

import pytest

from open311.server.shares import Shares


@pytest.mark.parametrize(
    ("ours", "theirs", "is_ahead"),
    [(0, 0, False), (1, 0, True), (5, 4, True), (4, 5, False), (88, 80, False), (90, 80, False), (91, 80, True)],
)
def test_a_process_with_clearly_more_connections_than_the_others_is_ahead(
    ours: int, theirs: int, is_ahead: bool
) -> None:
    shares = Shares(2)
    shares.share(1).set(theirs)
    share = shares.share(0)
    share.set(ours)
    assert share.is_ahead() is is_ahead
