"""The locks satisfy setup.cfg on every Python and platform, and agree with each other."""

from __future__ import annotations

import configparser
import json
import tomllib
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[1]
EXTRAS = {
    "run": (),
    "dev": ("dev",),
    "bench": ("bench",),
    "browser": ("dev", "browser"),
    "clients": ("clients",),
    "server": ("geoparquet", "heic", "mcp", "mqtt", "otel", "redis", "s3"),
}
PYTHONS = ("3.11", "3.12", "3.13")
MACHINES = (("linux", "Linux", "x86_64"), ("linux", "Linux", "aarch64"), ("darwin", "Darwin", "arm64"))


def environments() -> Iterator[dict[str, str]]:
    for python, (platform, system, machine) in product(PYTHONS, MACHINES):
        yield {
            "implementation_name": "cpython",
            "os_name": "posix",
            "platform_machine": machine,
            "platform_python_implementation": "CPython",
            "platform_system": system,
            "python_full_version": f"{python}.5",
            "python_version": python,
            "sys_platform": platform,
        }


def text_of(name: str) -> str:
    return (REPOSITORY / ".lock" / f"{name}.txt").read_text(encoding="utf-8")


def locked(name: str, environment: dict[str, str]) -> dict[str, Requirement]:
    """The releases that a lock has for an environment, by name of the package."""
    releases: dict[str, Requirement] = {}
    for line in text_of(name).splitlines():
        if not line.startswith(" "):
            release = Requirement(line.removesuffix(" \\"))
            if release.marker is None or release.marker.evaluate(environment):
                package = canonicalize_name(release.name)
                assert package not in releases, f"{name}.txt has {package} twice for {environment}"
                releases[package] = release
    return releases


def wanted(name: str) -> list[Requirement]:
    """The requirements of setup.cfg for a lock, and the build requirements."""
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    with (REPOSITORY / "pyproject.toml").open("rb") as file:
        lines = tomllib.load(file)["build-system"]["requires"]
    lines += setup["options"]["install_requires"].split("\n")
    for extra in EXTRAS[name]:
        lines += setup["options.extras_require"][extra].split("\n")
    return [Requirement(line) for line in lines if line]


@pytest.mark.parametrize("name", EXTRAS)
def test_every_requirement_is_locked_to_a_matching_release(name: str) -> None:
    for environment in environments():
        releases = locked(name, environment)
        for requirement in wanted(name):
            if requirement.marker is None or requirement.marker.evaluate(environment):
                release = releases.get(canonicalize_name(requirement.name))
                assert release, f".lock/{name}.txt lacks {requirement}: run `make lock`"
                version = next(iter(release.specifier)).version
                assert version in requirement.specifier, f"{release} is not {requirement}: run `make lock`"
                assert requirement.extras <= release.extras, f"{release} is not {requirement}: run `make lock`"


def test_all_locks_contain_the_run_lock_and_the_same_releases() -> None:
    for environment in environments():
        run = locked("run", environment)
        seen: dict[str, str] = {}
        for name in EXTRAS:
            releases = locked(name, environment)
            assert run.keys() <= releases.keys(), f".lock/{name}.txt lacks packages of .lock/run.txt"
            for package, release in releases.items():
                assert seen.setdefault(package, str(release.specifier)) == str(release.specifier), (
                    f"two locks have different releases of {package}: run `make lock`"
                )


def test_the_npm_lock_has_an_exact_release_for_each_package_and_no_registry() -> None:
    folder = REPOSITORY / "tests" / "clients" / "typescript"
    lock = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    wanted = json.loads((folder / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    assert lock.pop("")["devDependencies"] == wanted
    assert {name: lock[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    for name, release in lock.items():
        assert release["integrity"], name
        assert "resolved" not in release, (
            f"{name}: run npm install in {folder.name}, where .npmrc omits the registry"
        )


def test_every_lock_is_tested() -> None:
    assert {path.stem for path in (REPOSITORY / ".lock").iterdir()} == set(EXTRAS)
