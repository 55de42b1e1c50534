"""Changes requests while the worker is killed and receivers misbehave. Compares what subscribers hold at the end.

`python -m tests.benchmarks.telling --changes 50000` uses its own PostgreSQL. It kills the worker with -9 again and
again. Receivers are cut off, answer too late, lose answers after they have taken a webhook, and answer errors. At
the end

    each subscriber holds exactly the last public version of each request that its filter matches
    no older version came to it after a newer one
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

import orjson

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.commands import Command
from open311.domain.requests import Submission, Visibility
from open311.domain.workflow import Outcome
from open311.operations.access.api_keys import require_key
from open311.operations.intake.submit_request import submit_request
from open311.operations.platform import Platform
from open311.operations.subscriptions import managing, overseeing
from open311.operations.workflow.act import act
from schemas.subscriptions import NewSubscriptionArguments
from tests import build, world
from tests.benchmarks.towns import Town
from tests.subscribing import Subscriber, subscriber
from tests.waiting import until

FILTERS: dict[str, dict[str, str]] = {
    "everything": {},
    "open": {"status": "open"},
    "a department": {"department": "parks"},
    "a circle": {"lat": "60.17", "long": "24.94", "radius": "300"},
}
CATALOGUE = """
id = "told.example"
name = "Told"
time_zone = "UTC"
triage = "streets"
[[departments]]
code = "streets"
name = "Streets"
[[departments]]
code = "parks"
name = "Parks"
[[services]]
code = "holes"
name = "Holes"
description = "Holes."
department = "streets"
"""
FAULTS = (
    *world.by_chance(0.02, "lose_answer", on="POST"),
    *world.by_chance(0.02, "drop", "status", on="POST"),
    *world.by_chance(0.01, "delay", on="POST", seconds=1.3),
)
TIMEOUT_S = 1
CHANGES_OF_ONE = 6


def main() -> int:
    """Run, print what was found, and return 1 if a subscriber holds something wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.telling", description=__doc__)
    parser.add_argument("--changes", type=int, default=50_000)
    parser.add_argument("--kills", type=int, default=60, help="how often the worker is killed")
    parser.add_argument("--seed", type=int, default=311)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="open311-telling-") as folder:
        found = run(Path(folder), changes=words.changes, kills=words.kills, seed=words.seed, say=_say)
    _say(str(found))
    return 1 if found.faults else 0


@dataclass(frozen=True)
class Told:
    """The result. `received`: how many webhooks the receivers got, including the repeated ones."""

    changes: int
    kills: int
    received: int
    repeated: int
    withdrawn: int
    faults: list[str]

    def __str__(self) -> str:
        told = "; ".join(self.faults) or "each subscriber holds what is public"
        return (
            f"{self.changes} changes, {self.kills} kills, {self.received} webhooks of which {self.repeated} were"
            f" repeated, {self.withdrawn} tombstones: {told}"
        )


def run(folder: Path, *, changes: int, kills: int, seed: int, say: Callable[[str], object]) -> Told:
    """Subscribe, change requests amid kills, wait for the rest, and compare."""
    with ExitStack() as stack:
        receivers = {
            name: stack.enter_context(subscriber(faults=FAULTS, seed=seed + number))
            for number, name in enumerate(FILTERS)
        }
        hosts = ",".join(one.host for one in receivers.values())
        variables = {"OPEN311_WEBHOOK_HOSTS": hosts, "OPEN311_WEBHOOK_TIMEOUT_S": str(TIMEOUT_S)}
        town = Town("told", folder, {"jurisdiction.toml": CATALOGUE}, variables)
        stack.callback(town.end)
        return _Run(town, receivers, seed).all(changes, kills, say)


