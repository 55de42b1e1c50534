"""The statistics of the stub server, by the rules Q1 to Q14 of spec/extensions.md."""

from __future__ import annotations

import csv
from abc import abstractmethod
from collections.abc import Iterator
from datetime import datetime, timedelta
from io import StringIO
from math import ceil
from typing import Any

from tests.spec.stub_extensions import Refusal, Reply, areas_at, department_of
from tests.spec.stub_forecasts import Forecasts

BANDS = {"open_up_to_7_days": 7, "open_up_to_30_days": 30, "open_up_to_90_days": 90, "open_up_to_365_days": 365}
GROUPS = ("", "service", "group", "department", "area", "day", "week", "month")
INSTANT = "trees"
"""The service that the stub calls closed at intake."""


class Statistics(Forecasts):
    """The statistics of StubServer."""

    @abstractmethod
    def has(self, fault: str) -> bool: ...

    def get_stats(self, call: Any, city: dict[str, Any], argument: str, *_: Any) -> Reply:
        if argument:
            return self.get_forecasts(call, argument)
        headers, payload = self.wire(call, "statistics", self.numbers(call, city))
        return self.tagged(call, {**headers, "Cache-Control": "public, max-age=60"}, payload)

    def get_stats_csv(self, call: Any, city: dict[str, Any], *_: Any) -> Reply:
        found = self.numbers(call, city)
        rows = [{**found, **row} for row in found.pop("rows")]
        if self.has("stats in CSV have other numbers"):
            rows = [{**row, "opened": row["opened"] + 1} for row in rows]
        out = StringIO(newline="")
        writer = csv.DictWriter(out, list(rows[0]) if rows else list(found))
        writer.writeheader()
        writer.writerows(rows)
        return 200, {"Content-Type": "text/csv; charset=utf-8; header=present"}, out.getvalue().encode()

    def numbers(self, call: Any, city: dict[str, Any]) -> dict[str, Any]:
        grouping, within_days = call.get("group_by"), call.get("within_days") or "7"
        if not self.has("any group_by is taken"):
            first, last = self.date(call, "start_date"), self.date(call, "end_date") or self.now
            is_long = first is None or last - first > timedelta(days=366)
            if grouping not in GROUPS or (grouping == "day" and is_long):
                raise Refusal(400, f"group_by: {grouping} is unknown, or the period is too long.")
        if within_days not in ("1", "7", "14", "30"):
            raise Refusal(400, f"within_days: {within_days} is unknown; send one of 1, 7, 14, 30.")
        groups: dict[str, list[dict[str, Any]]] = {} if grouping else {"": []}
        for each in self.counted(call, city):
            for key in self.keys(grouping, each["public"], city):
                groups.setdefault(key, []).append(each["public"])
        rows = [self.row(call, key, groups[key], int(within_days)) for key in sorted(groups)]
        return {
            "as_of": None if self.has("stats have no as_of") else self.ago(0),
            "group_by": grouping or None,
            "start_date": call.get("start_date") or None,
            "end_date": call.get("end_date") or None,
            "within_days": int(within_days),
            "days": "calendar",
            "target_days": None,
            "left_out": [INSTANT],
            "rows": rows,
        }

    def counted(self, call: Any, city: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The requests that match the filters."""
        hidden = ("test", "pending") if self.has("hidden requests are counted") else ("test", "pending", True)
        codes, areas = call.all("service_code"), call.get("area")
        for each in city["requests"].values():
            public, day = each["public"], each["public"]["requested_datetime"][:10]
            is_late = day > (call.get("end_date") or day)[:10] and not self.has("end_date is ignored in stats")
            if each["private"] in hidden or day < call.get("start_date")[:10] or is_late:
                continue
            if codes and public["service_code"] not in codes:
                continue
            if call.get("status") not in ("", public["status"]) and not self.has("status is ignored in stats"):
                continue
            if areas and areas not in areas_at(public) and not self.has("area is ignored in stats"):
                continue
            yield each

    def keys(self, grouping: str, public: dict[str, Any], city: dict[str, Any]) -> list[str]:
        day = datetime.fromisoformat(public["requested_datetime"][:10]).date()
        if grouping == "area":
            return areas_at(public) or [""]
        service = city["services"].get(public["service_code"], {"wire": {}})["wire"]
        found = {
            "": "",
            "service": public["service_code"],
            "group": service.get("group", ""),
            "department": department_of(public),
            "day": str(day),
            "week": str(day - timedelta(days=day.weekday())),
            "month": str(day.replace(day=1)),
        }
        return [found.get(grouping, "")]

    def row(self, call: Any, key: str, found: list[dict[str, Any]], within_days: int) -> dict[str, Any]:
        unclosed = [public for public in found if public["status"] == "open"]
        is_left_out = call.get("group_by") == "service" and key == INSTANT
        timed = [public for public in found if public["service_code"] != INSTANT]
        if self.has("times of left_out services are counted"):
            timed = found
        hours = sorted(self.hours(public) for public in timed if public["status"] == "closed")
        late = [each for each in timed if each["status"] == "open" and self.age(each) > within_days]
        within, base = sum(number < 24 * within_days for number in hours), len(hours) + len(late)
        shared = len(found) if self.has("shares are divided by all requests") else base
        median = hours[ceil(len(hours) / 2) - 1] if hours else None
        if hours and self.has("the mean is the median"):
            median = sum(hours) // len(hours)
        return {
            "key": key or None,
            "name": key or None,
            "opened": len(found),
            "closed": len(found) - len(unclosed),
            "open": len(unclosed),
            "closed_in_period": len(found) - len(unclosed),
            **self.ages(unclosed),
            "timed": len(hours),
            "median_hours": median,
            "p90_hours": hours[ceil(len(hours) * 0.9) - 1] if hours else None,
            "within": within,
            "within_of": base,
            "within_share": round(within / shared, 4) if base else None,
            "on_time": 0,
            "on_time_of": 0,
            "on_time_share": None,
            "target_matched": 0,
            "target_ambiguous": 0,
            "target_not_managed": 0,
            "target_none": len(unclosed) if self.has("targets count only open requests") else len(found),
            "supporters": len(found) if self.has("supporters is the number of requests") else 0,
            **self.feedback(),
            "target": None,
            "is_left_out": is_left_out,
        }

    def feedback(self) -> dict[str, Any]:
        """The stub asks nobody."""
        names = ("asked", "answered", "yes", "partly", "no", "share")
        answer = 1 if self.has("feedback of single reporters is shown") else None
        return {f"feedback_{name}": answer for name in names}

    def ages(self, unclosed: list[dict[str, Any]]) -> dict[str, int]:
        counts = dict.fromkeys((*BANDS, "open_longer"), 0)
        for public in unclosed:
            age = self.age(public)
            counts[next((name for name, most in BANDS.items() if age <= most), "open_longer")] += 1
        if self.has("old requests have no age"):
            counts["open_up_to_365_days"] = 0
        return counts

    def age(self, public: dict[str, Any]) -> int:
        return (self.now.date() - datetime.fromisoformat(public["requested_datetime"][:10]).date()).days

    def hours(self, public: dict[str, Any]) -> int:
        requested, closed = (
            datetime.fromisoformat(public[name].replace("Z", "+00:00"))
            for name in ("requested_datetime", "updated_datetime")
        )
        return (closed - requested) // timedelta(hours=1)
