"""Real load balancers in front of web hosts, with the configuration of the operator's guide."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.guide import FILES, HAPROXY, SITE, UPSTREAM
from tests.ports import free_port
from tests.processes import is_listening
from tests.waiting import until

HOSTS = ("10.0.0.11:3111", "10.0.0.12:3111")
"""The addresses of the web hosts in the guide."""
NAMES = ("nginx", "haproxy")


def installed() -> list[str]:
    """The names of the balancers that this machine has."""
    return [name for name in NAMES if shutil.which(name)]


@contextmanager
def balancing(name: str, folder: Path, ports: Sequence[int]) -> Iterator[int]:
    """Run a balancer in front of hosts on these ports. Gives the port that it listens on, without TLS."""
    port = free_port()
    folder.mkdir(parents=True)
    command = {"nginx": _nginx, "haproxy": _haproxy}[name](folder, port, ports)
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            until(lambda: is_listening(port), f"{name} to listen")
            yield port
        finally:
            process.terminate()


def _nginx(folder: Path, port: int, ports: Sequence[int]) -> list[str]:
    site = FILES[SITE].split("\n}\n", 1)[1]  # without the server that redirects http to https
    site = re.sub(r"^ *ssl_\w+ .*;\n", "", site, flags=re.MULTILINE)
    site = _replaced(site, "listen 443 ssl", f"listen 127.0.0.1:{port}")
    site = site.replace("http://127.0.0.1:3111", "http://open311")
    hosts = _with_ports(FILES[UPSTREAM], ports)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log stderr;\n"
        f"events {{}}\nhttp {{ access_log off; {folders}\n{hosts}\n{site}\n}}\n"
    )
    return ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(file)]


def _haproxy(folder: Path, port: int, ports: Sequence[int]) -> list[str]:
    text = _with_ports(FILES[HAPROXY], ports)
    text = re.sub(r"bind :443 .*", f"bind 127.0.0.1:{port}", text)
    text = re.sub(r"^ *(log|bind :80|http-request redirect) .*\n", "", text, flags=re.MULTILINE)
    file = folder / "haproxy.cfg"
    file.write_text(text)
    return ["haproxy", "-db", "-f", str(file)]


def _with_ports(text: str, ports: Sequence[int]) -> str:
    for host, port in zip(HOSTS, ports, strict=True):
        text = _replaced(text, host, f"127.0.0.1:{port}")
    return text


def _replaced(text: str, old: str, new: str) -> str:
    assert old in text, f"the guide has no {old}"
    return text.replace(old, new)