class _Run:
    def __init__(self, town: Town, receivers: dict[str, Subscriber], seed: int) -> None:
        self.town, self.receivers, self.random = town, receivers, Random(seed)
        settings = replace(town.settings, webhook_hosts=tuple(one.host for one in receivers.values()))
        self.platform: Platform = replace(town.platform, settings=settings)
        [self.city] = self.platform.registry
        self.key = require_key(self.platform, town.new_key("telling"))
        [_, self.worker] = town.parts
        self.done = 0

    def all(self, changes: int, kills: int, say: Callable[[str], object]) -> Told:
        self.town.cluster.ensure_running()
        for name, wanted in FILTERS.items():
            self._subscribe(self.receivers[name].url, wanted)
        writer = threading.Thread(target=self._write, args=(changes,), daemon=True)
        writer.start()
        self._kill(writer, changes, kills)
        writer.join()
        say(f"{self.done} changes made amid {self.worker.kills} kills")
        self._settle()
        say(f"settled; {sum(len(one.messages) for one in self.receivers.values())} webhooks accepted")
        faults = [fault for name in FILTERS for fault in self._faults(name)]
        if self.done < changes:
            faults.append(f"only {self.done} of {changes} changes were made")
        hooks = [hook for one in self.receivers.values() for hook in one.office.hooks]
        return Told(
            changes=self.done,
            kills=self.worker.kills,
            received=len(hooks),
            repeated=sum(hook.is_repeated for hook in hooks),
            withdrawn=sum(len(one.gone) for one in self.receivers.values()),
            faults=faults,
        )

    def _subscribe(self, url: str, wanted: dict[str, str]) -> None:
        sent = {"url": [url]} | {name: [value] for name, value in wanted.items()}
        values, problems = NewSubscriptionArguments().read(sent)
        assert not problems, problems
        managing.create_subscription(self.platform, self.city, values, principal=self.key, now=utc_now())

    # --- What happens

    def _write(self, changes: int) -> None:
        """Make new requests, and change them in all ways that a filter can notice."""
        names: list[str] = []
        for number in range(changes):
            if number % CHANGES_OF_ONE == 0:
                names.append(self._submit())
            else:
                self._change(self.random.choice(names[-50:]))
            self.done += 1

    def _submit(self) -> str:
        lat, long = 60.17 + self.random.uniform(-0.006, 0.006), 24.94 + self.random.uniform(-0.006, 0.006)
        sent = Submission(service_code="holes", lat=str(lat), long=str(long))
        receipt = submit_request(self.platform, sent, jurisdiction=self.city, principal=self.key, now=utc_now())
        return receipt.service_request_id

    def _change(self, name: str) -> None:
        record = build.load(self.platform, service_request_id=name)
        act(self.platform, self.city, name, [self._order(record)], principal=SHELL, now=utc_now())

    def _order(self, record: Any) -> Command:
        if record.visibility is Visibility.WITHDRAWN:
            return commands.Show(reason="It was hidden by mistake.")
        note, hide = commands.Note(text="We look at it.", public=True), commands.Hide(reason="A name.")
        if record.status == "closed":
            return self.random.choice([note, hide, commands.Reopen(reason="It is back.")])
        other = "parks" if record.department == "streets" else "streets"
        close = commands.Close(outcome=Outcome.UNKNOWN)
        return self.random.choice([note, hide, close, commands.Transfer(department=other)])

    def _kill(self, writer: threading.Thread, changes: int, kills: int) -> None:
        """Kill the worker after each part of the changes, and cut off one receiver after the other meanwhile."""
        cut = cycle(self.receivers.values())
        for part in range(1, kills + 1):
            self.worker.keep()
            away = next(cut)
            away.office.down()
            self._make(changes * part // (kills + 1), writer)
            before = self._accepted()
            away.office.up()
            until(lambda before=before: self._accepted() > before, "a webhook")  # type: ignore[misc]
            self.worker.kill()
        self.worker.keep()

    def _make(self, goal: int, writer: threading.Thread) -> None:
        """Wait until `goal` changes are made, or until the writer has ended."""
        _while_it_moves(
            lambda: self.done >= goal or not writer.is_alive(), lambda: goal - self.done, f"{goal} changes"
        )

    def _accepted(self) -> int:
        return sum(len(one.messages) for one in self.receivers.values())

    def _settle(self) -> None:
        """Wait until everything is told.

        The receivers cause no more faults, except for webhooks that are already on their way. A pause after a
        failure is ended at once, as an owner does by `resume`. The number of waiting webhooks can grow, because a
        subscriber whose webhooks have waited all the time gets a replay of everything at the end. So progress is
        the number of webhooks that the receivers have got.
        """
        for one in self.receivers.values():
            one.office.behave()

        def is_over() -> bool:
            self.worker.keep()
            for owned in overseeing.list_all(self.platform, [self.city.id], rows=1_000):
                if owned.webhook.failures:
                    name, now = owned.subscription.name, utc_now()
                    overseeing.resume_one(self.platform, name, reason="settle", principal=SHELL, now=now)
            return not self._left()

        def missing() -> int:
            return -sum(len(one.office.hooks) for one in self.receivers.values())

        _while_it_moves(is_over, missing, "everything to be told")

    def _left(self) -> int:
        with self.platform.database.reading() as connection:
            statement = (
                "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM held_change)"
                " + (SELECT count(*) FROM notification)"
                " + (SELECT count(*) FROM webhook WHERE replayed_by IS NOT NULL OR challenge <> '')"
            )
            return int(connection.exec_driver_sql(statement).scalar_one())

    # --- What is compared

    def _faults(self, name: str) -> Iterator[str]:
        one = self.receivers[name]
        yield from (f"{name}: {fault}" for fault in one.faults[:5])
        public = self._public(FILTERS[name])
        if public.keys() != one.held.keys():
            missing, extra = public.keys() - one.held.keys(), one.held.keys() - public.keys()
            yield f"{name}: lacks {sorted(missing)[:5]}, still holds {sorted(extra)[:5]}"
        old = [each for each in public.keys() & one.held.keys() if public[each] != one.held[each]]
        if old:
            yield f"{name}: holds old versions of {len(old)} requests, such as {old[0]}"

    def _public(self, wanted: dict[str, str]) -> dict[str, Any]:
        """What a list with the same filter has, by id."""
        conditions = {
            "status": "status = %(status)s",
            "department": "published_department(json_extras) = %(department)s",
            "radius": "ST_DWithin(point::geography, ST_MakePoint(%(long)s, %(lat)s)::geography, %(radius)s)",
        }
        chosen = [sql for name, sql in conditions.items() if name in wanted]
        with self.platform.database.reading() as connection:
            rows = connection.exec_driver_sql(
                " AND ".join(["SELECT json FROM publication WHERE visibility = 'public'", *chosen]),
                {name: float(value) if value[0].isdigit() else value for name, value in wanted.items()},
            )
            items = [orjson.loads(row.json) for row in rows]
        return {item["service_request_id"]: item for item in items}


def _while_it_moves(is_over: Callable[[], bool], left: Callable[[], int], what: str) -> None:
    """Wait until `is_over`. Fails only if `left` has not become smaller within the deadline of `until`."""
    while True:
        before = left()
        try:
            until(is_over, what)
            return
        except AssertionError:
            if left() >= before:
                raise


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
