"""Several processes import a long file with the same result, and the same order of rows, as one process."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest

from open311.clock import utc_now
from open311.errors import Invalid
from open311.formats.reading import Source, SourceItem, open_source
from open311.operations.importing import processes as import_processes
from open311.operations.importing.batches import Batch, Import, Tally
from open311.operations.importing.processes import Processes, _side_by_side
from open311.operations.platform import Platform
from tests.waiting import until

SAMPLES = Path(__file__).parent.parent / "samples"
WAIT_S = 60
KILLED = """
import os, signal
from open311.operations.importing.processes import Processes
from open311.operations.platform import open_platform
from open311.settings import Settings
if __name__ == "__main__":
    platform = open_platform(Settings(database_url="postgresql://nobody@/none"))
    with Processes(platform, 2) as processes:
        processes._helpers().submit(int).result()
        print("helpers are there", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""
HEADER = "service_request_id,service_code,status,requested_datetime,updated_datetime,description\n"


@pytest.fixture(autouse=True)
def every_file_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat every file as long enough for helper processes."""
    monkeypatch.setattr(import_processes, "ALONE_ROWS", 0)


@pytest.fixture
def order(platform: Platform) -> Import:
    return Import(jurisdiction=platform.registry.find("city.example"), origin="a.csv", now=utc_now(), batch_rows=40)


def file_of(count: int) -> str:
    """A file in which every 7th row is repeated later as closed, and every 30th row has no opening time."""
    opened = "2026-04-03T14:10:00Z"
    first = [f"{n},potholes,open,{opened if n % 30 else ''},,Deep\n" for n in range(1, count + 1)]
    repeated = [f"{n},potholes,closed,{opened},2026-04-05T08:00:00Z,\n" for n in range(1, count, 7)]
    return HEADER + "".join(first + repeated)


def source(text: str) -> Source:
    return open_source(io.BytesIO(text.encode()))


def stored(platform: Platform) -> list[Any]:
    """All stored data of an import, except internal numbers and the time of the import."""
    with platform.database.reading() as connection:
        return [
            connection.exec_driver_sql(query).scalars().all()
            for query in (
                "SELECT to_jsonb(r) - 'id' FROM service_request r ORDER BY service_request_id",
                "SELECT to_jsonb(p) - 'id' - 'written_by' FROM publication p ORDER BY service_request_id",
                "SELECT e.kind || e.description FROM request_event e JOIN service_request r"
                " ON r.id = e.request_id ORDER BY service_request_id, e.id",
            )
        ]


def test_several_processes_store_the_same_as_one(platform: Platform, order: Import) -> None:
    outcomes = []
    for count in (1, 2):
        with Processes(platform, count) as processes:
            batches = list(processes.import_source(source(file_of(300)), order))
        outcomes.append((batches, stored(platform)))
        with platform.database.transaction() as connection:
            connection.exec_driver_sql("DELETE FROM service_request")
    assert outcomes[0] == outcomes[1]
    tally = sum((batch.tally for batch in outcomes[1][0]), Tally())
    assert (tally.read, tally.new, tally.changed, tally.refused) == (343, 291, 42, 10)


def test_a_batch_that_a_deadlock_has_ended_is_imported_again(platform: Platform, order: Import) -> None:
    """The other transaction locks the second request, and then the first one, as a command on both may do."""
    lock = "SELECT 1 FROM service_request WHERE service_request_id = '{}' FOR UPDATE"
    blocked = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    opened = "2026-04-03T14:10:00Z"

    def waits() -> bool:
        with platform.database.reading() as connection:
            return bool(connection.exec_driver_sql(blocked).all())

    rows = "".join(f"{n},potholes,{{}},{opened},{{}},Deep\n" for n in (1, 2))
    with Processes(platform, 1) as processes, ThreadPoolExecutor(1) as pool:
        list(processes.import_source(source(HEADER + rows.format("open", "", "open", "")), order))
        changes = ("closed", "2026-04-05T08:00:00Z") * 2
        with platform.database.transaction() as other:
            other.exec_driver_sql(lock.format(2))
            batches = processes.import_source(source(HEADER + rows.format(*changes)), order)
            found = pool.submit(list[Batch], batches)
            until(waits, "the import to wait for a lock")
            other.exec_driver_sql(lock.format(1))
        (batch,) = found.result(WAIT_S)
    assert (batch.tally.read, batch.tally.changed) == (2, 2)


def test_a_stopped_or_failed_import_yields_every_stored_batch(platform: Platform, order: Import) -> None:
    complete_source = source(file_of(200))
    found = list(complete_source.found)[:200]

    def failing(error: BaseException, rows: list[SourceItem]) -> Iterator[SourceItem]:
        yield from rows
        raise error

    batches: list[Batch] = []
    with Processes(platform, 2) as processes:
        for error, rows in ((Invalid("is cut off."), found[:90]), (KeyboardInterrupt(), found[90:])):
            with pytest.raises(type(error)):
                batches.extend(processes.import_source(replace(complete_source, found=failing(error, rows)), order))
    with platform.database.reading() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM service_request").scalar_one()
    assert sum(batch.tally.new for batch in batches) == count
    assert sum(batch.tally.read for batch in batches[:3]) == 90


def test_ctrl_c_ends_a_single_process_after_the_batch_is_counted(platform: Platform, order: Import) -> None:
    handler = signal.getsignal(signal.SIGINT)
    with Processes(platform, 1) as single_process:
        batches = single_process.import_source(source(file_of(300)), order)
        stored_batches = [next(batches)]
        signal.raise_signal(signal.SIGINT)  # as if Ctrl-C was pressed right after the batch was stored
        with pytest.raises(KeyboardInterrupt):
            stored_batches.extend(batches)
    assert len(stored(platform)[0]) == sum(batch.tally.new for batch in stored_batches) > 0
    assert signal.getsignal(signal.SIGINT) is handler


def test_helpers_ignore_ctrl_c_which_a_terminal_sends_to_all_processes(platform: Platform, order: Import) -> None:
    with Processes(platform, 2) as processes:
        batches = processes.import_source(source(file_of(300)), order)
        stored_batches = [next(batches)]
        helpers = [child.pid for child in active_children() if child.pid]
        assert len(helpers) == 2
        for batch in batches:
            stored_batches.append(batch)
            for helper in helpers:
                os.kill(helper, signal.SIGINT)
    assert sum(batch.tally.read for batch in stored_batches) == 343


def test_helpers_end_when_their_import_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    # The helpers inherit the standard output of the import, so the output ends when the helpers end.
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=WAIT_S)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "helpers are there\n"), done.stderr


def test_a_dry_run_stores_nothing(platform: Platform, order: Import) -> None:
    with Processes(platform, 2) as processes:
        list(processes.import_source(source(file_of(100)), replace(order, is_dry_run=True)))
    assert stored(platform) == [[], [], []]


class Slow(Future[Batch]):
    """A future that counts as running until somebody asks for its result."""

    def __init__(self, ids: set[str], in_work: set[str]) -> None:
        super().__init__()
        self.ids, self.in_work = ids, in_work
        assert in_work.isdisjoint(ids)
        in_work |= ids

    def result(self, timeout: float | None = None) -> Batch:
        self.in_work -= self.ids
        return Batch(Tally(read=len(self.ids)), ())


def test_chunks_with_a_common_id_never_run_at_the_same_time() -> None:
    in_work: set[str] = set()
    words = ["ab", "cd", "be", "fgh", "a", "ij"] * 20
    chunks: Any = ((set(word), word) for word in words)
    results = _side_by_side(chunks, lambda word: Slow(set(word), in_work), most=3)  # type: ignore[arg-type]
    assert [batch.tally.read for batch in results] == [len(word) for word in words]
    assert not in_work
