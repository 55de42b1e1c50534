"""The WSGI application that any WSGI server loads."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from open311.settings import Settings

CALL = """
from werkzeug.test import Client
from wsgi import application
print(Client(application).get("/open311/v2/services.json").status_code)
"""


def load(**environment: str) -> subprocess.CompletedProcess[str]:
    other_variables = {
        name: value for name, value in os.environ.items() if not name.startswith(("OPEN311", "DATABASE"))
    }
    return subprocess.run(
        [sys.executable, "-c", CALL],
        env=other_variables | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_application_uses_the_environments_settings(settings: Settings) -> None:
    done = load(DATABASE_URL=settings.database_url, OPEN311_JURISDICTIONS="demo")
    assert done.stdout == "200\n", done.stderr


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "DATABASE_URL: is not set; it must look like postgresql://user:password@host/name."),
        ({"OPEN311_PORT": "x"}, "OPEN311_PORT: must be a whole number, not 'x'"),
    ],
)
def test_the_last_line_of_output_names_a_wrong_setting(environment: dict[str, str], words: str) -> None:
    done = load(**environment)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(words)
