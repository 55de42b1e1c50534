"""The forecasts of the stub server, by the rules H1 to H10 of spec/extensions.md."""

from __future__ import annotations

import csv
from abc import abstractmethod
from collections.abc import Iterator
from datetime import date, timedelta
from io import StringIO
from typing import Any

from tests.spec.stub_extensions import Extensions, Refusal, Reply

CELLS = (("", ""), ("", "Harbour"), ("", "Hills"), ("potholes", ""), ("potholes", "Harbour"), ("trees", ""))


class Forecasts(Extensions):
    """The forecasts of StubServer: one is published and one is not, in each row."""

    @abstractmethod
    def has(self, fault: str) -> bool: ...

    def get_forecasts(self, call: Any, argument: str) -> Reply:
        if argument not in ("forecast", "forecast.csv"):
            raise Refusal(404, "There is no such address.")
        document = {
            "as_of": self.ago(0),
            "caveat": "" if self.has("forecasts have no caveat") else "They are about reports, not about problems.",
            "without_row": 1,
            "rows": list(self.outlooks(call)),
        }
        if argument.endswith(".csv"):
            return self.forecasts_as_csv(document)
        headers, payload = self.wire(call, "forecasts", document)
        return self.tagged(call, {**headers, "Content-Language": "en"}, payload)

    def forecasts_as_csv(self, document: dict[str, Any]) -> Reply:
        rows = [{**document, **row, **one} for row in document["rows"] for one in row["forecasts"]]
        if self.has("forecasts in CSV lack a line"):
            rows = rows[1:]
        out = StringIO(newline="")
        names = [name for name in (rows or [document])[0] if name not in ("rows", "forecasts")]
        writer = csv.DictWriter(out, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
        headers = {"Content-Type": "text/csv; charset=utf-8; header=present", "Content-Language": "en"}
        return 200, headers, out.getvalue().encode()

    def outlooks(self, call: Any) -> Iterator[dict[str, Any]]:
        codes, area = call.all("service_code"), call.get("area")
        for code, place in CELLS:
            is_asked = (not codes or code in codes) and (not area or place == area)
            if not codes and not area:
                is_asked = not (code and place)
            if is_asked or self.has("filters of forecasts are ignored"):
                yield self.outlook(code, place)

    def outlook(self, code: str, area: str) -> dict[str, Any]:
        is_hot = area == "Harbour" or (area == "Hills" and self.has("the busiest area is a hot spot"))
        return {
            "service_code": code or None,
            "service_name": code or None,
            "area": area or None,
            "closed": 10 if code == "trees" else 90,
            "open": 10,
            "median_days": None if code == "trees" else 4,
            "p80_days": None if code == "trees" else 3 if self.has("median_days is more than p80_days") else 9,
            "days_reason": "few_requests" if code == "trees" else None,
            "recent_first_day": self.ago(28)[:10] if area else None,
            "recent_last_day": self.ago(1)[:10] if area else None,
            "recent_count": {"": None, "Harbour": 30, "Hills": 300}[area],
            "recent_expected": {"": None, "Harbour": 15, "Hills": 310}[area],
            "recent_most": {"": None, "Harbour": 25, "Hills": 380}[area],
            "is_hot_spot": is_hot,
            "forecasts": list(self.forecasts()),
        }

    def forecasts(self) -> Iterator[dict[str, Any]]:
        today = self.now.date()
        first = today.replace(day=1)
        for ahead in range(1, 7):
            after = _next_month(first)
            yield self.forecast("month", ahead, first, after - timedelta(days=1), is_published=ahead < 6)
            first = after
        days = 7 if self.has("a week has eight days") else 6
        yield self.forecast("week", 1, today, today + timedelta(days=days), is_published=True)

    def forecast(self, period: str, ahead: int, first: date, last: date, *, is_published: bool) -> dict[str, Any]:
        shown = is_published or self.has("refused forecasts have numbers")
        return {
            "period": period,
            "ahead": ahead,
            "first_day": str(first),
            "last_day": str(last),
            "expected_requests": 100 if shown else None,
            "low": 90 if shown else None,
            "high": 115 if shown else None,
            "reason": None if is_published else "last_year_as_good",
            "method": "blend",
            "tests": 60,
            "error": 0.12
            if is_published and not self.has("a published forecast is not better than the guesses")
            else 0.2,
            "last_year_error": 0.15,
            "newest_error": 0.2,
            "intervals": 50,
            "coverage": 0.5 if self.has("half of the numbers are outside of their intervals") else 0.82,
        }


def _next_month(first: date) -> date:
    return (first + timedelta(days=32)).replace(day=1)
