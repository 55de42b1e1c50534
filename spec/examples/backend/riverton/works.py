"""The kind `riverton-works`: the program of Riverton's works department."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from open311.plugins import (
    Accepted,
    Backend,
    Case,
    CaseUpdate,
    Context,
    HttpAnswer,
    HttpConfig,
    LookUpFailed,
    Page,
    Result,
    Secret,
)
from open311.plugins.declared.backends import HttpTable, SecretSource
from open311.plugins.declared.keys import ByCode, Text
from open311.plugins.documents import read_update


@dataclass(frozen=True, kw_only=True)
class WorksConfig(HttpConfig):
    """The configuration of this kind."""

    api_key: Secret
    job_types: Mapping[str, str] = field(default_factory=dict)


class WorksTable(HttpTable):
    """The keys of this kind in `backends.toml`."""

    makes = WorksConfig

    api_key = SecretSource("The key that the works department has given to us", is_required=True)
    job_types = ByCode(Text(), "Our service codes, and its types of jobs")


class WorksBackend(Backend):
    """In the program, a request is a job.

    The program finds jobs by our reference, so lost answers can be looked up.
    """

    table = WorksTable
    can_look_up = True
    takes_updates = True
    gives_updates = True

    def __init__(self, config: WorksConfig, context: Context) -> None:
        super().__init__(config, context)
        self._headers = {"X-Api-Key": config.api_key.read()}
        self._http = context.open_http(config)

    def send(self, case: Case, key: str) -> Result:
        """Make a job."""
        job = {
            "ref": key,
            "type": self.config.job_types.get(case.service_code, "OTHER"),
            "place": case.place.point,
            "text": "\n".join(filter(None, (case.place.address, case.description))),
        }
        answer = self._post("/jobs", job)
        return self._job(answer.json()) if answer.is_ok else answer.result()

    def look_up(self, case: Case, key: str) -> Accepted | None:
        """Find the job with our reference."""
        jobs = self._read("/jobs", {"ref": key})
        return self._job(jobs[0]) if jobs else None

    def send_update(self, update: CaseUpdate, key: str) -> Result:
        """Write into the diary of the job."""
        return self._post(f"/jobs/{update.remote_id}/diary", {"ref": key, "state": update.status}).result()

    def updates(self, cursor: str) -> Page:
        """Read the updates after a number, which is the cursor."""
        news = self._read("/news", {"after": cursor or "0"})
        found = [read_update({**one, "service_request_id": one.get("job")}) for one in news]
        return Page(found, str(max((int(one["update_id"]) for one in news), default=cursor or "0")))

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def _post(self, path: str, data: object) -> HttpAnswer:
        return self._http.send("POST", path, headers=self._headers, body=json.dumps(data).encode())

    def _read(self, path: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        answer = self._http.send("GET", path, headers=self._headers, query=list(query.items()))
        if not answer.is_ok:
            raise LookUpFailed(answer.result())
        found = answer.json()
        if not isinstance(found, list):
            raise LookUpFailed(answer.unreadable())
        return found

    def _job(self, data: Any) -> Accepted:
        return Accepted(str(data.get("job", "")) if isinstance(data, dict) else "")
