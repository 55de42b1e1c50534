"""Republishes a whole city during reads, with a kill half-way. Finds items that are partly old and partly new.

The measurement uses a copy of the database. The new edition is the city's plugin with a mark after the name of
every service and department, so that two texts of each request change. Each item that a reader saw must equal the
item that was stored before, or the item that is stored afterwards.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import orjson

from tests.benchmarks.city import span
from tests.benchmarks.contestants import OURS, ROOT, Server, running, started
from tests.benchmarks.data import CITY, Data, copied, open311, run_open311
from tests.benchmarks.load import Line, Outcome, Refused, call, drive, pace
from tests.benchmarks.measures import CONNECTIONS
from tests.benchmarks.workloads import READS_PER_S, SMALL, Field, address, wire

NAME = "bench_republish"
MARK = " (new)"
SLICE_S = 1.0
POLL_S = 0.01
MOMENTS = 24
WARM_READS = 400
GIVE_UP_S = 3_600.0
_NAME_LINE = re.compile(r'^name = "(.*)"$', re.MULTILINE)
_DONE = re.compile(rf"^{re.escape(CITY)}: (\d+) requests rendered", re.MULTILINE)

Item = dict[str, str]
Known = dict[tuple[str, str], list[Item]]
"""The item before and the item after, by format and id."""


@dataclass(frozen=True, slots=True)
class Republishing:
    """The result.

    killed_at     number of requests that were rendered when the process was killed
    resumed_with  number of requests that the second run rendered
    left          number of requests without the new edition at the end
    items         number of different items that readers saw
    torn          number of items that belong to neither edition
    mixed         number of lists with requests of both editions, which is allowed
    calm, busy    the answers before and during republishing
    """

    rows: int
    per_second: float
    killed_at: int
    resumed_with: int
    left: int
    items: int
    torn: int
    mixed: int
    calm: Outcome
    busy: Outcome

    @property
    def is_resumed(self) -> bool:
        """Whether the second run continued at the right request and finished."""
        return 0 < self.killed_at < self.rows == self.killed_at + self.resumed_with and not self.left


def measure_republishing(
    field: Field, environment: Mapping[str, str], folder: Path, log: Path, calm_s: float
) -> Republishing:
    """Read for a while, republish during further reads, then compare the items.

    calm_s  seconds of reading before republishing, for comparison
    """
    plugin = _new_edition(folder / "edition")
    with copied(field.data, NAME) as copy:
        ours = {**environment, "DATABASE_URL": copy.url, "OPEN311_JURISDICTIONS": str(plugin)}
        with running(OURS, ours, log) as server:
            reading = Reading(server, _reads(field))
            drive(server.port, list(islice(_reads(field), WARM_READS)), count=WARM_READS, connections=CONNECTIONS)
            with reading.into(Outcome()) as calm:
                time.sleep(calm_s)  # the measurement needs this time
            with reading.into(Outcome()) as busy:
                killed_at, per_second = _publish_half(copy, ours, log)
                resumed_with = _publish_rest(copy, ours)
        items, torn, mixed = judge(reading.bodies.values(), field.data, copy)
        rows, left = _count(copy)
    return Republishing(rows, per_second, killed_at, resumed_with, left, items, torn, mixed, calm, busy)


class Reading:
    """Reads at a fixed rate in the background, and keeps each different body."""

    def __init__(self, server: Server, requests: Iterator[bytes]) -> None:
        self._port, self._requests = server.port, requests
        self.bodies: dict[bytes, bytes] = {}

    @contextmanager
    def into(self, outcome: Outcome) -> Iterator[Outcome]:
        """Reads during the block; `outcome` has the result at its end."""
        ended = threading.Event()
        thread = threading.Thread(target=self._read, args=(outcome, ended), daemon=True)
        thread.start()
        try:
            yield outcome
        finally:
            ended.set()
            thread.join()

    def _read(self, outcome: Outcome, ended: threading.Event) -> None:
        while not ended.is_set():
            outcome_of_slice = pace(
                self._port,
                lambda: next(self._requests),
                per_second=READS_PER_S,
                seconds=SLICE_S,
                on_answer=self._keep,
            )
            outcome.add_all(outcome_of_slice, wanted=int(READS_PER_S * SLICE_S))

    def _keep(self, line: Line) -> None:
        if line.status == 200:
            body = bytes(line.body)
            self.bodies.setdefault(blake2b(body, digest_size=16).digest(), body)


def _reads(field: Field) -> Iterator[bytes]:
    """Calls in both formats: half single requests, half lists from the whole time span, a few with 1000 rows."""
    random = Random(3)
    start, end = span(field.data.rows, field.data.newest)
    ends = [start + (end - start) * ((number + 1) / MOMENTS) for number in range(MOMENTS)]
    windows = [{"start_date": wire(one - timedelta(days=30)), "end_date": wire(one)} for one in ends]
    singles = [
        f"requests/{quote(known)}" for known in random.sample(field.known_ids, min(100, len(field.known_ids)))
    ]
    for turn in cycle(range(50)):
        suffix = random.choice(("json", "xml"))
        if turn == 0:
            target = address(f"requests.{suffix}", **random.choice(windows))
        elif turn % 2:
            target = address(f"requests.{suffix}", page_size=SMALL, **random.choice(windows))
        else:
            target = address(f"{random.choice(singles)}.{suffix}")
        yield call("GET", target)


def _new_edition(folder: Path) -> Path:
    """A copy of the city's plugin with a mark after every name except the city's."""
    shutil.copytree(ROOT / "jurisdictions" / "newyork", folder, ignore=shutil.ignore_patterns("__*"))
    file = folder / "jurisdiction.toml"
    head, separator, rest = file.read_text(encoding="utf-8").partition("\n[")
    marked = _NAME_LINE.sub(lambda match: f'name = "{match[1]}{MARK}"', rest)
    file.write_text(head + separator + marked, encoding="utf-8")
    return folder


def _publish_half(copy: Data, environment: Mapping[str, str], log: Path) -> tuple[int, float]:
    """Start to publish, and kill the process half-way; returns the reported requests and the rows per second."""
    words = open311("publish", "--jurisdiction", CITY)
    with log.open("ab") as output, started(words, environment, stdout=output, stderr=output) as process:
        per_second = _follow_until_half(copy, process)
        process.kill()
        process.wait()
    rendered, total, rest = _status(copy, environment)
    if total != copy.rows or "in work" not in rest:
        raise Refused(f"open311 publish --status: {rendered} of {total}, {rest}")
    return rendered, per_second


def _follow_until_half(copy: Data, process: subprocess.Popen[bytes]) -> float:
    """Wait until half of the city is rendered; returns the rows per second since the first batch."""
    first: tuple[float, int] | None = None
    give_up_at = time.monotonic() + GIVE_UP_S
    with copy.cursor() as cursor:
        while process.poll() is None and time.monotonic() < give_up_at:
            cursor.execute("SELECT rendered_until FROM edition WHERE jurisdiction_id = %s", (CITY,))
            now, rendered = time.perf_counter(), cursor.fetchone()[0]
            if first is None and rendered:
                first = now, rendered
            if first and rendered >= copy.rows // 2:
                return float(rendered - first[1]) / max(now - first[0], POLL_S)
            time.sleep(POLL_S)  # there is no event when a count grows
    raise Refused("open311 publish ended, or did not reach half of the city, before it was killed")


def _status(copy: Data, environment: Mapping[str, str]) -> tuple[int, int, str]:
    """The output of `open311 publish --status`: rendered, total, and the rest of its line."""
    shown = run_open311(["publish", "--status"], copy.url, environment=environment).stdout
    line = next((line.split() for line in shown.splitlines() if line.strip().startswith(CITY)), [])
    if len(line) < 6:
        raise Refused(f"open311 publish --status: {shown}")
    return int(line[2]), int(line[3]), " ".join(line[4:])


def _publish_rest(copy: Data, environment: Mapping[str, str]) -> int:
    """Run `open311 publish` again, to its end; returns the reported number of rendered requests."""
    words = ["publish", "--jurisdiction", CITY]
    output = run_open311(words, copy.url, environment=environment, timeout=GIVE_UP_S).stdout
    match = _DONE.search(output)
    if match is None:
        raise Refused(f"open311 publish: {output}")
    return int(match[1])


def _count(copy: Data) -> tuple[int, int]:
    """The number of rows, and the number of rows that lack the new names in a format."""
    with copy.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), count(*) FILTER (WHERE strpos(json, %(mark)s) = 0 OR strpos(xml, %(mark)s) = 0)"
            " FROM publication WHERE jurisdiction_id = %(city)s",
            {"mark": MARK, "city": CITY},
        )
        rows, left = cursor.fetchone()
        return int(rows), int(left)


def judge(bodies: Any, before: Data, after: Data) -> tuple[int, int, int]:
    """The number of different items, of torn items, and of lists with both editions."""
    seen = [read_items(body) for body in bodies]
    ids = sorted({item["service_request_id"] for _, items in seen for item in items})
    known = _known(ids, before, after)
    different = {(form, tuple(item.items())) for form, items in seen for item in items}
    torn = sum(dict(item) not in known[form, dict(item)["service_request_id"]] for form, item in different)
    mixed = sum(
        len({known[form, item["service_request_id"]][0] == item for item in items}) > 1 for form, items in seen
    )
    return len(different), torn, mixed


def _known(ids: list[str], before: Data, after: Data) -> Known:
    """The stored bodies of some requests. Raises Refused if the formats disagree or nothing has changed."""
    known: Known = {}
    for data in (before, after):
        with data.cursor() as cursor:
            for begin in range(0, len(ids), 1_000):
                cursor.execute(
                    "SELECT service_request_id, json, xml FROM publication"
                    " WHERE jurisdiction_id = %s AND service_request_id = ANY(%s)",
                    (CITY, ids[begin : begin + 1_000]),
                )
                for name, json, xml in cursor.fetchall():
                    as_json, as_xml = _json_item(orjson.loads(json)), _xml_item(ET.fromstring(xml))
                    if as_json != as_xml:
                        raise Refused(f"{name}: {as_json} in JSON, {as_xml} in XML")
                    known.setdefault(("json", name), []).append(as_json)
                    known.setdefault(("xml", name), []).append(as_xml)
    for (form, name), items in known.items():
        changed = {key for key in items[0] if items[0][key] != items[-1].get(key)}
        if not {"service_name", "agency_responsible"} <= changed:
            raise Refused(f"{name}, {form}: the new edition changed only {changed}")
    return known


def read_items(body: bytes) -> tuple[str, list[Item]]:
    """The format of a list or a single request, and its items in the same form for both formats."""
    if body.startswith(b"["):
        return "json", [_json_item(item) for item in orjson.loads(body)]
    return "xml", [_xml_item(element) for element in ET.fromstring(body)]


def _json_item(item: Mapping[str, Any]) -> Item:
    return dict(sorted((name, _text(value)) for name, value in item.items() if value not in (None, "")))


def _xml_item(element: ET.Element) -> Item:
    return dict(sorted((child.tag, _text(child.text)) for child in element if child.text))


def _text(value: Any) -> str:
    """A value as text; a number in its shortest form."""
    try:
        return repr(float(value)) if not isinstance(value, str) or "." in value else value
    except ValueError:
        return str(value)
