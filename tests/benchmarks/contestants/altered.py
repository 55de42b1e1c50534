"""Our server without one of its optimisations, so that the effect of each optimisation can be measured.

`python -m tests.benchmarks.contestants.altered NAME serve …` runs `open311 serve …` with one of `CHANGES`. A change
replaces optimised code by plain code. The numbers in titles are the numbers of spec/decisions/.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from open311.cli.memory import collection_paused, use_one_blas_thread
from tests.benchmarks.contestants import OURS, Contestant

NO_LIMIT = 2**31 - 1


def quick_lane() -> None:
    """Let Flask serve every call, without the quick lane."""
    _replace("open311.app", "QuickLane", lambda application, endpoints: application)


def forked_application() -> None:
    """Let each web process make its own application, instead of inheriting one."""
    _replace("open311.server.processes", "adopt_orphans", lambda: False)


def caps() -> None:
    """Give prepared pages a literal limit that is too high to help the planner."""
    _replace("open311.storage.hot.kinds", "_CAPS", (NO_LIMIT,))


def one_statement() -> None:
    """Let a POST run the statements of imports and updates, in one SQLAlchemy transaction."""
    from sqlalchemy import insert

    from open311.storage import history, publications, requests
    from open311.storage.tables import reporter

    submitting = import_module("open311.operations.intake.submit_request")

    def store(platform: Any, run: Any, jurisdiction: Any, service: Any, new: Any) -> Any:
        record = new.record
        new = submitting._with_id(new, jurisdiction, jurisdiction.new_id(record.number, record.requested_at))
        key = {"jurisdiction_id": jurisdiction.id, "request_id": record.number}
        with platform.database.transaction() as connection:
            requests.add_records(connection, [new.record])
            history.insert_histories(connection, [(new.record, new.events)])
            connection.execute(insert(reporter), key | _fields(new.reporter))
            publications.write_publications(connection, [new.publication])
        return new

    _replace("open311.operations.intake.submit_request", "_store", store)


def _fields(reporter: Any) -> dict[str, str]:
    return {name: getattr(reporter, name) for name in reporter.__dataclass_fields__}


def _replace(module: str, name: str, value: Any) -> None:
    target = import_module(module)
    if not hasattr(target, name):
        raise LookupError(f"{module} has no {name} any more; write the new name in {__file__}")
    setattr(target, name, value)


CHANGES = {change.__name__: change for change in (quick_lane, forked_application, caps, one_statement)}


def _altered(
    name: str, title: str, *, extra_workloads: tuple[str, ...] = (), without: str = "", **settings: str
) -> Contestant:
    """Our server with a change from `CHANGES`, which removes one optimisation, or with other settings."""
    python, _, _, *words = OURS.command
    program = (f"{__package__}.altered", without) if without else ("open311",)
    return Contestant(
        name=name,
        title=title,
        command=(python, "-m", *program, *words),
        environment={**OURS.environment, **settings},
        extra_workloads=extra_workloads,
    )


ONE_EACH = _altered("one-each", "each web process makes its own application (0021)", without="forked_application")
"""This server takes no part in rounds, because forking only makes the start quicker and saves memory."""
ALTERED = (
    _altered(
        "flask",
        "Flask serves every call (0019)",
        extra_workloads=("services", "definition", "discovery", "one", "small", "page", "unchanged"),
        without="quick_lane",
    ),
    _altered(
        "unprepared",
        "no plan is kept (0023)",
        extra_workloads=("one", "small", "page", "unchanged", "post"),
        OPEN311_PREPARE_STATEMENTS="false",
    ),
    _altered(
        "uncapped",
        "plans are kept, and pages have no literal limit (0023)",
        extra_workloads=("small", "page", "unchanged"),
        without="caps",
    ),
    _altered(
        "statements",
        "a POST is a transaction of several statements (0024)",
        extra_workloads=("post",),
        without="one_statement",
    ),
    _altered(
        "rated",
        "reads are counted: OPEN311_GET_RATE is set",
        extra_workloads=("services", "one", "small", "page"),
        OPEN311_GET_RATE="100000000 per minute",
    ),
)


def main() -> None:
    """Make the named change, then run `open311`."""
    from open311.cli import main as open311

    name, *words = sys.argv[1:]
    use_one_blas_thread()
    with collection_paused():
        CHANGES[name]()
    open311(words, prog_name="open311")


if __name__ == "__main__":
    main()
