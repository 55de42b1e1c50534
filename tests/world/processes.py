"""A neighbour in a process of its own, which can be killed, frozen and started again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import requests

from tests.world.city import City, Filed, Update
from tests.world.dialects import STANDARD, Dialect
from tests.world.faults import Fault
from tests.world.georeport import BASE, CLIENT_ID, CLIENT_SECRET
from tests.world.journal import Entry, Journal, read
from tests.world.neighbour import ACTS, STAFF, Neighbour

REPOSITORY = Path(__file__).parents[2]
ENDS_WITHIN_S = 30.0


class NeighbourProcess:
    """A neighbour in a process. It has the addresses and the memory of Neighbour, and these acts of its staff:

    change, close, resolve, file, renumber, rename_service, retire_service, add_service, turn_clock, rotate_key,
    revoke_tokens, release and behave, with the arguments that City and Neighbour have; and `fault`.

    The memory is read from the journal, so it is known also while the process is dead.
    """

    api_key = Neighbour.api_key
    client_id, client_secret = CLIENT_ID, CLIENT_SECRET

    def __init__(
        self,
        file: Path,
        *,
        dialect: Dialect = STANDARD,
        faults: Iterable[Fault] = (),
        seed: int = 0,
        ids: str = "C",
        city_id: str = "neighbour.example",
        odd_services: bool = False,
    ) -> None:
        self.journal_file, self.dialect, self.city_id, self.seed = file, dialect, city_id, seed
        self._place = socket.socket()  # keeps the port while the process is dead
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", 0))
        port = self._place.getsockname()[1]
        switches = (f"{name}={json.dumps(value)}" for name, value in asdict(dialect).items())
        self._command = [
            *(sys.executable, "-m", "tests.world", "--with-parent", "--port", str(port), "--file", str(file)),
            *("--seed", str(seed), "--ids", ids, "--city-id", city_id),
            *(part for each in switches for part in ("--switch", each)),
            *(part for each in faults for part in ("--fault", json.dumps(each.plain()))),
            *(["--odd-services"] if odd_services else []),
        ]
        self._process: subprocess.Popen[str] | None = None
        self.origin = f"http://127.0.0.1:{port}"
        self.base_url = self.origin + BASE
        self.discovery_url = f"{self.origin}/discovery.{dialect.formats[0]}"
        self.token_url = f"{self.origin}/oauth/token"

    # --- The process

    @property
    def pid(self) -> int:
        """The id of the process; 0 while there is none."""
        return self._process.pid if self._process else 0

    def up(self) -> None:
        """Start the process, and wait until it answers. Does nothing if it runs."""
        if self._process is None:
            self._process = subprocess.Popen(
                self._command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            assert self._process.stdout is not None
            said = self._process.stdout.readline().strip()
            assert said == self.origin, f"the neighbour did not start: {said!r}"

    def kill(self) -> None:
        """Kill the process with SIGKILL."""
        self._end(signal.SIGKILL)

    def down(self) -> None:
        """End the process by SIGTERM."""
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """Stop the process, which then accepts connections and never answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        os.kill(self.pid, signal.SIGCONT)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.communicate(timeout=ENDS_WITHIN_S)
            self._process = None

    def end(self) -> None:
        """Kill the process permanently."""
        self.kill()
        self._place.close()

    # --- The memory

    def memory(self) -> City:
        """What the journal tells now, as a City that does not change with it."""
        found = Journal()
        found.entries = read(self.journal_file)
        return City(journal=found)

    @property
    def requests(self) -> list[Filed]:
        return self.memory().requests

    @property
    def accepted(self) -> list[Filed]:
        return self.memory().accepted

    @property
    def updates(self) -> list[Update]:
        return self.memory().updates

    @property
    def received(self) -> list[Update]:
        return self.memory().received

    @property
    def calls(self) -> list[Entry]:
        return self.memory().journal.of("call")

    def find(self, name: str) -> Filed:
        return self.memory().find(name)

    # --- The staff

    def fault(self, *faults: Fault) -> None:
        """Misbehave in these ways too; each counts the calls from now on."""
        self._act("fault", faults=[each.plain() for each in faults])

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name not in ACTS:
            raise AttributeError(name)
        return lambda *arguments, **options: self._act(name, *arguments, **options)

    def _act(self, name: str, *arguments: Any, **options: Any) -> None:
        plain = {each: _plain(value) for each, value in options.items()}
        answer = requests.post(f"{self.origin}{STAFF}{name}", json=[arguments, plain], timeout=30)
        assert answer.status_code == 200, answer.text


@contextmanager
def process(file: Path, **options: Any) -> Iterator[NeighbourProcess]:
    """A neighbour in a process, with its journal in a file. The options are those of NeighbourProcess.

    with process(tmp_path / "c.journal", dialect=LIKE_OURS, seed=7) as city:
        city.kill()
        city.up()
        city.accepted
    """
    city = NeighbourProcess(file, **options)
    sys.stdout.write(f"neighbour {city.origin}: seed {city.seed}\n")
    try:
        city.up()
        yield city
    finally:
        city.end()


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
