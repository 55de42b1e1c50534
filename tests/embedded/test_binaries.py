"""Finding and installing PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from open311.embedded import Cluster, binaries, find_binaries, install_binaries
from open311.errors import Misconfigured


def fake_programs(bin_dir: Path, *, with_postgis: bool) -> Path:
    """A folder of fake programs that looks like PostgreSQL's."""
    share_dir = bin_dir.parent / "share"
    (share_dir / "extension").mkdir(parents=True)
    if with_postgis:
        (share_dir / "extension" / "postgis.control").touch()
    bin_dir.mkdir()
    for name in ("initdb", "postgres", "pg_ctl", "pg_config"):
        (bin_dir / name).write_text(f"#!/bin/sh\necho '{share_dir}'\n")
        (bin_dir / name).chmod(0o755)
    return bin_dir


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Debian's folder for PostgreSQL without content, on a machine without programs in PATH."""
    monkeypatch.setattr(binaries, "DEBIAN_ROOT", tmp_path / "debian")
    monkeypatch.setattr(binaries, "HOMEBREW_ROOTS", ())
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("PG_BINDIR", raising=False)
    return tmp_path / "debian"


def test_the_newest_postgresql_with_postgis_is_used(bare_machine: Path) -> None:
    assert find_binaries() is None
    version_9 = fake_programs(bare_machine / "9.6" / "bin", with_postgis=True)
    assert find_binaries() == version_9
    version_14 = fake_programs(bare_machine / "14" / "bin", with_postgis=True)
    fake_programs(bare_machine / "15" / "bin", with_postgis=False)
    assert find_binaries() == version_14


def test_pg_bindir_is_preferred_and_must_be_valid(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = fake_programs(bare_machine / "own" / "bin", with_postgis=True)
    monkeypatch.setenv("PG_BINDIR", str(own))
    assert find_binaries() == own
    (own / "postgres").unlink()
    with pytest.raises(Misconfigured, match=r"PG_BINDIR=.* holds no PostgreSQL with PostGIS"):
        find_binaries()


def test_the_error_without_postgis_names_all_ways_to_install_it(bare_machine: Path, folder: Path) -> None:
    messages: list[str] = []
    attempts: list[Callable[[], object]] = [lambda: install_binaries(messages.append), Cluster(folder / "pg").hold]
    for attempt in attempts:
        with pytest.raises(Misconfigured) as caught:
            attempt()
        for way in ("DATABASE_URL", "postgresql postgresql-postgis", "brew install postgis", "PG_BINDIR"):
            assert way in str(caught.value)
    assert messages == []


@pytest.mark.parametrize("works", [True, False])
def test_apt_is_tried_as_root_and_its_error_output_is_shown(
    bare_machine: Path, monkeypatch: pytest.MonkeyPatch, works: bool
) -> None:
    programs = bare_machine.parent / "bin"
    programs.mkdir()
    ready = fake_programs(bare_machine.parent / "ready" / "bin", with_postgis=True).parent
    install = f'mkdir -p "{bare_machine}" && cp -a "{ready}" "{bare_machine}/15"' if works else "exit 100"
    scripts = {
        "apt-get": f'echo "E: $*"; case "$*" in *install*) {install};; *) exit 100;; esac',
        "sudo": 'shift; exec "$@"',
        "id": "echo 0",
        "pg_config": "exit 1",
    }
    for name, script in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    messages: list[str] = []
    if works:
        assert install_binaries(messages.append) == bare_machine / "15" / "bin"
    else:
        with pytest.raises(Misconfigured, match=r"E: .*install -y --no-install-recommends"):
            install_binaries(messages.append)
    assert len(messages) == 1
