"""The MQTT bridge, against Mosquitto on loopback and our own server."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import orjson
import pytest
import trustme
from flask import Flask
from paho.mqtt import publish
from werkzeug.serving import make_server

from open311.clock import exact_now, utc_now
from open311.domain.sensors import MOST_AHEAD
from open311.errors import Misconfigured
from open311.federation.bridge import Topic, read_config
from open311.operations.access.api_keys import add_key
from open311.operations.platform import Platform
from open311.storage import sensors
from open311.storage.sensors import Reading
from tests import build
from tests.checked_client import platform_of
from tests.ports import free_port
from tests.processes import is_listening
from tests.waiting import until

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
needs_mosquitto = pytest.mark.skipif(
    MOSQUITTO is None, reason="Mosquitto is not installed; run `make test` as root"
)
WATER = "elm-underpass-water"
TOPIC = "city/elm/water"


class Broker:
    """A broker on loopback. `auth` and `tls` are the arguments of paho's `publish`."""

    def __init__(self, folder: Path, port: int, lines: list[str], **publishing: Any) -> None:
        self.port, self._publishing = port, publishing
        self._config = folder / "mosquitto.conf"
        user = ["user root"] if os.getuid() == 0 else []
        kept = ["persistence true", f"persistence_location {folder}/", "autosave_interval 1"]
        self._config.write_text("\n".join([*user, *kept, f"listener {port} 127.0.0.1", *lines, ""]))

    @contextmanager
    def running(self) -> Iterator[None]:
        """The broker, until the end of the block."""
        assert MOSQUITTO is not None
        with subprocess.Popen([MOSQUITTO, "-c", str(self._config)], stderr=subprocess.DEVNULL) as process:
            until(lambda: is_listening(self.port), "Mosquitto")
            try:
                yield
            finally:
                process.terminate()

    def publish(self, *payloads: Any, topic: str = TOPIC) -> None:
        """Publish messages with QoS 1."""
        messages: list[Any] = [
            {"topic": topic, "qos": 1, "payload": one if isinstance(one, bytes) else orjson.dumps(one)}
            for one in payloads
        ]
        publish.multiple(messages, "127.0.0.1", self.port, **self._publishing)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker that everybody may use."""
    found = Broker(tmp_path, free_port(), ["allow_anonymous true"])
    with found.running():
        yield found


class Site:
    """Our server, on a port of its own, which can be down."""

    def __init__(self, app: Flask) -> None:
        self.app, self.port = app, free_port()
        self.platform: Platform = platform_of(app)
        more: dict[str, Any] = {"jurisdiction_id": "city.example", "things": ["elm-underpass"]}
        self.key = add_key(self.platform, label="gauges", now=utc_now(), **more)[1]

    @contextmanager
    def serving(self) -> Iterator[None]:
        """The server, until the end of the block."""
        server = make_server("127.0.0.1", self.port, self.app, threaded=True)
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def reading(self) -> Reading | None:
        """The last observation of the gauge."""
        with self.platform.database.reading() as connection:
            return sensors.load_readings(connection, "city.example", [WATER]).get(WATER)

    def result(self) -> float | None:
        """The result of the last observation."""
        reading = self.reading()
        return reading.result if reading else None


@pytest.fixture
def site(make_app: Callable[..., Flask]) -> Site:
    """Our server, with a key for the gauge of the demo city."""
    return Site(make_app(sensor_rate=""))


def config_for(folder: Path, broker: Broker, site: Site, *, more: str = "", topics: str = "") -> Path:
    """The file of a bridge."""
    path = folder / "bridge.toml"
    usual = f'[[topics]]\ntopic = "{TOPIC}"\ndatastream = "{WATER}"\n'
    path.write_text(
        f'[server]\nurl = "http://127.0.0.1:{site.port}/sensors/v1"\n'
        f'[broker]\nhost = "localhost"\nport = {broker.port}\n{more}\n{topics or usual}'
    )
    return path


@contextmanager
def bridge(config: Path, site: Site, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A bridge as a process, which must stop by SIGTERM with status 0."""
    command = [sys.executable, "-m", "open311", "sensors", "bridge", str(config)]
    given = {**os.environ, "SENSOR_KEY": site.key, **environment}
    log = (config.parent / "bridge.log").open("ab")
    with log, subprocess.Popen(command, env=given, stdout=log, stderr=log) as process:
        try:
            said = config.parent / "bridge.log"
            until(lambda: b"connected to the" in said.read_bytes() or process.poll() is not None, "the bridge")
            assert process.poll() is None, said.read_text()
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    assert process.returncode in (0, -signal.SIGKILL), (config.parent / "bridge.log").read_text()


