"""The SQL of one page, one request and one POST, run by pgbench without a server."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.cpu import cpu_ns, ended_children_s
from tests.benchmarks.data import CITY, Data
from tests.benchmarks.load import Outcome, Refused

NAME = "pgbench"
TITLE = "the same SQL, run by pgbench"
CLIENTS = 4
PAGE = (
    f"SELECT json FROM publication WHERE jurisdiction_id = '{CITY}' AND visibility = 'public'"
    " AND requested_at >= now() - interval '90 days' ORDER BY requested_at DESC, id DESC LIMIT {rows};\n"
)
ONE = (
    "\\set n random(1, {rows})\n"
    f"SELECT json FROM publication WHERE jurisdiction_id = '{CITY}'"
    " AND service_request_id = '311-' || lpad((:n)::text, 8, '0') AND visibility <> 'withdrawn';\n"
)
KEYS = {"service_request": "id", "reporter": "request_id", "request_event": "request_id", "publication": "id"}
"""The tables that a POST writes, in this order, with the column that contains the request's number."""
_RATE = re.compile(r"tps = ([\d.]+) \(without initial")


@dataclass(slots=True)
class Script:
    """A script that pgbench runs repeatedly with prepared statements and as many clients as a server has."""

    data: Data
    file: Path
    name: str = NAME
    _runs: int = 0

    def run(self, count: int) -> tuple[Outcome, float]:
        """Run the script `count` times, rounded to a multiple of the number of clients."""
        turns = max(1, count // CLIENTS)
        self._runs += 1
        dsn = self.data.dsn_parts
        where = ["-h", dsn["host"], "-p", dsn["port"], "-U", dsn["user"]]
        how = ["-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "1", "-t", str(turns), "-f", str(self.file)]
        variables = ["-D", f"run={self._runs}", "-D", "serial=0"]
        before = cpu_ns([self.data.postmaster]), ended_children_s()
        command = [NAME, *where, *how, *variables, dsn["dbname"]]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        spent = (cpu_ns([self.data.postmaster]) - before[0]) / 1e9 + ended_children_s() - before[1]
        rate = _RATE.search(done.stdout)
        if done.returncode or rate is None:
            raise Refused(f"pgbench: {done.stdout}{done.stderr}")
        return Outcome(seconds=count / float(rate[1])), spent * count / (turns * CLIENTS)


def scripts(data: Data, folder: Path, posted_id: str) -> dict[str, Script]:
    """The scripts by workload; none if pgbench is not installed.

    posted_id  the id of a posted request; the script writes the rows of this request again, with other numbers
    """
    if shutil.which(NAME) is None:
        return {}
    texts = {
        "page": PAGE.format(rows=1001),
        "small": PAGE.format(rows=51),
        "one": ONE.format(rows=data.rows),
        "post": _post(data, posted_id),
    }
    made = {}
    for name, text in texts.items():
        file = folder / f"pgbench-{name}.sql"
        file.write_text(text, encoding="utf-8")
        made[name] = Script(data, file)
    return made


def _post(data: Data, posted_id: str) -> str:
    """One durable transaction that writes the rows of one POST again, row by row."""
    lines = ["\\set serial :serial + 1", "\\set n 100000000 * :run + 10000000 * :client_id + :serial", "BEGIN;"]
    with data.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM service_request WHERE jurisdiction_id = %s AND service_request_id = %s",
            (CITY, posted_id),
        )
        number = cursor.fetchone()[0]
        for table, key in KEYS.items():
            columns = _columns(cursor, table)
            texts = ", ".join(f'"{column}"::text' for column in columns)
            cursor.execute(f"SELECT {texts} FROM {table} WHERE jurisdiction_id = %s AND {key} = %s", (CITY, number))
            for row in cursor.fetchall():
                values = dict(zip(columns, map(_literal, row), strict=True)) | {key: ":n"}
                if "service_request_id" in values:
                    values["service_request_id"] = "'311-' || (:n)::text"
                names = ", ".join(f'"{column}"' for column in values)
                lines.append(f"INSERT INTO {table} ({names}) VALUES ({', '.join(values.values())});")
    return "\n".join([*lines, "END;", ""])


def _columns(cursor: Any, table: str) -> list[str]:
    """The columns that our statements fill."""
    cursor.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
        " AND attidentity = '' AND attname <> 'written_by' ORDER BY attnum",
        (table,),
    )
    return [row[0] for row in cursor.fetchall()]


def _literal(text: str | None) -> str:
    """An SQL literal without colons, because pgbench reads :word as a variable, even inside quotes."""
    if text is None:
        return "NULL"
    return "E'" + text.replace("\\", "\\\\").replace("'", "''").replace(":", "\\x3a") + "'"
