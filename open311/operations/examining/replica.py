"""What the doctor checks of the replica."""

from __future__ import annotations

from collections.abc import Iterator

from open311.operations.examining.findings import Finding, Trouble, fault, findings, warning
from open311.operations.replica import Replica, View


def check_replica(replica: Replica | None) -> Iterator[Finding]:
    """A replica that does not answer reads, or that may end long reads. Nothing if there is none."""
    if replica is None:
        return
    view = replica.look()
    behind = "" if view.lag_s is None else f", {view.lag_s:.1f} s and {view.lag_bytes:,} bytes behind"
    yield from findings("replica", f"answers reads{behind}", _troubles(view))


def _troubles(view: View) -> Iterator[Trouble]:
    if view.fault:
        seen = 'psql "$OPEN311_REPLICA_URL" -c "SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn()"'
        yield fault(f"the primary answers all reads: {view.fault}", seen)
    elif view.replica is not None and view.replica.is_replica and not view.replica.tells_back:
        yield warning(
            "hot_standby_feedback is off in the replica, so PostgreSQL may end long downloads there",
            "psql \"$REPLICA_ADMIN_URL\" -c 'ALTER SYSTEM SET hot_standby_feedback = on'"
            " -c 'SELECT pg_reload_conf()'",
        )
