"""Runs a neighbour as a process: `python -m tests.world --port 8311 --file city.journal --dialect like_ours`.

The process prints its origin as one line. It ends at SIGTERM, or with `--with-parent` when its standard input ends.
Its staff are at `POST /_world/ACT`, as `NeighbourProcess` calls them.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.world.city import ODD_SERVICES, SERVICES
from tests.world.dialects import PRESETS
from tests.world.faults import from_plain
from tests.world.neighbour import Neighbour


def main() -> None:
    """Serve until the end."""
    chosen = _arguments()
    switches: dict[str, Any] = dict(map(_switch, chosen.switch))
    dialect = replace(PRESETS[chosen.dialect], **switches)
    city = Neighbour(
        dialect=dialect,
        faults=[from_plain(json.loads(each)) for each in chosen.fault],
        seed=chosen.seed,
        services=ODD_SERVICES if chosen.odd_services else SERVICES,
        ids=chosen.ids,
        city_id=chosen.city_id,
        file=chosen.file,
        port=chosen.port,
        is_remote=True,
    )
    is_over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: is_over.set())
    if chosen.with_parent:
        threading.Thread(target=_follow_parent, args=(is_over,), daemon=True).start()
    city.up()
    sys.stdout.write(f"{city.origin}\n")
    sys.stdout.flush()
    is_over.wait()
    city.end()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.world", description="A neighbour that may misbehave.")
    parser.add_argument("--port", type=int, default=0, help="0 for any free port")
    parser.add_argument("--file", type=Path, help="its journal; without a journal, it forgets all when it ends")
    parser.add_argument("--dialect", choices=sorted(PRESETS), default="standard")
    parser.add_argument("--switch", action="append", default=[], help="NAME=JSON, such as page_size=20")
    parser.add_argument("--fault", action="append", default=[], help='JSON, such as {"kind": "drop", "on": "POST"}')
    parser.add_argument("--seed", type=int, default=0, help="of faults by chance")
    parser.add_argument("--ids", default="C", help="the prefix of request ids")
    parser.add_argument("--city-id", default="neighbour.example")
    parser.add_argument("--odd-services", action="store_true", help="codes with colons, spaces and slashes")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input ends")
    return parser.parse_args()


def _follow_parent(is_over: threading.Event) -> None:
    sys.stdin.read()
    is_over.set()


def _switch(text: str) -> tuple[str, object]:
    name, _, value = text.partition("=")
    found = json.loads(value)
    return name, tuple(found) if isinstance(found, list) else found


if __name__ == "__main__":
    main()
