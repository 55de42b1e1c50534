"""`make clients`: generate a Python and a TypeScript client, compile them, and try them on a live server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from open311.clock import utc_now
from open311.embedded import Cluster, find_binaries, install_binaries
from open311.operations.access.api_keys import add_key
from open311.operations.platform import open_platform
from open311.settings import Settings
from open311.storage.migrations import migrate
from tests.conformance.servers import serve_process

SOURCES = Path(__file__).parent
VAR = SOURCES.parents[1] / "var"
FOLDER = VAR / "clients"
"""Everything that is generated or installed here, so that no generated file is in the repository."""
BIN = Path(sys.executable).parent
LEAST_NODE = 20


def main() -> None:
    """Try both clients. Ends with status 1 and a sentence if one of them fails."""
    _require_node()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with _live_server() as (origin, key):
        document = FOLDER / "openapi.json"
        document.write_bytes(requests.get(f"{origin}/openapi.json", timeout=30).content)
        _try_python(document, origin, key)
        _try_typescript(document, origin, key)


def _require_node() -> None:
    if shutil.which("npm") is None or shutil.which("node") is None:
        sys.exit(f"npm is missing: install Node.js {LEAST_NODE} or newer with npm (apt-get install nodejs npm).")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < LEAST_NODE:
        sys.exit(f"Node.js {version} is too old: install Node.js {LEAST_NODE} or newer.")


@contextmanager
def _live_server() -> Iterator[tuple[str, str]]:
    """A server with the demo city on an empty database: its origin, and a key."""
    name = f"clients_{os.getpid()}"  # the tests drop databases that killed runs have left
    with Cluster(VAR / "pg-test", durable=False, bin_dir=find_binaries() or install_binaries(print)) as cluster:
        cluster.create_database(name)
        try:
            url = cluster.url(name)
            key = _prepare(url)
            settings = {"DATABASE_URL": url, "OPEN311_JURISDICTIONS": "demo", "OPEN311_LOG_LEVEL": "warning"}
            with serve_process(settings, FOLDER / "server.log") as origin:
                yield origin, key
        finally:
            cluster.drop_database(name)


def _prepare(url: str) -> str:
    """Migrate the database and return a key for it."""
    platform = open_platform(Settings(database_url=url, jurisdictions=("demo",)))
    with platform.database.transaction() as connection:
        migrate(connection)
    _, key = add_key(platform, label="clients", now=utc_now())
    platform.close()
    return key


def _try_python(document: Path, origin: str, key: str) -> None:
    folder = FOLDER / "python"
    shutil.rmtree(folder / "open311_client", ignore_errors=True)
    folder.mkdir(exist_ok=True)
    for file in (SOURCES / "python").iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    generate = ["--path", f"../{document.name}", "--output-path", "open311_client", "--config", "generator.yaml"]
    _run(folder, BIN / "openapi-python-client", "generate", "--meta", "none", "--fail-on-warning", *generate)
    _run(folder, BIN / "mypy", "--strict", "--config-file", "mypy.ini", "open311_client", "roundtrip.py")
    _run(folder, sys.executable, "roundtrip.py", origin, key)


def _try_typescript(document: Path, origin: str, key: str) -> None:
    folder = FOLDER / "typescript"
    folder.mkdir(exist_ok=True)
    lock, installed = SOURCES / "typescript" / "package-lock.json", folder / "package-lock.json"
    is_installed = (folder / "node_modules").is_dir() and installed.read_bytes() == lock.read_bytes()
    for file in (SOURCES / "typescript").iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    if not is_installed:
        _run(folder, "npm", "ci", "--silent")
    programs = folder / "node_modules" / ".bin"
    _run(folder, programs / "openapi-typescript", f"../{document.name}", "--output", "api.ts")
    _run(folder, programs / "tsc")
    _run(folder, "node", "out/roundtrip.js", origin, key)


def _run(folder: Path, *command: str | Path) -> None:
    """Run a program in a folder. If it fails, show what it has said and end with status 1."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        words = " ".join(map(str, command[:2]))
        sys.exit(f"{done.stdout}{done.stderr}{words}: failed with status {done.returncode} in {folder.name}.")
    last_line = done.stdout.strip().rpartition("\n")[2]
    print(f"{folder.name}: {Path(command[0]).name}: {last_line or 'done'}")


if __name__ == "__main__":
    main()
