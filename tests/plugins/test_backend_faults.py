"""Faults of back ends that show only together with the city's catalogue, and back ends from a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from open311.errors import Misconfigured
from open311.federation.backends.email import EmailConfig
from open311.federation.backends.open311 import Open311Config
from open311.plugins import BackendConfig, Destination, Secret
from open311.plugins.backend_faults import find_backend_remarks
from open311.plugins.context import OAuthClient
from open311.plugins.registry import load_registry
from open311.plugins.testing import find_faults
from tests import build

CITY = """
id = "my.example"
name = "My City"
time_zone = "UTC"
triage = "streets"
departments = [{ code = "streets", name = "Streets" }]
services = [{ code = "potholes", name = "Pothole" }]
"""
OWN = """
[[backends]]
name = "own"
kind = "open311"
url = "https://own.example/v2"
[[destinations]]
backends = ["own"]
"""


def config(name: str = "works", **more: Any) -> BackendConfig:
    return Open311Config(name=name, kind="open311", url="https://works.example/v2", **more)


@pytest.mark.parametrize(
    ("destinations", "more", "fault"),
    [
        ([Destination(backends=("work",))], {}, "'work', which is not declared; did you mean works?"),
        ([Destination(backends=("works",), department="street")], {}, "department 'street', which is not"),
        ([Destination(backends=("works",), service="pothole")], {}, "did you mean potholes?"),
        ([Destination(backends=("works",), area="North")], {}, "names area 'North', which is not declared"),
        ([Destination(backends=("works", "works"))], {}, "names back end works twice"),
        (
            [Destination(backends=("works",), service="trees"), Destination(backends=(), service="trees")],
            {},
            "destination 2 (service trees): is never used, because destination 1 is for the same requests",
        ),
        ([Destination(backends=("works",))], {"service_codes": {"001": "potholes"}}, "write the city's code on"),
    ],
)
def test_a_fault_of_destinations_or_codes_is_named_once(
    destinations: list[Destination], more: dict[str, Any], fault: str
) -> None:
    city = build.city(backends=(config(**more),), destinations=tuple(destinations))
    [found] = find_faults(city)
    assert fault in found


def test_two_back_ends_need_two_names() -> None:
    city = build.city(backends=(config(), config()), destinations=(Destination(backends=("works",)),))
    [found] = find_faults(city)
    assert found == "backends: works is the name of 2 back ends; each needs a name of its own"


def test_specific_destinations_in_addition_to_a_general_one_are_no_fault() -> None:
    destinations = (
        Destination(backends=("works",)),
        Destination(backends=(), service="trees"),
        Destination(backends=("works",), department="parks"),
        Destination(backends=(), service="trees", department="parks"),
    )
    city = build.city(backends=(config(service_codes={"potholes": "001"}),), destinations=destinations)
    assert find_faults(city) == []
    assert list(find_backend_remarks(city)) == []


def test_unused_back_ends_and_missing_secrets_are_remarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKS_KEY", raising=False)
    city = build.city(backends=(config(api_key=Secret(env="WORKS_KEY")),))
    assert find_faults(city) == []
    assert list(find_backend_remarks(city)) == [
        "back end works: nothing goes to it, because no destination names it",
        "back end works: api_key: the environment variable WORKS_KEY is not set; the worker needs it",
    ]


def test_a_missing_secret_of_oauth_is_a_remark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKS_OAUTH", raising=False)
    oauth = OAuthClient(
        token_url="https://login.example", client_id="city", client_secret=Secret(env="WORKS_OAUTH")
    )
    city = build.city(backends=(config(oauth=oauth),), destinations=(Destination(backends=("works",)),))
    assert list(find_backend_remarks(city)) == [
        "back end works: oauth.client_secret: the environment variable WORKS_OAUTH is not set; the worker needs it"
    ]


def test_mail_without_a_mail_server_is_a_remark() -> None:
    mail = EmailConfig(name="mail", kind="email", to=("works@city.example",))
    city = build.city(backends=(mail,), destinations=(Destination(backends=("mail",)),))
    assert list(find_backend_remarks(city)) == []
    [remark] = find_backend_remarks(city, sends_mail=False)
    assert "OPEN311_SMTP_URL is not set" in remark


@pytest.fixture
def city(tmp_path: Path) -> Path:
    folder = tmp_path / "mycity"
    folder.mkdir()
    (folder / "jurisdiction.toml").write_text(CITY)
    (folder / "backends.toml").write_text(OWN)
    return folder


@pytest.fixture
def backends(tmp_path: Path) -> Path:
    folder = tmp_path / "backends"
    folder.mkdir()
    return folder


def test_a_file_of_the_operator_replaces_the_back_ends_of_a_city(city: Path, backends: Path) -> None:
    [found] = load_registry([str(city)])
    assert [one.name for one in found.backends] == ["own"]
    (backends / "my.example.toml").write_text(OWN.replace("own", "theirs"))
    [found] = load_registry([str(city)], backends=backends)
    assert [one.name for one in found.backends] == ["theirs"]
    assert found.backends_for("potholes", "streets") == ("theirs",)


def test_with_an_empty_file_of_the_operator_no_request_is_sent_to_a_back_office(city: Path, backends: Path) -> None:
    (backends / "my.example.toml").write_text("")
    [found] = load_registry([str(city)], backends=backends)
    assert (found.backends, found.destinations) == ((), ())


def test_faults_of_the_operators_file_keep_the_city_from_being_served(city: Path, backends: Path) -> None:
    (backends / "my.example.toml").write_text(OWN.replace('backends = ["own"]', 'backends = ["other"]'))
    assert "names back end 'other'" in load_registry([str(city)], backends=backends).reasons[0]
    (backends / "my.example.toml").write_text("[[backends]]\nname = 3")
    assert "my.example.toml" in load_registry([str(city)], backends=backends).reasons[0]


def test_files_that_fit_no_city_are_reported_and_a_missing_folder_is_an_error(city: Path, backends: Path) -> None:
    (backends / "my.exmaple.toml").write_text(OWN)
    (backends / "notes.txt").write_text("nothing")
    found = load_registry([str(city)], backends=backends)
    assert found.unused_backends == (str(backends / "my.exmaple.toml"),)
    with pytest.raises(Misconfigured, match="OPEN311_BACKENDS_DIR"):
        load_registry([str(city)], backends=backends / "gone")
