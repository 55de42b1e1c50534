"""A neighbour in a process forgets nothing that it has answered, and its staff can act in it."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import requests

from tests import world
from tests.processes import is_listening
from tests.waiting import until
from tests.world.processes import REPOSITORY

FORM = {
    "jurisdiction_id": "neighbour.example",
    "service_code": "potholes",
    "lat": "60.17",
    "long": "24.94",
    "api_key": "neighbour-key",
}


def post(city: Any, description: str = "", **headers: str) -> str:
    """Send a request; returns its id."""
    form = FORM | {"description": description}
    answer = requests.post(f"{city.base_url}/requests.json", form, headers=headers, timeout=10)
    return str(answer.json()[0]["service_request_id"])


def test_a_killed_neighbour_knows_all_that_it_has_answered(tmp_path: Path) -> None:
    with world.process(tmp_path / "journal", dialect=world.LIKE_OURS) as city:
        answered: list[str] = []

        def send() -> None:
            for number in range(100_000):
                try:
                    answered.append(post(city, str(number)))
                except requests.RequestException:
                    return

        threads = [threading.Thread(target=send) for _ in range(4)]
        for each in threads:
            each.start()
        until(lambda: len(answered) > 40, "forty requests")
        city.kill()
        for each in threads:
            each.join()
        assert set(answered) <= {each.service_request_id for each in city.accepted}
        city.up()
        identity = post(city)
        assert identity not in answered
        assert city.accepted[-1].service_request_id == identity


def test_acts_of_staff_reach_a_neighbour_in_another_process(tmp_path: Path) -> None:
    with world.process(tmp_path / "journal", dialect=world.MYSOCIETY, ids="N") as city:
        assert post(city) == "N-1"
        city.change("N-1", status="planned", note="Soon.", at=world.START)
        city.close("N-1", note="Filled.", status="fixed")
        city.rename_service("potholes", "PH-1")
        city.file("PH-1", lat="60.17", long="24.94")
        assert [(each.status, each.description) for each in city.updates] == [
            ("planned", "Soon."),
            ("fixed", "Filled."),
        ]
        assert city.updates[0].at == world.START
        assert [each.service_code for each in city.requests] == ["PH-1", "PH-1"]
        assert len(city.accepted) == 1
        with pytest.raises(AssertionError, match="N-9 was not found"):
            city.close("N-9")
        with pytest.raises(AttributeError):
            city.explode()


def test_a_dialect_and_faults_reach_the_process(tmp_path: Path) -> None:
    faults = [world.fault("lose_answer", on="POST requests")]
    with world.process(tmp_path / "journal", dialect=world.TORONTO, ids="", faults=faults) as city:
        with pytest.raises(requests.ConnectionError):
            post(city)
        city.fault(world.fault("status", status=503))
        query = {"jurisdiction_id": city.city_id}
        url = f"{city.base_url}/requests.json"
        assert requests.get(url, query, timeout=10).status_code == 503
        city.kill()
        city.up()
        assert requests.get(url, query, timeout=10).json()["service_requests"][0]["service_request_id"] == 1
        assert [each["fault"] for each in city.calls] == ["lose_answer", "status", ""]


def test_a_frozen_process_is_silent_until_it_goes_on(tmp_path: Path) -> None:
    with world.process(tmp_path / "journal") as city:
        city.freeze()
        with pytest.raises(requests.Timeout):
            requests.get(f"{city.base_url}/services.json", timeout=0.2)
        city.thaw()
        assert post(city) == "C-1"


def test_a_neighbour_starts_from_the_command_line(tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-m", "tests.world", "--with-parent", "--dialect", "zurich", "--odd-services"),
        *("--switch", "page_size=2", "--fault", '{"kind": "drop", "on": "GET tokens"}'),
    ]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        origin = process.stdout.readline().strip()
        services = requests.get(f"{origin}/v2/services.json", timeout=10).json()["services"]
        assert services[0]["service_code"] == "PW:BSM:Damage Property"
        process.stdin.close()
        assert process.wait(30) == 0
        assert not is_listening(int(origin.rpartition(":")[2]))


def test_staff_of_a_neighbour_in_this_process_do_not_act_by_http() -> None:
    with world.neighbour() as city:
        assert requests.post(f"{city.origin}/_world/behave", json=[[], {}], timeout=10).status_code == 404
