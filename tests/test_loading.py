"""`make load` loads only this machine, stops by itself, and says what it has seen."""

from __future__ import annotations

import shutil

import pytest

from open311.clock import utc_now
from open311.operations.access.api_keys import add_key
from open311.operations.platform import Platform
from open311.settings import Settings
from tests.benchmarks.load import Refused
from tests.benchmarks.loading import loopback, main
from tests.ports import free_port
from tests.test_readme import serving


@pytest.mark.parametrize(
    "url",
    [
        "http://311.city.example",
        "http://10.0.0.1:3111",
        "http://127.0.0.1.city.example:3111",
        "http://127.0.0.1@city.example",
        "https://127.0.0.1",
        "http://0.0.0.0:3111",
        "nonsense",
        "",
    ],
)
def test_other_machines_are_refused(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Refused, match="is not on this machine"):
        loopback(url)
    assert main(["--url", url]) == 2
    assert "is not on this machine" in capsys.readouterr().out


def test_the_load_is_bounded() -> None:
    for words in (["--seconds", "121"], ["--rate", "2001"], ["--senders", "65"], ["--writes", "101"]):
        with pytest.raises(SystemExit):
            main(words)


def test_the_load_is_refused_if_no_server_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--url", f"http://127.0.0.1:{free_port()}"]) == 2
    assert capsys.readouterr().out.startswith("load: ")


def test_a_server_that_wants_https_is_loaded_as_by_its_proxy(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl on this machine")
    monkeypatch.setenv("OPEN311_PUBLIC_URL", "https://311.city.example")
    for proxies, expected in (("1", 0), ("0", 2)):
        monkeypatch.setenv("OPEN311_TRUSTED_PROXIES", proxies)
        port = free_port()
        with serving(Settings(database_url=settings.database_url, jurisdictions=("demo",), port=port)):
            assert main(["--url", f"http://127.0.0.1:{port}", "--seconds", "0.5", "--rate", "10"]) == expected
    assert "the server wants https; set OPEN311_TRUSTED_PROXIES=1" in capsys.readouterr().out


@pytest.mark.long
def test_reads_and_writes_are_sent_and_counted(
    settings: Settings, platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl on this machine")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    _, secret = add_key(platform, label="load", now=utc_now())
    mixed = ["--url", url, "--seconds", "2", "--rate", "20", "--writes", "25"]
    with serving(Settings(database_url=settings.database_url, jurisdictions=("demo",), port=port)):
        assert main(mixed) == 2, "reports need a key"
        assert "--writes needs --key" in capsys.readouterr().out
        assert main([*mixed, "--key", secret]) == 0
        shown = capsys.readouterr().out
        assert main([*mixed, "--key", "wrong"]) == 1
        assert "403 10 times" in capsys.readouterr().out
    assert "statuses: 200 40 times" in shown
    assert "ms per call" in shown
    with platform.database.reading() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM service_request").scalar_one()
    assert count == 10
