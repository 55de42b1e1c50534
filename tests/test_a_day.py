"""spec/a-day.md is true: each command runs against real processes, and each answer holds what the page shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from open311.settings import Settings
from tests.ports import free_port
from tests.test_readme import new_key, serving

PAGE = (Path(__file__).parents[1] / "spec" / "a-day.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sh|text)\n(.*?)^```\n", PAGE, re.MULTILINE | re.DOTALL)
END = "--- end of block"
ASK_AGAIN = """
curl() {
    case "${@: -1}" in
    */changes.json*) until command curl -sS --head "${@: -1}" | grep -qi "^x-caught-up: true"; do sleep 0.2; done;;
    esac
    command curl "$@"
}
"""
"""The feed of changes waits for older transactions, also for those of other tests. So
this `curl` asks until the feed has caught up (K5), and then runs the command of the page.
"""
needs_shell = pytest.mark.skipif(
    shutil.which("curl") is None or shutil.which("bash") is None, reason="there is no curl or bash on this machine"
)


def test_each_block_of_commands_is_followed_by_what_it_shows() -> None:
    assert [kind for kind, _ in BLOCKS] == ["sh", "text"] * (len(BLOCKS) // 2)
    assert len(BLOCKS) > 20


@needs_shell
def test_the_commands_of_the_page_give_the_answers_that_the_page_shows(
    make_database: Callable[[str], str], tmp_path: Path
) -> None:
    settings = Settings(database_url=make_database("a_day"), jurisdictions=("demo",), port=free_port())
    environment = dict(os.environ) | {
        "BASE": f"http://127.0.0.1:{settings.port}",
        "KEY": new_key(settings),
        "DATABASE_URL": settings.database_url,
        "OPEN311_JURISDICTIONS": "demo",
        "OPEN311_LOG_LEVEL": "error",
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
    }
    script = (
        "set -eu\n" + ASK_AGAIN + "".join(f"{text}echo\necho '{END}'\n" for kind, text in BLOCKS if kind == "sh")
    )
    with serving(settings):
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    answers = done.stdout.split(END)
    shown = [text for kind, text in BLOCKS if kind == "text"]
    for number, (answer, expected) in enumerate(zip(answers, shown, strict=False)):
        for line in expected.splitlines():
            if line.startswith("not: "):
                assert line.removeprefix("not: ") not in answer, f"block {number + 1}: {answer[-1500:]}"
            else:
                assert line in answer, f"block {number + 1} lacks {line}: {answer[-1500:]}"
