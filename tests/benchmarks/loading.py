"""`make load`: how a server on this machine answers under load. The load is bounded and stops by itself.

Reads and writes are mixed as the arguments say. Reports need an api_key and stay in the database, so use a database
for tests. Only a server on the loopback is called, so that a mistake harms nobody.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import random
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from tests.benchmarks.cpu import cpu_ns
from tests.benchmarks.load import FORM, Outcome, Refused, ask, call, pace

MOST_SECONDS, MOST_PER_SECOND, MOST_SENDERS = 120.0, 2_000.0, 64
READS = (
    "requests.json",
    "requests.json?page_size=10&extensions=true",
    "services.json",
    "requests.xml?page_size=50",
)

BY_PROXY = {"X-Forwarded-Proto": "https"}
"""What a proxy that ends TLS sends. Without it, a server whose OPEN311_PUBLIC_URL is https redirects each call."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Send the load and print the result. Returns 1 if an answer was an error, 2 if the load is refused."""
    words = _arguments(arguments)
    try:
        port, base = loopback(words.url)
        service, lat, long = _target(port, base, words)
        roots = listeners(port)
        before = cpu_ns(roots)
        reads, writes = _send(port, base, words, service, (lat, long))
        used = cpu_ns(roots) - before
    except (Refused, OSError) as error:
        print(f"load: {error}")  # noqa: T201  # a program for the terminal
        return 2
    for line in report(reads, writes, used if roots else None):
        print(line)  # noqa: T201
    return 1 if reads.failed or writes.failed else 0


def loopback(url: str) -> tuple[int, str]:
    """The port and the path of the API of a server on the loopback. Raises Refused for every other address."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback or parts.scheme != "http":
        raise Refused(f"{url!r} is not on this machine; only http://127.0.0.1:PORT is loaded")
    return port, parts.path.rstrip("/") or "/open311/v2"


def listeners(port: int) -> list[int]:
    """The ids of the processes that listen on a port of this machine (Linux); empty if we may not see them."""
    wanted = f"{port:04X}"
    tables = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
    rows = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{wanted}") and row[3] == "0A"}
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(file) in sockets for file in (entry / "fd").iterdir()):
                found.append(int(entry.name))
        except OSError:  # it has ended, or belongs to somebody else
            continue
    return [pid for pid in found if _parent(pid) not in found]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _target(port: int, base: str, words: argparse.Namespace) -> tuple[str, float, float]:
    """The service and the place of the reports. Raises Refused for another answer than 200, or without the key."""
    path = f"{base}/services.json?jurisdiction_id={words.jurisdiction}"
    answer = ask(port, call("GET", path, headers=BY_PROXY))
    if answer.status in (301, 302, 307, 308, 403):
        raise Refused(
            f"services.json answers {answer.status}: the server wants https; set OPEN311_TRUSTED_PROXIES=1, as"
            " behind nginx, or leave OPEN311_PUBLIC_URL out"
        )
    if answer.status != 200:
        raise Refused(
            f"services.json answers {answer.status}; if the server has several cities, name one with --jurisdiction"
        )
    if words.writes and not words.key:
        raise Refused("--writes needs --key with an api_key, as `open311 keys add` shows it")
    return words.service, words.lat, words.long


def _send(
    port: int, base: str, words: argparse.Namespace, service: str, point: tuple[float, float]
) -> tuple[Outcome, Outcome]:
    """Send reads and writes at the same time, each at its own rate."""
    chance, city = random.Random(311), {"jurisdiction_id": words.jurisdiction} if words.jurisdiction else {}

    def read() -> bytes:
        name = chance.choice(READS)
        joined = f"{'&' if '?' in name else '?'}{urlencode(city)}" if city else ""
        return call("GET", f"{base}/{name}{joined}", headers=BY_PROXY)

    def write() -> bytes:
        fields = {"api_key": words.key, "service_code": service, "description": "A load test.", **city}
        near = {"lat": point[0] + chance.uniform(-0.005, 0.005), "long": point[1] + chance.uniform(-0.005, 0.005)}
        body = urlencode(fields | {name: f"{value:.6f}" for name, value in near.items()}).encode()
        return call("POST", f"{base}/requests.json", headers=BY_PROXY, body=body, body_type=FORM)

    share = words.writes / 100
    outcomes = [Outcome(), Outcome()]

    def run(place: int, rate: float, senders: int) -> None:
        if rate:
            make = (read, write)[place]
            outcomes[place] = pace(port, make, per_second=rate, seconds=words.seconds, senders=senders)

    writers = threading.Thread(target=run, args=(1, words.rate * share, max(1, words.senders // 4)))
    writers.start()
    run(0, words.rate * (1 - share), words.senders)
    writers.join()
    return outcomes[0], outcomes[1]


def report(reads: Outcome, writes: Outcome, cpu: int | None) -> list[str]:
    """The result in lines: for reads and writes their number, errors and percentiles, then CPU time per call."""
    lines = [f"{'':8}{'calls':>8}{'errors':>8}{'p50 ms':>10}{'p95 ms':>10}{'p99 ms':>10}"]
    for name, one in (("reads", reads), ("writes", writes)):
        times = "".join(f"{one.percentile_ms(share):>10.1f}" for share in (50, 95, 99))
        lines.append(f"{name:8}{one.count:>8}{one.failed:>8}{times}")
    statuses = Counter(reads.statuses) + Counter(writes.statuses)
    lines.append("statuses: " + ", ".join(f"{status} {count} times" for status, count in sorted(statuses.items())))
    calls = reads.count + writes.count
    if cpu is None:
        lines.append("CPU: unknown, because the server's processes belong to another user")
    elif calls:
        lines.append(f"CPU of the web server: {cpu / 1e6 / calls:.2f} ms per call; PostgreSQL is not counted")
    return lines


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make load", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:3111", help="the server; only the loopback is loaded")
    parser.add_argument("--seconds", type=_bounded(MOST_SECONDS), default=10.0, help="at most 120")
    parser.add_argument("--rate", type=_bounded(MOST_PER_SECOND), default=50.0, help="calls a second, at most 2000")
    parser.add_argument("--writes", type=_bounded(100.0, least=0.0), default=0.0, help="percent that are reports")
    parser.add_argument("--senders", type=int, choices=range(1, MOST_SENDERS + 1), default=16, metavar="1..64")
    parser.add_argument("--key", default="", help="the api_key of the reports")
    parser.add_argument("--jurisdiction", default="", help="the city, if the server has several")
    parser.add_argument("--service", default="potholes", help="the service_code of the reports")
    parser.add_argument("--lat", type=float, default=60.17, help="where the reports are")
    parser.add_argument("--long", type=float, default=24.94, help="where the reports are")
    return parser.parse_args(arguments)


def _bounded(most: float, *, least: float = 0.1) -> Callable[[str], float]:
    """Reads an argument as a number between two bounds."""

    def number(text: str) -> float:
        found = float(text)
        if not least <= found <= most:
            raise argparse.ArgumentTypeError(f"must be between {least:g} and {most:g}, not {text}")
        return found

    return number


if __name__ == "__main__":
    sys.exit(main())
