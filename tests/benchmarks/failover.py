"""Kills the primary under full load, promotes the replica by hand, and counts the confirmed requests that are lost.

`python -m tests.benchmarks.failover` uses two PostgreSQL servers and a web server of its own. Clients send
requests as fast as they can, and repeat each until it is confirmed; others read lists. The primary is ended by
kill -9. After some seconds, as long as a person may take, the replica is promoted. This is done twice:

    synchronous   each confirmed request must be stored, and only once
    asynchronous  the replica is cut off some tenths of a second before the kill. Each confirmed request that is
                  missing on the new primary must be on the old one
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg2
import requests

from open311.clock import utc_now
from open311.embedded import databases
from open311.operations.access.api_keys import add_key
from open311.operations.platform import open_platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.settings import Settings
from tests.benchmarks.contestants import ROOT
from tests.ports import free_port
from tests.replicated import DATABASE, SETTINGS, Pair, Server, replicated
from tests.waiting import until

PAUSE_S = 0.05
TIMEOUT_S = 30
FILLING = {"service_code": "potholes", "lat": "60.17", "long": "24.94"}


@dataclass
class Load:
    """What the clients have seen.

    confirmed  the id of each confirmed request, by its text; with the time of the answer
    refused    answers to POSTs that were repeated, by status; 0 for a lost connection
    reads      the time and the status of each read
    """

    confirmed: dict[str, tuple[str, float]] = field(default_factory=dict)
    refused: Counter[int] = field(default_factory=Counter)
    reads: list[tuple[float, int]] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)


def main() -> int:
    """Run both ways. Returns 1 if a request is stored twice, or is missing where it must not be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--senders", type=int, default=4, help="clients that send requests")
    parser.add_argument("--readers", type=int, default=2, help="clients that read lists")
    parser.add_argument("--before", type=float, default=5.0, help="seconds of load before the kill")
    parser.add_argument("--hand", type=float, default=2.0, help="seconds until somebody promotes the replica")
    parser.add_argument("--after", type=float, default=5.0, help="seconds of load after the promotion")
    parser.add_argument(
        "--cut", type=float, default=0.5, help="seconds for which the asynchronous replica is cut off"
    )
    words = parser.parse_args()
    return max(_run(words, is_synchronous=True), _run(words, is_synchronous=False))


def _run(words: argparse.Namespace, *, is_synchronous: bool) -> int:
    _say("synchronous" if is_synchronous else "asynchronous")
    settings = SETTINGS | {"shared_buffers": "128MB", "autovacuum": "on"}
    with replicated(durable=True, is_synchronous=is_synchronous, settings=settings) as pair:
        key = _prepared(pair)
        with _serving(pair) as address:
            load = Load()
            clients = _clients(load, address, key, words)
            time.sleep(words.before)
            if not is_synchronous:
                pair.replica.run("ALTER SYSTEM SET primary_conninfo = ''")
                pair.replica.run("SELECT pg_reload_conf()")
                time.sleep(words.cut)
            killed_at = time.monotonic()
            pair.primary.kill()
            time.sleep(words.hand)
            promoted_at = time.monotonic()
            pair.replica.promote()
            writable_at = time.monotonic()
            time.sleep(words.after)
            load.is_over.set()
            for client in clients:
                client.join()
        _tell_times(load, killed_at, promoted_at, writable_at)
        return _judge(pair, load, is_synchronous=is_synchronous)


def _prepared(pair: Pair) -> str:
    """Store the catalogue and a key. Returns the key."""
    platform = open_platform(Settings(database_url=pair.url, jurisdictions=("demo",)))
    ensure_synced(platform)
    key = add_key(platform, label="load", now=utc_now())[1]
    platform.close()
    pair.catch_up()
    return key


