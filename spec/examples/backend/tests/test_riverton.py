"""The city has no faults, and its back end copes with each fault of the works department's program."""

import pytest
from riverton import jurisdiction
from riverton.works import WorksBackend

from open311.plugins import Accepted
from open311.plugins.testing import Exchange, check_backend, check_jurisdiction

NEWS = [
    {"update_id": 7, "job": 17, "status": "SEEN", "updated_datetime": "2026-03-01T12:00:00Z"},
    {"update_id": 8, "job": 17, "status": "DONE", "description": "Filled."},
]
EXCHANGES = [
    Exchange(call="POST /api/jobs", body={"job": 17}),
    Exchange(call="GET /api/jobs", body=[{"job": 17}]),
    Exchange(call="POST /api/jobs/17/diary", status=204),
    Exchange(call="GET /api/news", body=NEWS),
]


def test_the_city_is_sound() -> None:
    check_jurisdiction(jurisdiction)
    assert jurisdiction.backends_for("pothole", "works") == ("works",)


def test_the_back_end_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVERTON_WORKS_KEY", "the-key-of-riverton")
    config = {"url": "{url}/api", "api_key": {"env": "RIVERTON_WORKS_KEY"}, "job_types": {"pothole": "P1"}}
    trial = check_backend(WorksBackend, config, EXCHANGES)
    assert trial.results["send"] == trial.results["look_up"] == Accepted("17")
    assert trial.received[0].json()["type"] == "P1"
