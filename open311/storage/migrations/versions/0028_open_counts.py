"""Sums over open requests, and the reporters' answers in the statistics."""

from __future__ import annotations

from alembic import op

from open311.storage.migrations.indexes import build_indexes

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

LARGE_INDEXES = {
    "counted_request_due_idx": """counted_request
        (jurisdiction_id, due_at, service_code, department, area, requested_on, target, place)
        WHERE hours IS NULL""",
}
"""`open311 db migrate` builds it concurrently before this migration runs. The previous release can use it too."""
REPLACED = {
    "counted_request_open_idx": """counted_request
        (jurisdiction_id, service_code, department, area, requested_on, due_at, target, place)
        WHERE hours IS NULL""",
}
CUTS = {
    "all": "'', '', ''",
    "department": "'', department, ''",
    "service": "service_code, department, ''",
    "area": "'', '', area",
    "area_department": "'', department, area",
    "service_area": "service_code, department, area",
}

TABLES = """
ALTER TABLE counted_request ADD feedback TEXT;
ALTER TABLE closed_count ADD asked INTEGER, ADD solved INTEGER, ADD partly INTEGER, ADD not_solved INTEGER;
CREATE TABLE open_count (
    jurisdiction_id TEXT NOT NULL,
    cut TEXT NOT NULL,
    grain TEXT NOT NULL,
    service_code TEXT NOT NULL,
    department TEXT NOT NULL,
    area TEXT NOT NULL,
    period DATE NOT NULL,
    open INTEGER NOT NULL,
    overdue INTEGER NOT NULL,
    matched INTEGER NOT NULL,
    ambiguous INTEGER NOT NULL,
    not_managed INTEGER NOT NULL,
    CONSTRAINT open_count_pkey PRIMARY KEY (jurisdiction_id, cut, grain, area, service_code, department, period)
) WITH (fillfactor = 80);
CREATE INDEX open_count_service_idx ON open_count (jurisdiction_id, cut, grain, service_code, period)
    WHERE cut = 'service_area';
CREATE INDEX open_count_period_idx ON open_count (jurisdiction_id, cut, grain, period)
    WHERE cut <> 'service_area';
CREATE TABLE overdue_mark (
    jurisdiction_id TEXT NOT NULL,
    due_before TIMESTAMPTZ NOT NULL,
    CONSTRAINT overdue_mark_pkey PRIMARY KEY (jurisdiction_id)
);
CREATE TABLE feedback (
    jurisdiction_id TEXT NOT NULL,
    request_id BIGINT NOT NULL,
    answer TEXT DEFAULT '' NOT NULL,
    CONSTRAINT feedback_pkey PRIMARY KEY (jurisdiction_id, request_id)
);
"""
SUMS = """
INSERT INTO open_count
SELECT jurisdiction_id, '[CUT]', grain, [KEYS], date_trunc(grain, requested_on)::date AS period,
    count(*), count(*) FILTER (WHERE due_at < now()), count(*) FILTER (WHERE target = 'matched'),
    count(*) FILTER (WHERE target = 'ambiguous'), count(*) FILTER (WHERE target = 'not_managed')
FROM counted_request, unnest(ARRAY['day', 'month']) AS grain
WHERE hours IS NULL [PLACE]
GROUP BY 1, 2, 3, 4, 5, 6, 7
"""
MARKS = "INSERT INTO overdue_mark SELECT DISTINCT jurisdiction_id, now() FROM open_count"
ANSWERS = """
INSERT INTO feedback
SELECT DISTINCT ON (given.jurisdiction_id, given.request_id)
    given.jurisdiction_id, given.request_id, given.data ->> 'answer'
FROM request_event AS given
WHERE given.kind = 'feedback' AND EXISTS (SELECT FROM follower) AND NOT EXISTS (
    SELECT FROM request_event AS later
    WHERE later.jurisdiction_id = given.jurisdiction_id AND later.request_id = given.request_id
        AND later.id > given.id AND later.kind = 'status'
)
ORDER BY given.jurisdiction_id, given.request_id, given.id DESC
"""


def upgrade() -> None:
    """Add the sums, and let the worker check all counts soon: the previous release does not keep these sums."""
    build_indexes(op.get_bind(), LARGE_INDEXES)
    op.execute(TABLES)
    for cut, keys in CUTS.items():
        place = "" if "area" in cut else "AND place = 0"
        op.execute(SUMS.replace("[CUT]", cut).replace("[KEYS]", keys).replace("[PLACE]", place))
    op.execute(MARKS)
    op.execute(ANSWERS)
    op.execute("UPDATE statistics_check SET checked_at = checked_at - interval '1 day'")
    op.execute(f"DROP INDEX {', '.join(REPLACED)}")


def downgrade() -> None:
    """Drop them."""
    build_indexes(op.get_bind(), REPLACED)
    op.execute(f"DROP INDEX {', '.join(LARGE_INDEXES)}")
    op.execute("DROP TABLE feedback, overdue_mark, open_count")
    op.execute("ALTER TABLE counted_request DROP feedback")
    op.execute("ALTER TABLE closed_count DROP asked, DROP solved, DROP partly, DROP not_solved")
