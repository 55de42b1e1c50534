"""The example package outside this project: it can be installed, its entry points are found, its tests pass."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "spec" / "examples" / "backend"
PROGRAM = """
from open311.plugins.backends import kind_fault, kinds
from open311.plugins.registry import load_registry
registry = load_registry(["riverton"])
assert not registry.faults, registry.faults
[city] = registry
[config] = city.backends
assert (config.kind, config.job_types) == ("riverton-works", {"pothole": "P1"})
assert not kind_fault("riverton-works")
assert sorted(kinds()) == ["email", "file", "open311", "riverton-works", "webhook"]
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process that has the package."""
    source, target = tmp_path_factory.mktemp("source") / "backend", tmp_path_factory.mktemp("installed")
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check", "--target"]
    command = [sys.executable, "-m", "pip", "install", "-qq", *options, str(target), str(source)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return {**os.environ, "PYTHONPATH": str(target), "PYTHONDONTWRITEBYTECODE": "1"}


def run(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, *arguments]
    found = subprocess.run(command, env=environment, cwd=EXAMPLE, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def test_the_city_and_its_kind_are_found(installed: dict[str, str]) -> None:
    run(installed, "-c", PROGRAM)
    assert "riverton" in run(installed, "-m", "open311", "jurisdictions", "check", "riverton").lower()


def test_the_tests_of_the_package_pass(installed: dict[str, str]) -> None:
    options = ("-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(EXAMPLE))
    assert "2 passed" in run(installed, "-m", "pytest", *options, "tests")


def test_the_package_imports_only_the_public_interface_and_is_short() -> None:
    lines = 0
    for path in EXAMPLE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        lines += len(text.splitlines())
        for node in ast.walk(ast.parse(text)):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            assert not isinstance(node, ast.Import) or all("open311" not in one.name for one in node.names)
            assert not module.startswith("open311") or module.startswith("open311.plugins"), (
                f"{path.name}: {module}"
            )
    assert lines <= 150, lines