@needs_mosquitto
@pytest.mark.long
def test_messages_become_observations(tmp_path: Path, broker: Broker, site: Site) -> None:
    with site.serving(), bridge(config_for(tmp_path, broker, site), site):
        broker.publish(12.5)
        until(lambda: site.result() == 12.5, "a number")
        broker.publish({"result": 13, "phenomenonTime": exact_now().isoformat()})
        until(lambda: site.result() == 13, "an observation")
        broker.publish(b"nonsense", {"level": 1}, {"result": "x"}, 14)
        until(lambda: site.result() == 14, "a message after those that are dropped")
    log = (tmp_path / "bridge.log").read_text()
    assert log.count("is not understood and is dropped") == 2
    assert log.count("is refused and dropped") == 1
    assert site.key not in log


@needs_mosquitto
@pytest.mark.long
def test_nothing_is_lost_while_the_server_or_the_bridge_is_down(tmp_path: Path, broker: Broker, site: Site) -> None:
    config, begin = config_for(tmp_path, broker, site), exact_now()

    def sent(number: int) -> dict[str, Any]:
        return {"result": number, "phenomenonTime": (begin + number * MOST_AHEAD / 100).isoformat()}

    with bridge(config, site) as process:  # the server is down
        broker.publish(*map(sent, range(1, 31)))
        until(lambda: "is sent again" in (tmp_path / "bridge.log").read_text(), "a second try")
        process.kill()
        process.wait()
    (tmp_path / "bridge.log").unlink()
    broker.publish(*map(sent, range(31, 61)))  # the bridge is down
    with site.serving(), bridge(config, site):
        until(lambda: site.result() == 60, "the last observation")
        until(lambda: site.reading().taken == 60, "all observations")


@needs_mosquitto
@pytest.mark.long
def test_the_bridge_connects_with_tls_and_a_password(tmp_path: Path, site: Site) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    for number, part in enumerate(certificate.cert_chain_pems):
        part.write_to_path(tmp_path / "cert.pem", append=bool(number))
    passwords = tmp_path / "passwords"
    tool = shutil.which("mosquitto_passwd")
    if tool is None:
        pytest.skip("mosquitto_passwd is not installed")
    subprocess.run([tool, "-b", "-c", str(passwords), "gauge", "s3cret"], check=True)
    passwords.chmod(0o644)
    lines = [
        "allow_anonymous false",
        f"password_file {passwords}",
        *(f"{name} {tmp_path / file}" for name, file in (("certfile", "cert.pem"), ("keyfile", "key.pem"))),
    ]
    publishing = {
        "auth": {"username": "gauge", "password": "s3cret"},
        "tls": {"ca_certs": str(tmp_path / "ca.pem")},
    }
    broker = Broker(tmp_path, free_port(), lines, **publishing)
    more = f'tls = true\nca = "{tmp_path / "ca.pem"}"\nuser = "gauge"\npassword_env = "BROKER_PASSWORD"'
    config = config_for(tmp_path, broker, site, more=more)
    with ExitStack() as stack:
        stack.enter_context(broker.running())
        stack.enter_context(site.serving())
        stack.enter_context(bridge(config, site, BROKER_PASSWORD="s3cret"))
        broker.publish(21)
        until(lambda: site.result() == 21, "an observation")
    assert "s3cret" not in (tmp_path / "bridge.log").read_text()