@contextmanager
def _serving(pair: Pair) -> Iterator[str]:
    """A web server on both databases. Yields its address."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "DATABASE_URL": pair.url,
            "OPEN311_REPLICA_URL": pair.replica.url,
            "OPEN311_JURISDICTIONS": "demo",
            "OPEN311_PORT": str(port),
            "OPEN311_DATA_DIR": folder,
            "OPEN311_POST_RATE": " ",
            "OPEN311_LOG_LEVEL": "error",
        }
        command = [sys.executable, "-m", "open311", "serve"]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
        address = f"http://127.0.0.1:{port}"
        try:
            until(lambda: _status(f"{address}/readyz") == 200, "the web server")
            yield address
        finally:
            process.terminate()
            process.wait()


def _status(address: str) -> int:
    try:
        return requests.get(address, timeout=TIMEOUT_S).status_code
    except requests.RequestException:
        return 0


def _clients(load: Load, address: str, key: str, words: argparse.Namespace) -> list[threading.Thread]:
    path = f"{address}/open311/v2/requests.json"
    calls = [partial(_send, load, path, key, number) for number in range(words.senders)]
    calls += [partial(_read, load, path)] * words.readers
    threads = [threading.Thread(target=call, daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    return threads


def _send(load: Load, address: str, key: str, sender: int) -> None:
    """Send requests. Each is repeated with the same `client_request_id` until it is confirmed or the load ends."""
    session = requests.Session()
    number = 0
    while not load.is_over.is_set():
        number += 1
        text = f"request {number} of client {sender}"
        data = FILLING | {"api_key": key, "description": text, "client_request_id": f"{sender}-{number}"}
        while not load.is_over.is_set():
            try:
                answer = session.post(address, data=data, timeout=TIMEOUT_S)
            except requests.RequestException:
                load.refused[0] += 1
            else:
                if answer.ok:
                    load.confirmed[text] = (answer.json()[0]["service_request_id"], time.monotonic())
                    break
                load.refused[answer.status_code] += 1
            time.sleep(PAUSE_S)


def _read(load: Load, address: str) -> None:
    session = requests.Session()
    while not load.is_over.is_set():
        began = time.monotonic()
        try:
            status = session.get(f"{address}?page_size=10", timeout=TIMEOUT_S).status_code
        except requests.RequestException:
            status = 0
        load.reads.append((began, status))
        time.sleep(PAUSE_S)


def _tell_times(load: Load, killed_at: float, promoted_at: float, writable_at: float) -> None:
    before = [at for _, at in load.confirmed.values() if at < killed_at]
    after = sorted(at for _, at in load.confirmed.values() if at > promoted_at)
    meanwhile = [status for at, status in load.reads if killed_at <= at < promoted_at]
    _say(f"  confirmed before the kill        {len(before)}")
    _say(f"  promoted after                   {promoted_at - killed_at:.2f} s (the time of the person)")
    _say(f"  the promotion took               {writable_at - promoted_at:.2f} s")
    if after:
        _say(f"  first request confirmed          {after[0] - promoted_at:.2f} s after the promotion began")
    _say(f"  confirmed after it began         {len(after)}")
    _say(f"  POSTs repeated, by status        {dict(load.refused)}")
    _say(f"  reads without a primary          {dict(Counter(meanwhile))}")
    _say(f"  all reads                        {dict(Counter(status for _, status in load.reads))}")


def _judge(pair: Pair, load: Load, *, is_synchronous: bool) -> int:
    """Compare what was confirmed with what is stored. Returns 1 for a fault."""
    stored = _stored(pair.replica)
    numbers = Counter(text for text, _ in stored)
    twice = [text for text, count in numbers.items() if count > 1]
    confirmed = {(text, id) for text, (id, _) in load.confirmed.items()}
    lost = confirmed - set(stored)
    _say(f"  stored {len(stored)}, confirmed {len(confirmed)}, twice {len(twice)}, lost {len(lost)}")
    if is_synchronous:
        return int(bool(lost or twice))
    pair.primary.start()  # nobody uses it any more
    unsent = set(_stored(pair.primary)) - set(stored)
    _say(f"  unsent: the old primary has {len(unsent)} requests that the new one has not")
    return int(bool(twice or lost - unsent))


def _stored(server: Server) -> list[tuple[str, str]]:
    """The text and the id of each stored request."""
    dsn = databases.make_dsn(server.sockets, DATABASE, user=databases.SUPERUSER)
    connection: Any = psycopg2.connect(dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT description, service_request_id FROM service_request")
        found: list[tuple[str, str]] = cursor.fetchall()
    connection.close()
    return found


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
