"""The server passes the conformance suite behind PgBouncer, and no more checks are skipped than without it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from open311.settings import Settings
from spec.conformance.report import Outcome
from tests.conformance.conftest import preparing, serving
from tests.conformance.test_our_server import UNCHECKED, readable, report_on, skipped
from tests.pgbouncer import pooling


@pytest.mark.long
def test_the_suite_passes_behind_a_pooler(make_database: Callable[[str], str], tmp_path: Path) -> None:
    url = make_database("pooled")
    with pooling(url, default_pool_size="2") as pooler:
        more = {
            "DATABASE_URL": pooler.url,
            "OPEN311_DIRECT_DATABASE_URL": url,
            "OPEN311_PREPARE_STATEMENTS": "false",
        }
        side = Settings(database_url=make_database("pooled_side"), post_rate="", log_level="error")
        with serving(url, tmp_path, more) as served, preparing(served, side) as prepared:
            report = report_on(served, prepared)
    assert readable(report.with_outcome(Outcome.FAILED)) == []
    assert report.conforms
    assert skipped(report).keys() == UNCHECKED.keys()