@needs_mosquitto
def test_a_wrong_key_ends_the_bridge_at_once(tmp_path: Path, broker: Broker, site: Site) -> None:
    config = config_for(tmp_path, broker, site)
    command = [sys.executable, "-m", "open311", "sensors", "bridge", str(config)]
    with site.serving():
        ended = subprocess.run(
            command, env={**os.environ, "SENSOR_KEY": "wrong"}, capture_output=True, text=True, check=False
        )
    assert ended.returncode == 1
    assert "The API answers 403: api_key: is not valid" in ended.stderr


# --- Without a broker

NOW = build.NOON


@pytest.mark.parametrize(
    ("topic", "name", "parts"),
    [
        ("city/+/water", "city/elm/water", ("elm",)),
        ("city/+/water", "city/elm/oak/water", None),
        ("city/#", "city/elm/water", ()),
        ("city/#", "city", ()),
        ("city/elm", "city/elm/water", None),
        ("c.ty/+", "city/elm", None),
    ],
)
def test_a_topic_with_wildcards_gives_the_parts_of_a_name(
    topic: str, name: str, parts: tuple[str, ...] | None
) -> None:
    assert Topic(topic=topic, datastream="x").match(name) == parts


@pytest.mark.parametrize(
    ("payload", "result", "at"),
    [
        (b"12.5", 12.5, NOW.isoformat()),
        (b"true", True, NOW.isoformat()),
        (b'{"data": {"level": 3}, "ts": 1767225600}', 3, "2026-01-01T00:00:00+00:00"),
        (b'{"data": {"level": 3}, "ts": 1767225600250}', 3, "2026-01-01T00:00:00.250000+00:00"),
        (b'{"data": {"level": 3}, "ts": "2026-01-01T00:00:00Z"}', 3, "2026-01-01T00:00:00Z"),
        (b'{"data": {"level": 0}}', 0, NOW.isoformat()),
    ],
)
def test_a_payload_becomes_an_observation(payload: bytes, result: Any, at: str) -> None:
    topic = Topic(topic="city/+/water", datastream="{1}-water", result="data.level", time="ts")
    assert topic.observation("city/elm/water", payload, NOW) == {
        "Datastream": {"@iot.id": "elm-water"},
        "result": result,
        "phenomenonTime": at,
    }


FILE = '[server]\nurl = "https://x.example"\n[broker]\nhost = "b"\n[[topics]]\ntopic = "t"\ndatastream = "d"\n'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x", "bridge.toml: Expected '=' after a key"),
        ("", "bridge.toml: [server] is missing."),
        (FILE.replace("https:", "ftp:"), "bridge.toml: [server]: url must be an address such as https://"),
        (FILE.replace('"b"', "1"), "bridge.toml: [broker]: host must be a string."),
        (FILE.replace("topic =", "filter ="), "bridge.toml: topic no. 1: unknown key filter"),
        (FILE + "[more]\n", "bridge.toml: unknown table [more]"),
        (FILE.replace("[broker]", '[broker]\nca = "/none"'), "bridge.toml: /none: No such file"),
        (
            FILE.replace("[broker]", '[broker]\npassword_env = "NONE"'),
            "the environment variable NONE of password_env",
        ),
    ],
)
def test_faults_of_the_file_are_named(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "bridge.toml"
    path.write_text(text)
    with pytest.raises(Misconfigured) as caught:
        read_config(path, {"SENSOR_KEY": "k"})
    assert fault in str(caught.value)


def test_the_configuration_shows_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "bridge.toml"
    path.write_text(FILE.replace("[broker]", '[broker]\npassword_env = "P"'))
    assert "s3cret" not in repr(read_config(path, {"SENSOR_KEY": "s3cret", "P": "s3cret"}))
