"""A request near a border: its receipt and its history name both cities."""

from __future__ import annotations

import pytest

from open311.operations.federation.borders import is_near
from tests import build
from tests.federated.towns import AREAS, HERE, NORTH, Open


def test_a_point_up_to_fifty_metres_from_a_border_is_near_on_both_sides() -> None:
    edge = 60.25
    for metres, expected in ((-40, True), (40, True), (-60, False), (60, False)):
        assert is_near(AREAS["North"], (24.95, edge + metres / 111_195)) is expected


@pytest.mark.parametrize("metres", [-30, 30])
def test_the_receipt_and_the_history_name_both_candidates(
    open_town: Open, monkeypatch: pytest.MonkeyPatch, metres: float
) -> None:
    a, b = open_town("a"), open_town("b")
    a.federate(b, monkeypatch, areas=("North",))
    answer = a.post((60.25 + metres / 111_195, 24.95))
    assert 'near a border; it may be the place of one of a, b"' in answer.headers["Warning"]
    record = build.load(a.platform, service_request_id=answer.json()[0]["service_request_id"])
    assert record.route_reason.endswith("; near the border of b")


def test_other_points_and_other_services_get_no_warning(open_town: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = open_town("a"), open_town("b")
    a.federate(b, monkeypatch, areas=("North",))
    assert "Warning" not in a.post(HERE).headers
    assert "Warning" not in a.post(NORTH).headers
    assert "Warning" not in open_town("c").post((60.25, 24.95)).headers
