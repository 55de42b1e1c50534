"""The servers of the chaos. Their processes can be killed with -9 and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from open311.clock import utc_now
from open311.embedded import Cluster, find_binaries
from open311.operations.access.api_keys import add_key
from open311.operations.platform import Platform, open_platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.settings import Settings
from open311.storage.migrations import migrate
from tests.ports import free_port
from tests.waiting import until

ROOT = Path(__file__).parents[2]
DATABASE = "chaos"


@dataclass
class Part:
    """One process of a server. `kill` ends it with -9; `keep` starts it again if it has ended."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    kills: int = 0

    def keep(self) -> None:
        """Start the process unless it runs."""
        if self.process is None or self.process.poll() is not None:
            with self.log.open("ab") as log:
                self.process = subprocess.Popen(
                    self.command,
                    cwd=ROOT,
                    env=dict(self.environment),
                    stdout=log,
                    stderr=log,
                    stdin=subprocess.DEVNULL,
                )

    def kill(self) -> None:
        """End the process at once."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
            self.kills += 1


@dataclass
class Town:
    """A server of ours with its own database: a web process and a worker.

    platform  for the staff of this server, and for the final count
    """

    name: str
    folder: Path
    files: Mapping[str, str]
    variables: Mapping[str, str] = field(default_factory=dict)
    kills: int = 0

    def __post_init__(self) -> None:
        self.port = free_port()
        city = self.folder / self.name
        city.mkdir(parents=True)
        for name, text in self.files.items():
            (city / name).write_text(text, encoding="utf-8")
        self.cluster = Cluster(self.folder / f"pg-{self.name}", bin_dir=find_binaries())
        self.cluster.hold()
        self.cluster.create_database(DATABASE)
        self.settings = Settings(
            database_url=self.cluster.url(DATABASE), jurisdictions=(str(city),), port=self.port, post_rate=""
        )
        self.platform: Platform = open_platform(self.settings)
        with self.platform.database.transaction() as connection:
            migrate(connection)
        ensure_synced(self.platform)
        environment = os.environ | {
            "DATABASE_URL": self.settings.database_url,
            "OPEN311_JURISDICTIONS": str(city),
            "OPEN311_PORT": str(self.port),
            "OPEN311_WORKERS": "1",
            "OPEN311_POST_RATE": "",
            "OPEN311_LOG_LEVEL": "warning",
            "OPEN311_DATA_DIR": str(self.folder / f"data-{self.name}"),
            **self.variables,
        }
        run = [sys.executable, "-m", "open311"]
        log = self.folder / f"{self.name}.log"
        self.parts = [Part(f"{self.name} {word}", [*run, word], environment, log) for word in ("serve", "worker")]

    @property
    def base_url(self) -> str:
        """The address of services.json without /services.json."""
        return f"http://127.0.0.1:{self.port}/open311/v2"

    def new_key(self, label: str) -> str:
        """A key for another system."""
        return add_key(self.platform, label=label, now=utc_now())[1]

    def keep(self) -> None:
        """Start all parts that do not run."""
        self.cluster.ensure_running()
        for part in self.parts:
            part.keep()

    def kill_database(self) -> None:
        """End PostgreSQL at once."""
        file = self.folder / f"pg-{self.name}" / "data" / "postmaster.pid"
        with suppress(FileNotFoundError, ProcessLookupError):  # PostgreSQL is starting and cannot be killed yet
            os.kill(int(file.read_text().splitlines()[0]), signal.SIGKILL)
            self.kills += 1

    def victims(self) -> list[Callable[[], None]]:
        """The functions that kill one part each."""
        return [*(part.kill for part in self.parts), self.kill_database]

    def wait(self) -> None:
        """Wait until the server answers. Parts that end during the wait are started again."""
        until(self._answers, f"{self.name} to answer")

    def _answers(self) -> bool:
        self.keep()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5):
                return True
        except OSError:  # also URLError
            return False

    def end(self) -> None:
        """End all processes, and the database."""
        for part in self.parts:
            if part.process is not None and part.process.poll() is None:
                part.process.terminate()
        for part in self.parts:
            if part.process is not None:
                part.process.wait(60)
        self.platform.close()
        self.cluster.release()
