"""The command `open311` as a process: closed and full outputs, and Ctrl-C at its start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def in_shell(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of the shell, in which `open311` is the command."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("OPEN311", "DATABASE"))}
    command = f'open311() {{ "{sys.executable}" -m open311 "$@"; }}; {line}'
    return subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, check=False)


@needs_full
@pytest.mark.parametrize("command", ["settings", "openapi", "--help", "jurisdictions list"])
def test_a_full_disk_ends_a_command_with_one_sentence(command: str) -> None:
    ended = in_shell(f"open311 {command} > {FULL}")
    assert (ended.returncode, ended.stderr) == (1, "open311: standard output: No space left on device\n")


@pytest.mark.parametrize("command", ["settings", "openapi", "requests list"])
def test_a_closed_output_ends_a_command_with_one_sentence(command: str) -> None:
    ended = in_shell(f"open311 {command} >&-")
    words = "open311: standard output is closed; send it to a file, or to /dev/null.\n"
    assert (ended.returncode, ended.stderr) == (1, words)


def test_a_command_works_if_standard_error_and_input_are_closed() -> None:
    ended = in_shell("open311 settings <&- 2>&-")
    assert ended.returncode == 0
    assert "OPEN311_LOG_LEVEL" in ended.stdout


def test_no_error_is_printed_if_the_reader_of_the_output_stops_early() -> None:
    assert in_shell("open311 openapi | head -c 1").stderr == ""


@pytest.mark.parametrize("moment", ["import open311.cli", "import open311.cli.documents", "main.callback()"])
def test_ctrl_c_at_the_start_prints_one_line(moment: str) -> None:
    """The process interrupts itself at a given moment, so that the test does not depend on time."""
    ended = subprocess.run([sys.executable, "-c", INTERRUPTED, moment], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (130, "open311: stopped.\n")


def test_ctrl_c_stays_ignored_where_the_caller_ignores_it() -> None:
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    ended = in_shell(f"trap '' INT; \"{sys.executable}\" -c '{INTERRUPTED}' 'import open311.cli'")
    assert ended.returncode == 0


def test_the_garbage_collector_skips_the_modules_of_a_command() -> None:
    """Searching them at the end of the process would take a quarter of the CPU time of a short command."""
    program = (
        "import click, gc; from open311.cli import main; main.get_command(click.Context(main), 'settings');"
        "print(gc.isenabled(), gc.get_freeze_count() > 50_000)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True True\n"


def test_logs_do_not_import_the_library_for_tables() -> None:
    """structlog would import Rich and Pygments, which take 3 MB of memory."""
    program = (
        "import sys, open311.cli.serve;"
        "print(sorted({'rich', 'pygments', 'markdown_it'} & sys.modules.keys()));"
        "import structlog, rich; print(structlog.dev.rich)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\nNone\n"


def test_the_process_that_starts_web_processes_stays_small() -> None:
    """It stays as long as the server. The library of rates and asyncio would take 3 MB of memory each."""
    unwanted = {"limits", "wrapt", "asyncio", "ssl"}
    program = f"import sys, open311.cli.serve; print(sorted({unwanted} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_web_processes_do_not_import_what_they_seldom_use() -> None:
    """Together, these libraries would take 7 MB of memory: for calls to other servers, and for other databases."""
    unwanted = {
        *("requests", "urllib3", "charset_normalizer", "yaml"),
        *("sqlalchemy.dialects.mysql", "sqlalchemy.dialects.mssql", "sqlalchemy.dialects.postgresql.asyncpg"),
    }
    program = (
        "import sys; from open311.cli.web_application import prepare; from open311.settings import Settings;"
        "prepare(Settings(database_url='postgresql:///none'));"
        f"print(sorted({unwanted} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"


INTERRUPTED = """
import builtins, signal, sys
moment, sys.argv = sys.argv[1], ["open311", "settings"]
imports = builtins.__import__

def interrupting(name, *rest):
    if moment == f"import {name}":
        signal.raise_signal(signal.SIGINT)
    return imports(name, *rest)

def interrupt(*_):
    signal.raise_signal(signal.SIGINT)

builtins.__import__ = interrupting
if moment == "import open311.cli.documents":
    import importlib
    usual = importlib.import_module
    importlib.import_module = lambda name: interrupt() if name.endswith("documents") else usual(name)
if moment == "main.callback()":
    import open311.settings
    open311.settings.Settings.from_environ = classmethod(interrupt)
from open311.__main__ import main
main()
"""
