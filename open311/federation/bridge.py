"""The MQTT bridge: takes messages of things from a broker, and sends them to our HTTP API as observations.

It is a process of its own and knows only the API. A message with an observation is acknowledged to the broker only
after the API has taken or refused it. So the broker keeps what comes while the API is down, and nothing is lost if
the bridge is killed.
"""

from __future__ import annotations

import os
import queue
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import tomli

from open311.clock import exact_now
from open311.errors import Misconfigured
from open311.federation.addresses import Guard, host_of
from open311.federation.calls import Answer, Call, Limits, open_transport, retry_after_s
from open311.federation.failures import GeoReportError
from open311.federation.tls import Tls, UnusableTls
from open311.observe import logger

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage

    from open311.federation.transport import Transport

log = logger(__name__)

NOT_INSTALLED = "The bridge needs paho-mqtt: install open311-server[mqtt]."
LONGEST_WAIT_S = 60.0
MOST_WAITING = 1_000
"""How many messages wait in memory. The broker keeps those that follow."""
KEEPALIVE_S = 30
_PASSING = frozenset({408, 425, 429})
"""Statuses below 500 after which the same observation may be taken later."""
_LIMITS = Limits(timeout_s=15, deadline_s=30, retries=0, rate_per_s=0, max_body_bytes=1_000_000)
_KEYS: Mapping[str, Mapping[str, type]] = {
    "server": {"url": str, "key_env": str, "ca": str},
    "broker": {
        "host": str,
        "port": int,
        "client_id": str,
        "user": str,
        "password_env": str,
        "tls": bool,
        "ca": str,
        "cert": str,
        "key": str,
    },
    "topics": {"topic": str, "datastream": str, "result": str, "time": str},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """How the messages of a topic become observations.

    topic       a topic, or a filter with + and #
    datastream  the id of the datastream; {1}, {2} … are what + stands for in the topic
    result      the name of the result in a message that is an object; with dots for objects inside
    time        the name of the time in such a message; "" if the messages have no time
    """

    topic: str
    datastream: str
    result: str = "result"
    time: str = "phenomenonTime"

    def match(self, name: str) -> tuple[str, ...] | None:
        """What each + stands for in the name of a message's topic; None if the name does not fit."""
        levels = [{"+": "([^/]*)", "#": ".*"}.get(level, re.escape(level)) for level in self.topic.split("/")]
        pattern = "/".join(levels).removesuffix("/.*") + ("(?:/.*)?" if levels[-1] == ".*" else "")
        found = re.fullmatch(pattern, name)
        return None if found is None else found.groups()

    def observation(self, name: str, payload: bytes, now: datetime) -> dict[str, Any] | None:
        """The observation in a message; None if the message is for another topic.

        Raises ValueError with a sentence for a message without an observation.
        """
        parts = self.match(name)
        if parts is None:
            return None
        try:
            sent = orjson.loads(payload)
        except ValueError:
            raise ValueError("the message is neither a number nor JSON") from None
        datastream = re.sub(r"\{(\d)\}", lambda match: (*("",), *parts)[int(match[1])], self.datastream)
        seen: dict[str, Any] = {"Datastream": {"@iot.id": datastream}, "phenomenonTime": now.isoformat()}
        if not isinstance(sent, dict):
            return seen | {"result": sent}
        result, at = _inside(sent, self.result), _inside(sent, self.time) if self.time else None
        if result is None:
            raise ValueError(f"the message has no {self.result}")
        return seen | {"result": result} | ({"phenomenonTime": _instant(at)} if at is not None else {})


def _inside(sent: Any, name: str) -> Any:
    for part in name.split("."):
        sent = sent.get(part) if isinstance(sent, dict) else None
    return sent


def _instant(at: Any) -> Any:
    """A time for the API. A number is seconds since 1970, or milliseconds if it is too large for seconds.

    Any other value stays as it is; the API checks it.
    """
    if isinstance(at, bool) or not isinstance(at, int | float):
        return at
    try:
        seconds = at / 1_000 if at > 1e11 else at
        return datetime.fromtimestamp(seconds, exact_now().tzinfo).isoformat()
    except (OverflowError, ValueError, OSError):
        return str(at)


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeConfig:
    """What a bridge connects: a broker, and our HTTP API. `repr` shows no secret."""

    url: str
    key: str = field(repr=False)
    topics: tuple[Topic, ...]
    server_tls: Tls = Tls()
    host: str
    port: int
    client_id: str
    user: str = ""
    password: str = field(default="", repr=False)
    broker_tls: Tls | None = None


def read_config(path: Path, environment: Mapping[str, str] = os.environ) -> BridgeConfig:
    """The configuration in a TOML file. Raises Misconfigured.

    The error has all faults of the tables, or else the first fault of the files of TLS.
    """
    try:
        found = tomli.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Misconfigured(f"{path}: {error.strerror}.") from None
    except ValueError as error:
        raise Misconfigured(f"{path.name}: {error}.") from None
    faults = list(_faults(found, environment))
    if faults:
        raise Misconfigured("\n".join(f"{path.name}: {fault}" for fault in faults))
    server, broker = found["server"], found["broker"]
    is_tls = broker.get("tls", False)
    tls = Tls(broker.get("ca", ""), broker.get("cert", ""), broker.get("key", ""))
    config = BridgeConfig(
        url=server["url"].rstrip("/"),
        key=environment[server.get("key_env", "SENSOR_KEY")].strip(),
        server_tls=Tls(server.get("ca", "")),
        topics=tuple(Topic(**topic) for topic in found["topics"]),
        host=broker["host"],
        port=broker.get("port", 8883 if is_tls else 1883),
        client_id=broker.get("client_id", "open311-bridge"),
        user=broker.get("user", ""),
        password=environment.get(broker.get("password_env", ""), ""),
        broker_tls=tls if is_tls else None,
    )
    try:
        config.server_tls.check()
        tls.check()
    except UnusableTls as error:
        raise Misconfigured(f"{path.name}: {error}.") from None
    return config


def _faults(found: Mapping[str, Any], environment: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(found.keys() - _KEYS.keys()):
        yield f"unknown table [{name}]; it has [server], [broker] and [[topics]]."
    for name in ("server", "broker"):
        yield from _table_faults(f"[{name}]", found.get(name), _KEYS[name])
    topics = found.get("topics")
    if not isinstance(topics, list) or not topics:
        yield "[[topics]] is missing; name a topic and its datastream."
    for number, topic in enumerate(topics if isinstance(topics, list) else (), 1):
        yield from _table_faults(f"topic no. {number}", topic, _KEYS["topics"])
    server, broker = (_table(found, name) for name in ("server", "broker"))
    if not re.match(r"https?://[^/]", str(server.get("url", "http://x"))):
        yield "[server]: url must be an address such as https://311.city.example/sensors/v1."
    for table, key in ((server, "key_env"), (broker, "password_env")):
        variable = table.get(key, "SENSOR_KEY" if table is server else "")
        if isinstance(variable, str) and variable and not environment.get(variable, "").strip():
            yield f"the environment variable {variable} of {key} is not set."


def _table(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = found.get(name)
    return table if isinstance(table, dict) else {}


_NEEDED = {"url", "host", "topic", "datastream"}


def _table_faults(where: str, table: Any, keys: Mapping[str, type]) -> Iterator[str]:
    if not isinstance(table, dict):
        yield f"{where} is missing."
        return
    for key, value in table.items():
        if key not in keys:
            yield f"{where}: unknown key {key}; it has {', '.join(keys)}."
        elif not isinstance(value, keys[key]) or (keys[key] is int and isinstance(value, bool)):
            kind = {str: "a string", int: "a whole number", bool: "true or false"}[keys[key]]
            yield f"{where}: {key} must be {kind}."
    for key in keys:
        if key in _NEEDED and not table.get(key):
            yield f"{where}: {key} is missing."


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A message that is not acknowledged yet. `connection` counts the connections to the broker."""

    message: MQTTMessage
    at: datetime
    connection: int


class Bridge:
    """Takes messages in paho's thread, and sends them one after the other in the caller's thread."""

    def __init__(self, config: BridgeConfig) -> None:
        """Prepare a bridge without a connection. Raises Misconfigured if paho-mqtt is not installed."""
        try:
            from paho.mqtt import client, enums
        except ImportError:
            raise Misconfigured(NOT_INSTALLED) from None
        self._config = config
        self._stopping = threading.Event()
        self._waiting: queue.Queue[_Waiting | None] = queue.Queue(MOST_WAITING)
        self._connection = 0
        self._client = client.Client(
            enums.CallbackAPIVersion.VERSION2,
            client_id=config.client_id,
            clean_session=False,  # the broker keeps what comes while the bridge is down
            manual_ack=True,
            reconnect_on_failure=True,
        )
        if config.user:
            self._client.username_pw_set(config.user, config.password)
        if config.broker_tls is not None:
            tls = config.broker_tls
            self._client.tls_set(tls.ca or None, tls.cert or None, tls.key or None)
        self._client.reconnect_delay_set(1, int(LONGEST_WAIT_S))
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._subscribed
        self._client.on_disconnect = self._disconnected
        self._client.on_connect_fail = self._failed
        self._client.on_message = self._arrived

    def stop(self) -> None:
        """End `run` after the call that it waits for. Can be called in any thread, and in a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Bridge until `stop`. Raises Misconfigured if the API refuses the key at the start."""
        host = host_of(self._config.url)
        tls = {host: self._config.server_tls}
        with closing(open_transport(_LIMITS, Guard(frozenset({host})), tls=tls, pause=self._pause)) as transport:
            self._check_key(transport)
            with self._connecting():
                while not self._stopping.is_set():
                    try:
                        waiting = self._waiting.get(timeout=0.2)
                    except queue.Empty:
                        continue
                    if waiting is not None and waiting.connection == self._connection:
                        self._handle(waiting, transport)

    @contextmanager
    def _connecting(self) -> Iterator[None]:
        """The connection to the broker, which is opened again whenever it is lost."""
        self._client.connect_async(self._config.host, self._config.port, KEEPALIVE_S)
        self._client.loop_start()
        try:
            yield
        finally:
            self._stopping.set()
            self._client.disconnect()
            self._client.loop_stop()
            log.info("the bridge has stopped")

    def _pause(self, seconds: float) -> None:
        self._stopping.wait(seconds)

    def _check_key(self, transport: Transport) -> None:
        """Raise Misconfigured if the API refuses the key. If it cannot be reached, messages will wait for it."""
        try:
            answer = transport.send(Call("GET", f"{self._config.url}/observations", headers=self._headers()))
        except GeoReportError as error:
            log.warning("the API cannot be reached; messages wait for it", cause=str(error))
            return
        if 400 <= answer.status < 500 and answer.status not in _PASSING:
            raise Misconfigured(f"The API answers {answer.status}: {_detail(answer)}")

    def _headers(self) -> dict[str, str]:
        return {"X-Api-Key": self._config.key, "Accept": "application/json"}

    # paho's thread

    def _connected(self, client: Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:  # noqa: ARG002
        if reason.is_failure:
            log.error("the broker refuses the connection", cause=str(reason))
            return
        log.info("connected to the broker", host=self._config.host, port=self._config.port)
        client.subscribe([(topic.topic, 1) for topic in self._config.topics])

    def _subscribed(self, client: Client, data: Any, mid: int, reasons: Any, properties: Any) -> None:  # noqa: ARG002
        for topic, reason in zip(self._config.topics, reasons, strict=False):
            if reason.is_failure:
                log.error("the broker refuses a topic", topic=topic.topic, cause=str(reason))

    def _disconnected(self, client: Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:  # noqa: ARG002
        """Forget what waits: the broker sends it again on the next connection."""
        self._connection += 1
        if not self._stopping.is_set():
            log.warning("the broker is gone; the bridge connects again", cause=str(reason))

    def _failed(self, client: Client, data: Any) -> None:  # noqa: ARG002
        log.warning("the broker cannot be reached", host=self._config.host, port=self._config.port)

    def _arrived(self, client: Client, data: Any, message: MQTTMessage) -> None:  # noqa: ARG002
        waiting = _Waiting(message, exact_now(), self._connection)
        while not self._stopping.is_set():
            try:
                self._waiting.put(waiting, timeout=0.5)
                return
            except queue.Full:
                continue

    # the caller's thread

    def _handle(self, waiting: _Waiting, transport: Transport) -> None:
        """Send a message as an observation, and acknowledge it once the API has answered."""
        message = waiting.message
        try:
            found = (
                one.observation(message.topic, bytes(message.payload), waiting.at) for one in self._config.topics
            )
            seen = next((one for one in found if one is not None), None)
        except ValueError as error:
            log.error("a message is not understood and is dropped", topic=message.topic, cause=str(error))
        else:
            if seen is not None and not self._is_answered(seen, message.topic, transport):
                return
        if waiting.connection == self._connection:
            self._client.ack(message.mid, message.qos)

    def _is_answered(self, seen: Mapping[str, Any], topic: str, transport: Transport) -> bool:
        """Send an observation until the API takes or refuses it. Returns False if the bridge is to stop before."""
        wait_s = 1.0
        headers = self._headers() | {"Content-Type": "application/json"}
        call = Call("POST", f"{self._config.url}/observations", body=orjson.dumps(seen), headers=headers)
        while not self._stopping.is_set():
            asked_s = 0.0
            try:
                answer = transport.send(call)
            except GeoReportError as error:
                cause = str(error)
            else:
                if answer.status == 201:
                    return True
                cause = f"{answer.status} {_detail(answer)}"
                if 400 <= answer.status < 500 and answer.status not in _PASSING:
                    log.error("an observation is refused and dropped", topic=topic, cause=cause)
                    return True
                asked_s = retry_after_s(answer.headers) or 0.0
            pause_s = min(max(wait_s, asked_s), LONGEST_WAIT_S)
            log.warning("an observation is sent again", topic=topic, cause=cause, retry_in_s=pause_s)
            self._stopping.wait(pause_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        return False


def _detail(answer: Answer) -> str:
    """The sentence of the API that says what is wrong; "" if there is none."""
    try:
        return str(orjson.loads(answer.content)["detail"])[:300]
    except (ValueError, KeyError, TypeError):
        return ""
