"""Imports from a file to the API: faulty rows, repeated imports, ids that clash."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis.strategies import fixed_dictionaries, lists, sampled_from

from open311.clock import utc_now
from open311.domain.attributes import Answer
from open311.domain.events import Erasable
from open311.domain.imports import Mending, Refusal
from open311.domain.requests import RequestRecord, Status
from open311.errors import Invalid
from open311.formats.reading import ColumnMap, Source, SourceItem, known_maps, open_source
from open311.formats.reading.maps import read_map
from open311.operations.access.api_keys import add_key
from open311.operations.importing.batches import Batch, Import, Tally
from open311.operations.importing.processes import Processes
from open311.operations.platform import Platform
from open311.operations.workflow.erase_request import erase_from_request
from open311.operations.workflow.read_request import read_history
from open311.plugins import Jurisdiction
from tests import build
from tests.checked_client import platform_of

SAMPLES = Path(__file__).parent.parent / "samples"
DEMO = "city.example"

Row = dict[str, Any]
"""A request in a JSON file: column name of the source -> value."""


class City:
    """A server with one city. Tests import into it and read from its API."""

    def __init__(self, app: Flask, jurisdiction_id: str) -> None:
        self.app = app
        self.platform: Platform = platform_of(app)
        self.jurisdiction: Jurisdiction = self.platform.registry.find(jurisdiction_id)
        self.client = app.test_client()

    def batches(self, source: Source, **changes: Any) -> Iterator[Batch]:
        """Import a source. Yields the results of each batch."""
        order = Import(jurisdiction=self.jurisdiction, origin="sample.json", now=utc_now(), **changes)
        with Processes(self.platform, 1) as alone:
            yield from alone.import_source(source, order)

    def take(self, rows: Sequence[Row], **changes: Any) -> list[Batch]:
        """Import rows as a JSON file."""
        return list(self.batches(source(json.dumps(rows), self.jurisdiction.column_maps), **changes))

    def sample(self, name: str, **changes: Any) -> list[Batch]:
        """Import one of the sample files."""
        return self.take_file((SAMPLES / name).read_bytes(), **changes)

    def take_file(self, body: str | bytes, **changes: Any) -> list[Batch]:
        """Import a file with this content."""
        return list(self.batches(source(body, self.jurisdiction.column_maps), **changes))

    def get(self, identifier: str) -> dict[str, Any]:
        """One request from the API. The client compares its JSON with its XML."""
        query = {"jurisdiction_id": self.jurisdiction.id}
        response = self.client.get(f"/open311/v2/requests/{identifier}.json", query_string=query)
        assert response.status_code == 200, response.text
        (found,) = response.json
        return dict(found)

    def ids(self, **query: str) -> list[str]:
        query |= {"jurisdiction_id": self.jurisdiction.id}
        response = self.client.get("/open311/v2/requests.json", query_string=query)
        assert response.status_code == 200, response.text
        return [item["service_request_id"] for item in response.json]

    def update(self, identifier: str, at: str = "2026-04-10T08:00:00Z", **changes: Any) -> None:
        """What staff do to a request."""
        build.change(self.platform, identifier, **changes, now=datetime.fromisoformat(at), city=self.jurisdiction)

    def record(self, identifier: str) -> RequestRecord:
        return read_history(self.platform, self.jurisdiction, identifier)[0]

    def history(self, identifier: str) -> list[tuple[str, str]]:
        _, events = read_history(self.platform, self.jurisdiction, identifier)
        return [(event.kind, event.description) for event in events]


def total(batches: Iterable[Batch]) -> Tally:
    return sum((batch.tally for batch in batches), Tally())


def refusals(batches: Iterable[Batch]) -> list[Refusal]:
    return [refusal for batch in batches for refusal in batch.refusals]


def counts(tally: Tally) -> tuple[int, int, int, int, int, int]:
    """The numbers of rows: read, new, changed, unchanged, conflicting, refused."""
    outcomes = (tally.new, tally.changed, tally.unchanged, tally.conflicting, tally.refused)
    assert tally.read == sum(outcomes)
    return tally.read, *outcomes


@pytest.fixture
def demo(app: Flask) -> City:
    return City(app, DEMO)


@pytest.fixture
def city(make_app: Callable[..., Flask]) -> Callable[[str, str], City]:
    return lambda plugin, jurisdiction_id: City(
        make_app(jurisdictions=(plugin,), span_policy="allow"), jurisdiction_id
    )


def source(body: str | bytes, maps: Sequence[ColumnMap] = ()) -> Source:
    return open_source(io.BytesIO(body.encode() if isinstance(body, str) else body), known_maps(maps))


def row(identifier: str = "7", **changes: Any) -> Row:
    """A row with an open pothole, in GeoReport's own names, with these changes."""
    values = {
        "service_request_id": identifier,
        "service_code": "potholes",
        "status": "open",
        "requested_datetime": "2026-04-03T14:10:00Z",
        "address": "5 Mill Lane",
    }
    return values | changes


# Round trips


def test_bloomingtons_requests_are_returned_as_they_were(city: Callable[[str, str], City]) -> None:
    bloomington = city("bloomington", "bloomington.in.gov")
    tally = total(bloomington.sample("bloomington.json"))
    assert counts(tally) == (3, 3, 0, 0, 0, 0)
    assert tally.mended == {Mending.ZERO_POINT: 1, Mending.UNLISTED_SERVICE: 1}
    for sent in json.loads((SAMPLES / "bloomington.json").read_text()):
        got = bloomington.get(sent["service_request_id"])
        assert (got["status"], got["service_code"]) == (sent["status"], sent["service_code"])
        assert got["service_name"] == sent["service_name"]
        assert instant(got["requested_datetime"]) == instant(sent["requested_datetime"])
        assert instant(got["updated_datetime"]) == instant(sent["updated_datetime"] or sent["requested_datetime"])
        assert got["agency_responsible"] == (sent["agency_responsible"] or "uReport desk")
        assert got["lat"] == (round(sent["lat"], 9) if sent["lat"] else None)


def test_torontos_requests_are_returned_as_they_were(city: Callable[[str, str], City]) -> None:
    toronto = city("toronto", "toronto.ca")
    assert counts(total(toronto.sample("toronto.json"))) == (1, 1, 0, 0, 0, 0)
    got = toronto.get("101009999901")
    assert (got["status"], got["address_id"], got["expected_datetime"]) == (
        "closed",
        "9544823",
        "2012-05-15T00:59:00Z",
    )
    assert (got["requested_datetime"], got["updated_datetime"]) == ("2012-02-15T00:58:35Z", "2012-02-17T11:56:00Z")


def test_times_without_zone_are_read_in_san_franciscos_zone(city: Callable[[str, str], City]) -> None:
    sanfrancisco = city("sanfrancisco", "sfgov.org")
    tally = total(sanfrancisco.sample("sanfrancisco.xml"))
    assert counts(tally) == (2, 2, 0, 0, 0, 0)
    first, second = sanfrancisco.get("900001"), sanfrancisco.get("900002")
    assert (first["requested_datetime"], first["updated_datetime"]) == (
        "2012-05-24T00:12:01Z",
        "2012-05-24T00:13:05Z",
    )
    assert (first["status"], first["service_name"]) == ("open", "Graffiti & posters")
    assert (second["status"], second["lat"], second["updated_datetime"]) == ("closed", None, "2012-05-24T00:12:01Z")
    assert sanfrancisco.ids(service_code="999", start_date="2012-05-01", end_date="2012-06-01") == [
        "900002",
        "900001",
    ]


def test_new_yorks_faulty_rows_are_corrected_or_refused(city: Callable[[str, str], City]) -> None:
    newyork = city("newyork", "nyc.gov")
    batches = newyork.sample("newyork.csv")
    assert counts(total(batches)) == (12, 9, 0, 0, 0, 3)
    assert total(batches).mended == {
        Mending.CLOSED_BEFORE_OPENED: 1,
        Mending.DAY_ONLY: 1,
        Mending.CLOSING_OF_OPEN: 1,
        Mending.IMPOSSIBLE_DATE: 2,
        Mending.SWAPPED_POINT: 1,
        Mending.OLD_SERVICE: 1,
        Mending.UNLISTED_SERVICE: 1,
    }
    assert [(refusal.position, refusal.service_request_id) for refusal in refusals(batches)] == [
        (10, "90000010"),
        (11, "90000011"),
        (12, ""),
    ]
    got = newyork.get("90000001")
    assert got["agency_responsible"] == "New York City Police Department"
    assert (got["status"], got["expected_datetime"]) == ("closed", None)
    assert (got["requested_datetime"], got["updated_datetime"]) == ("2019-04-19T01:55:45Z", "2019-04-19T07:45:24Z")
    assert newyork.get("90000003")["service_code"] == "HEAT/HOT WATER"
    assert newyork.get("90000004")["status"] == "open"
    assert newyork.get("90000005")["updated_datetime"] == "2010-01-05T05:00:00Z"
    assert [newyork.get(f"9000000{n}")["service_code"] for n in (7, 8)] == ["PLUMBING", "Plumbing"]
    assert newyork.get("90000009")["lat"] == 40.7672147
    assert newyork.get("90000009")["service_name"] == "Example Only - Hotline"


def test_new_yorks_department_is_found_and_the_history_has_the_old_code(
    city: Callable[[str, str], City],
) -> None:
    newyork = city("newyork", "nyc.gov")
    newyork.sample("newyork.csv")
    record, _ = read_history(newyork.platform, newyork.jurisdiction, "90000003")
    assert (record.department, record.source) == ("HPD", "import")
    ((kind, said),) = newyork.history("90000003")
    assert kind == "imported"
    assert said.startswith("sample.json, row 3; ")
    assert said.endswith("its service_code in the source: HEATING")


def test_a_descriptor_becomes_an_answer_if_the_service_asks_for_it(city: Callable[[str, str], City]) -> None:
    newyork = city("newyork", "nyc.gov")
    rodents = {"complaint_type": "Rodent", "status": "Open", "created_date": "2026-04-03T14:10:00"}
    newyork.take([rodents | {"unique_key": "7", "descriptor": "Rat Sighting"}])
    newyork.take([rodents | {"unique_key": "8", "descriptor": "Bat Sighting"}])
    answers = [read_history(newyork.platform, newyork.jurisdiction, identifier)[0].answers for identifier in "78"]
    assert [answer.values for answer in answers[0]] == [("Rat Sighting",)]
    assert answers[1] == ()


def test_bostons_services_are_found_by_long_code_or_name(city: Callable[[str, str], City]) -> None:
    boston = city("boston", "cityofboston.gov")
    assert counts(total(boston.sample("boston.csv"))) == (4, 4, 0, 0, 0, 0)
    codes = [boston.get(f"10100999900{n}")["service_code"] for n in (1, 2, 3, 4)]
    assert codes[:2] == ["NEEDRMVL", "REQPOTHL"]
    assert codes[2] == "Inspectional Services:Housing:Example Kind of Case"
    assert boston.jurisdiction.service(codes[3]) is not None
    assert boston.get("101009999003")["service_name"] == "Example Kind of Case"
    assert boston.get("101009999002")["expected_datetime"] == "2022-01-04T13:30:00Z"
    assert boston.get("101009999001")["media_url"] == "https://311.example.com/media/report.jpg#spot=1"
    assert boston.get("101009999002")["lat"] is None


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


# Services, places, texts


def test_a_retired_service_is_not_listed_but_its_requests_are_listed(demo: City) -> None:
    demo.take([row(service_code="Old:Kind & more", service_name="Old kind")])
    listed = demo.client.get("/open311/v2/services.json").json
    assert "Old:Kind & more" not in [service["service_code"] for service in listed or []]
    assert demo.ids(service_code="Old:Kind & more", start_date="2026-04-01", end_date="2026-04-30") == ["7"]
    assert demo.get("7")["service_name"] == "Old kind"


def test_the_name_of_a_service_without_a_name_is_its_code(demo: City) -> None:
    demo.take([row(service_code="old")])
    assert demo.get("7")["service_name"] == "old"


def test_a_service_is_found_by_its_name_only_if_the_row_has_no_code(demo: City) -> None:
    without_code = row("2", service_name="POTHOLE")
    del without_code["service_code"]
    demo.take(
        [
            row("1", service_code="gone", service_name="Pothole"),
            without_code,
            row("3", service_code="Pot Holes (2019)"),
        ]
    )
    assert [demo.get(identifier)["service_code"] for identifier in "123"] == ["gone", "potholes", "potholes"]


def test_a_point_outside_is_kept_and_flagged_even_if_the_city_refuses_such_posts(demo: City) -> None:
    demo.take([row(lat="10", long="20")])
    record, _ = read_history(demo.platform, demo.jurisdiction, "7")
    assert (record.is_outside, demo.get("7")["lat"]) == (True, 10.0)


def test_pictures_without_a_public_address_are_left_out(demo: City) -> None:
    batches = demo.take(
        [
            row(
                media_urls=[
                    "javascript:alert(1)",
                    "http://127.0.0.1/x",
                    "https://a.example/\x001",
                    "https://a.example/2",
                ]
            )
        ]
    )
    assert demo.get("7")["media_url"] == "https://a.example/2"
    assert total(batches).mended == {Mending.BAD_MEDIA: 1}


def test_difficult_texts_are_returned_in_both_formats(demo: City) -> None:
    demo.take(
        [
            row(
                description="a\x00b ]]> & <b> \ud83d \U0001f573 \x7f",
                service_code="s\x01é",
                agency_responsible="\ufffe!",
            )
        ]
    )
    got = demo.get("7")
    assert (got["service_code"], got["agency_responsible"]) == ("sé", "!")
    assert got["description"] == "ab ]]> & <b>  \U0001f573 \x7f"


# Repeated imports


def test_importing_a_file_again_changes_nothing(city: Callable[[str, str], City]) -> None:
    newyork = city("newyork", "nyc.gov")
    newyork.sample("newyork.csv")
    before = [newyork.get(f"9000000{n}") for n in range(1, 10)]
    assert counts(total(newyork.sample("newyork.csv"))) == (12, 0, 0, 9, 0, 3)
    assert counts(total(newyork.sample("newyork.csv", batch_rows=2))) == (12, 0, 0, 9, 0, 3)
    assert [newyork.get(f"9000000{n}") for n in range(1, 10)] == before
    assert len(newyork.history("90000001")) == 1


def test_a_newer_row_changes_the_request_and_is_in_its_history(demo: City) -> None:
    demo.take([row(description="Deep", agency_responsible="Streets", lat="60.17", long="24.94")])
    batches = demo.take(
        [
            row(
                status="closed",
                status_notes="Filled.",
                updated_datetime="2026-04-05T08:00:00Z",
                agency_responsible="Port of Demoville",
            )
        ]
    )
    assert counts(total(batches)) == (1, 0, 1, 0, 0, 0)
    got = demo.get("7")
    assert (got["status"], got["status_notes"], got["updated_datetime"]) == (
        "closed",
        "Filled.",
        "2026-04-05T08:00:00Z",
    )
    assert (got["description"], got["agency_responsible"]) == ("Deep", "Port of Demoville")
    assert demo.ids(status="closed", start_date="2026-04-01", end_date="2026-04-30") == ["7"]
    assert [kind for kind, _ in demo.history("7")] == ["imported", "status", "note", "transferred", "imported"]


def test_an_older_row_changes_nothing(demo: City) -> None:
    demo.take([row(status="closed", updated_datetime="2026-04-05T08:00:00Z")])
    assert counts(total(demo.take([row(updated_datetime="2026-04-04T08:00:00Z")]))) == (1, 0, 0, 1, 0, 0)
    assert demo.get("7")["status"] == "closed"


def test_a_source_without_closing_times_can_close_a_request(demo: City) -> None:
    demo.take([row()])
    assert counts(total(demo.take([row(status="closed")]))) == (1, 0, 1, 0, 0, 0)
    assert demo.get("7")["status"] == "closed"
    assert demo.get("7")["updated_datetime"] > "2026-04-03T14:10:00Z"


@pytest.mark.parametrize("batch_rows", [1, 2, 100])
def test_two_rows_with_one_id_are_one_request_in_its_newest_state(demo: City, batch_rows: int) -> None:
    rows = [
        row("7"),
        row("8"),
        row("7", status="closed", updated_datetime="2026-04-06T08:00:00Z"),
        row("7", updated_datetime="2026-04-05T08:00:00Z"),
    ]
    assert counts(total(demo.take(rows, batch_rows=batch_rows))) == (4, 2, 1, 1, 0, 0)
    assert demo.get("7")["status"] == "closed"
    assert sorted(demo.ids(start_date="2026-04-01", end_date="2026-04-30")) == ["7", "8"]


def test_an_interrupted_import_keeps_its_finished_batches_and_can_run_again(demo: City) -> None:
    rows = [row(str(number)) for number in range(1, 8)]
    whole = source(json.dumps(rows))

    def interrupted() -> Iterator[SourceItem]:
        yield from islice(whole.found, 5)
        raise KeyboardInterrupt

    stored_batches: list[Batch] = []
    with pytest.raises(KeyboardInterrupt):
        stored_batches.extend(demo.batches(replace(whole, found=interrupted()), batch_rows=2))
    assert counts(total(stored_batches)) == (4, 4, 0, 0, 0, 0)
    assert len(demo.ids(start_date="2026-04-01", end_date="2026-04-30")) == 4
    assert counts(total(demo.take(rows, batch_rows=2))) == (7, 3, 0, 4, 0, 0)
    assert len(demo.ids(start_date="2026-04-01", end_date="2026-04-30")) == 7


def test_a_truncated_file_is_imported_up_to_its_end(demo: City) -> None:
    one = "".join(f"<{name}>{value}</{name}>" for name, value in row("1").items())
    batches = demo.batches(source(f"<requests><request>{one}</request><request><service_request_id>2</ser"))
    assert counts(next(batches).tally) == (1, 1, 0, 0, 0, 0)
    with pytest.raises(Invalid):
        next(batches)
    assert demo.get("1")["status"] == "open"


def test_a_dry_run_reports_the_same_results_and_stores_nothing(demo: City) -> None:
    rows = [row("1"), row("2", service_code="gone"), row(""), row("1")]
    dry = demo.take(rows, is_dry_run=True)
    assert demo.ids(start_date="2026-04-01", end_date="2026-04-30") == []
    assert demo.take(rows) == dry


# Later files of the same source


DAY_1 = """case_enquiry_id,open_dt,closed_dt,case_status,closure_reason,subject,reason,type,location
101,2026-09-01 08:00:00,2026-09-02 08:00:00,Closed,Case Closed,Public Works Department,Highway Maintenance,\
Request for Pothole Repair,1 Example St  Boston  MA  02118
102,2026-09-01 08:00:00,,Open,,Mayor s 24 Hour Hotline,General Request,General Comments,2 Example St  Boston
103,2026-09-01 08:00:00,,Open,,Public Works Department,Street Cleaning,Requests for Street Cleaning,3 Example St
""".replace("\\\n", "")
DAY_2 = """case_enquiry_id,open_dt,closed_dt,case_status,closure_reason,subject,reason,type,location
101,2026-09-01 08:00:00,,Open,,Public Works Department,Highway Maintenance,Request for Pothole Repair,1 Example St
102,2026-09-01 08:00:00,,Open,,Public Works Department,Street Cleaning,Requests for Street Cleaning,
103,2026-09-01 08:00:00,,Open,,Public Works Department,Street Cleaning,Requests for Street Cleaning,3 Example St
104,2026-09-02 08:00:00,,Open,,Public Works Department,Street Cleaning,Requests for Street Cleaning,4 Example St
"""


def test_if_a_source_has_no_times_of_change_a_later_file_changes_what_differs(
    city: Callable[[str, str], City],
) -> None:
    boston = city("boston", "cityofboston.gov")
    assert counts(total(boston.take_file(DAY_1))) == (3, 3, 0, 0, 0, 0)
    assert counts(total(boston.take_file(DAY_1))) == (3, 0, 0, 3, 0, 0)
    assert counts(total(boston.take_file(DAY_2))) == (4, 1, 2, 1, 0, 0)
    assert counts(total(boston.take_file(DAY_2))) == (4, 0, 0, 4, 0, 0)
    reopened, moved = boston.get("101"), boston.get("102")
    assert (reopened["status"], reopened["status_notes"]) == ("open", None)
    assert (moved["service_name"], moved["agency_responsible"]) == (
        "Street cleaning needed",
        "Public Works Department",
    )
    assert moved["address"] == "2 Example St, Boston"
    assert counts(total(boston.take_file(DAY_1))) == (3, 0, 2, 1, 0, 0)
    assert boston.get("101")["updated_datetime"] == "2026-09-02T12:00:00Z"


def test_several_undated_rows_with_one_id_change_nothing_in_a_second_import(demo: City) -> None:
    rows = [row("7"), row("7", status="closed"), row("8", status="closed"), row("8"), row("8", status="closed")]
    assert counts(total(demo.take(rows))) == (5, 2, 3, 0, 0, 0)
    before = demo.history("7"), demo.history("8")
    assert counts(total(demo.take(rows))) == (5, 0, 0, 5, 0, 0)
    assert counts(total(demo.take(rows, batch_rows=1))) == (5, 0, 0, 5, 0, 0)
    assert (demo.history("7"), demo.history("8")) == before
    assert demo.get("7")["status"] == "closed"


def test_a_row_that_had_no_effect_in_the_first_import_has_none_in_the_second(
    demo: City,
) -> None:
    demo.take([row()])
    rows = [row(), row(status="closed")]
    assert counts(total(demo.take(rows))) == (2, 0, 1, 1, 0, 0)
    assert counts(total(demo.take(rows))) == (2, 0, 0, 2, 0, 0)
    assert demo.get("7")["status"] == "closed"


def test_a_row_without_a_time_counts_as_old_if_the_source_dates_its_changes(demo: City) -> None:
    demo.take([row(status="closed", updated_datetime="2026-04-05T08:00:00Z")])
    assert counts(total(demo.take([row()]))) == (1, 0, 0, 1, 0, 0)
    assert demo.get("7")["status"] == "closed"


def test_a_different_row_with_the_same_time_changes_the_request(demo: City) -> None:
    demo.take([row(updated_datetime="2026-04-05T08:00:00Z", description="Deep")])
    later = row(updated_datetime="2026-04-05T08:00:00Z", description="Deeper")
    assert counts(total(demo.take([later]))) == (1, 0, 1, 0, 0, 0)
    assert demo.get("7")["description"] == "Deeper"


def test_a_later_update_time_does_not_change_the_closing_time(demo: City) -> None:
    demo.take([row(status="closed", updated_datetime="2026-07-20T10:00:00Z")])
    stamped = row(status="closed", updated_datetime="2026-10-23T10:18:51Z", status_notes="Archived.")
    assert counts(total(demo.take([stamped]))) == (1, 0, 1, 0, 0, 0)
    assert counts(total(demo.take([stamped]))) == (1, 0, 0, 1, 0, 0)
    assert demo.get("7")["updated_datetime"] == "2026-07-20T10:00:00Z"
    assert demo.get("7")["status_notes"] == "Archived."
    assert demo.ids(updated_after="2026-10-01T00:00:00Z") == ["7"]


def test_another_closing_time_in_the_source_replaces_the_first(demo: City) -> None:
    demo.take([row(status="closed", closed_datetime="2026-04-05T08:00:00Z")])
    corrected = row(status="closed", closed_datetime="2026-04-06T08:00:00Z")
    assert counts(total(demo.take([corrected]))) == (1, 0, 1, 0, 0, 0)
    assert demo.get("7")["updated_datetime"] == "2026-04-06T08:00:00Z"


def test_a_field_that_a_row_leaves_out_is_unchanged(demo: City) -> None:
    full = row(
        lat="60.17",
        long="24.94",
        address_id="A1",
        zipcode="00100",
        description="Deep",
        status_notes="Seen.",
        service_notice="Soon.",
        agency_responsible="Works",
        media_url="https://a.example/1.jpg",
        expected_datetime="2026-05-01T00:00:00Z",
    )
    demo.take([full])
    before = demo.get("7")
    bare = {name: full[name] for name in ("service_request_id", "service_code", "requested_datetime", "status")}
    assert counts(total(demo.take([bare]))) == (1, 0, 0, 1, 0, 0)
    stamped = bare | {"updated_datetime": "2026-04-05T08:00:00Z", "address": "6 Mill Lane"}
    assert counts(total(demo.take([stamped]))) == (1, 0, 1, 0, 0, 0)
    changed = {"updated_datetime": "2026-04-05T08:00:00Z", "address": "6 Mill Lane"}
    assert demo.get("7") == before | changed


def test_an_unlisted_service_keeps_its_first_name_and_the_history_has_the_other(demo: City) -> None:
    demo.take([row("1", service_code="ZZ9", service_name="Snow removal")])
    batches = demo.take([row("2", service_code="ZZ9", service_name="Winter maintenance")])
    assert [demo.get(identifier)["service_name"] for identifier in "12"] == ["Snow removal", "Snow removal"]
    assert total(batches).mended == {Mending.UNLISTED_SERVICE: 1, Mending.OTHER_NAME: 1}
    assert demo.history("2")[0][1].endswith("its service_name in the source: Winter maintenance")


@given(
    states=lists(
        lists(
            fixed_dictionaries(
                {"service_request_id": sampled_from("123"), "status": sampled_from(["open", "closed"])},
                optional={
                    "updated_datetime": sampled_from(["2026-04-04T08:00:00Z", "2026-04-05T08:00:00Z"]),
                    "description": sampled_from(["Deep", "Deeper"]),
                    "agency_responsible": sampled_from(["Works", "Parks and gardens"]),
                    "address": sampled_from(["5 Mill Lane", "6 Mill Lane"]),
                    "status_notes": sampled_from(["Seen.", "Done."]),
                    "service_code": sampled_from(["potholes", "trees", "gone"]),
                    "lat": sampled_from(["60.17", "60.18"]),
                },
            ),
            min_size=1,
            max_size=4,
        ),
        min_size=1,
        max_size=3,
    )
)
@settings(max_examples=40)
def test_any_file_that_is_imported_twice_changes_nothing_the_second_time(
    demo: City, states: list[list[Row]]
) -> None:
    with demo.platform.database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM service_request")
    common = {"service_code": "potholes", "requested_datetime": "2026-04-03T14:10:00Z", "long": "24.94"}
    for state in states:
        rows = [common | item for item in state]
        demo.take(rows)
        stored = [demo.get(item["service_request_id"]) for item in rows]
        assert counts(total(demo.take(rows))) == (len(rows), 0, 0, len(rows), 0, 0), rows
        assert [demo.get(item["service_request_id"]) for item in rows] == stored


# Requests that were changed here


def test_an_import_keeps_a_change_by_staff_unless_the_row_has_a_later_date(demo: City) -> None:
    demo.take([row()])
    demo.update("7", status=Status.CLOSED, note="Done by us.")
    for imported in (
        row(),
        row(updated_datetime="2026-04-04T08:00:00Z", status_notes="Waiting.", description="Deep"),
    ):
        batches = demo.take([imported])
        assert counts(total(batches)) == (1, 0, 0, 0, 1, 0)
    (conflict,) = batches[0].conflicts
    assert (conflict.position, conflict.service_request_id) == (1, "7")
    here, there = "2026-04-10T08:00:00Z", "2026-04-04T08:00:00Z, which is not later"
    stays = f"was changed here at {here}; the file says otherwise at {there}, so what was done here stays."
    assert conflict.reason == f"status: {stays} status_notes: {stays}"
    got = demo.get("7")
    assert (got["status"], got["status_notes"], got["updated_datetime"]) == (
        "closed",
        "Done by us.",
        "2026-04-10T08:00:00Z",
    )
    assert got["description"] == "Deep"  # staff did not change the description


def test_a_row_with_a_later_date_than_the_change_by_staff_is_applied_and_reported(demo: City) -> None:
    demo.take([row()])
    demo.update("7", status=Status.CLOSED)
    later = row(updated_datetime="2026-04-11T08:00:00Z")
    batches = demo.take([later])
    assert counts(total(batches)) == (1, 0, 0, 0, 1, 0)
    assert "which is later, so the file counts" in batches[0].conflicts[0].reason
    assert (demo.get("7")["status"], demo.get("7")["updated_datetime"]) == ("open", "2026-04-11T08:00:00Z")
    assert counts(total(demo.take([later]))) == (1, 0, 0, 1, 0, 0)


def test_an_import_of_other_fields_keeps_a_change_by_staff(demo: City) -> None:
    demo.take([row()])
    demo.update("7", status=Status.CLOSED)
    for description in ("Deep", "Deeper"):
        assert counts(total(demo.take([row(description=description)]))) == (1, 0, 0, 0, 1, 0)
        assert (demo.get("7")["status"], demo.get("7")["description"]) == ("closed", description)


def test_a_row_that_says_the_same_as_staff_is_no_conflict_and_later_rows_are_applied(demo: City) -> None:
    demo.take([row()])
    demo.update("7", status=Status.CLOSED)
    agreed = row(status="closed", updated_datetime="2026-04-11T08:00:00Z")
    assert counts(total(demo.take([agreed]))) == (1, 0, 1, 0, 0, 0)
    assert demo.get("7")["updated_datetime"] == "2026-04-10T08:00:00Z"
    assert counts(total(demo.take([row(updated_datetime="2026-04-12T08:00:00Z")]))) == (1, 0, 1, 0, 0, 0)
    assert demo.get("7")["status"] == "open"


def test_an_import_does_not_change_a_department_that_staff_chose(demo: City) -> None:
    demo.take([row(agency_responsible="Works")])
    demo.update("7", department="parks")
    assert counts(total(demo.take([row(agency_responsible="Works")]))) == (1, 0, 0, 0, 1, 0)
    assert demo.record("7").department == "parks"


def test_an_erased_text_is_not_imported_again(demo: City) -> None:
    demo.take([row(description="Ann lives here", status_notes="Ann was called.")])
    erased = [Erasable.DESCRIPTION, Erasable.NOTES]
    erase_from_request(demo.platform, demo.jurisdiction, "7", erased, now=utc_now())
    again = row(
        description="Ann lives here", status_notes="Ann was called.", updated_datetime="2026-11-01T08:00:00Z"
    )
    for _ in range(2):
        tally = total(demo.take([again]))
        assert (counts(tally), tally.mended) == ((1, 0, 0, 1, 0, 0), {Mending.STAYS_ERASED: 1})
    assert "Ann" not in str(demo.get("7")) + str(demo.history("7"))


def test_a_new_note_of_the_source_is_taken_once_after_an_erasure(demo: City) -> None:
    demo.take([row(status_notes="Ann was called.")])
    erase_from_request(demo.platform, demo.jurisdiction, "7", [Erasable.NOTES], now=utc_now())
    filled = row(status_notes="The hole is filled.")
    assert counts(total(demo.take([filled]))) == (1, 0, 1, 0, 0, 0)
    assert demo.get("7")["status_notes"] == "The hole is filled."
    assert counts(total(demo.take([filled]))) == (1, 0, 0, 1, 0, 0)


def test_a_note_that_repeats_an_erased_sentence_is_not_imported(demo: City) -> None:
    demo.take([row(status_notes="Ann was called at home.")])
    erase_from_request(demo.platform, demo.jurisdiction, "7", [Erasable.NOTES], now=utc_now())
    tally = total(demo.take([row(status_notes="ann was called  at home. The hole is filled.")]))
    assert counts(tally) == (1, 0, 0, 1, 0, 0)
    assert tally.mended == {Mending.STAYS_ERASED: 1}
    assert demo.get("7")["status_notes"] is None


def test_after_the_note_of_staff_was_erased_a_note_of_the_source_is_taken(demo: City) -> None:
    demo.take([row()])
    build.change(demo.platform, "7", note="Ann was called by us.", now=utc_now(), city=demo.jurisdiction)
    erase_from_request(demo.platform, demo.jurisdiction, "7", [Erasable.NOTES], now=utc_now())
    assert counts(total(demo.take([row(status_notes="The hole is filled.")]))) == (1, 0, 1, 0, 0, 0)
    assert demo.get("7")["status_notes"] == "The hole is filled."


def test_after_an_erasure_without_marks_no_text_of_the_source_is_imported(demo: City) -> None:
    demo.take([row(status_notes="Ann was called.")])
    erase_from_request(demo.platform, demo.jurisdiction, "7", [Erasable.NOTES], now=utc_now())
    with demo.platform.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE request_event SET data = data - 'marks' WHERE kind = 'erased'")
    tally = total(demo.take([row(status_notes="The hole is filled.")]))
    assert (counts(tally), tally.mended) == ((1, 0, 0, 1, 0, 0), {Mending.STAYS_ERASED: 1})


# Departments, areas and duplicates, as for a POST


def test_a_city_may_keep_a_files_answers_to_questions_that_its_service_does_not_ask(
    make_app: Callable[..., Flask],
) -> None:
    keeping = replace(build.city(), id=DEMO, unknown_attributes="keep")
    city = City(make_app(keeping), DEMO)
    columns = {"service_request_id": "id", "service_code": "code", "requested_datetime": "at"}
    column_map = read_map("poles", {"columns": columns, "answers": {"POLE": "pole"}})
    text = json.dumps([{"id": "1", "code": "potholes", "at": "2026-09-01T08:00:00Z", "pole": "4711"}])
    assert counts(total(city.batches(source(text, [column_map])))) == (1, 1, 0, 0, 0, 0)
    assert city.record("1").answers == (Answer("POLE", ("4711",), is_asked=False),)
    assert counts(total(city.batches(source(text, [column_map])))) == (1, 0, 0, 1, 0, 0)


def test_the_row_or_else_the_routing_of_a_post_decides_the_department(demo: City) -> None:
    demo.take(
        [
            row("1"),
            row("2", agency_responsible=demo.jurisdiction.department("parks").name),
            row("3", agency_responsible="Somebody Inc."),
            row("4", service_code="gone"),
            row("5", service_code="gone", status="closed"),
        ]
    )
    departments = {identifier: demo.record(identifier) for identifier in "12345"}
    assert [record.department for record in departments.values()] == ["streets", "parks", "streets", "desk", "desk"]
    assert [record.is_triage for record in departments.values()] == [False, False, False, True, False]
    agencies = [demo.get(identifier)["agency_responsible"] for identifier in "123"]
    assert agencies[:2] == [demo.jurisdiction.department(code).name for code in ("streets", "parks")]
    assert agencies[2] == "Somebody Inc."


def test_areas_and_possible_duplicates_are_found_as_for_a_post(demo: City) -> None:
    (name, area), *_ = demo.jurisdiction.areas.items()
    spot = area.representative_point()
    where = {"lat": str(round(spot.y, 6)), "long": str(round(spot.x, 6))}
    near = {"lat": str(round(spot.y + 0.0001, 6)), "long": str(round(spot.x, 6))}
    demo.take([row("1", **where), row("2", **near, requested_datetime="2026-04-04T14:10:00Z")])
    demo.take(
        [
            row("3", **near, requested_datetime="2026-04-05T14:10:00Z"),
            row("4", **near, requested_datetime="2026-04-05T14:10:00Z", status="closed"),
            row("5", **near, requested_datetime="2026-04-05T14:10:00Z", service_code="graffiti"),
            row("6", **near, requested_datetime="2026-05-05T14:10:00Z"),
            row("7", requested_datetime="2026-04-05T14:10:00Z"),
        ]
    )
    records = [demo.record(identifier) for identifier in "1234567"]
    assert [record.possible_duplicate_of for record in records] == ["", "1", "1", "", "", "", ""]
    assert [record.areas for record in records] == [demo.jurisdiction.areas_at(record.place) for record in records]
    assert name in records[0].areas


def test_a_request_with_a_new_point_gets_new_areas(demo: City) -> None:
    (name, area), *_ = demo.jurisdiction.areas.items()
    spot = area.representative_point()
    demo.take([row(lat="60.0", long="20.0")])
    demo.take([row(lat=str(round(spot.y, 6)), long=str(round(spot.x, 6)))])
    assert name in demo.record("7").areas
    assert [kind for kind, _ in demo.history("7")] == ["imported", "areas", "imported"]


def test_possible_duplicates_are_found_across_the_antimeridian(demo: City) -> None:
    fiji = {"service_code": "gone", "lat": "-17"}
    demo.take([row("1", **fiji, long="179.9999")])
    demo.take([row("2", **fiji, long="-179.9999", requested_datetime="2026-04-04T14:10:00Z")])
    assert demo.record("2").possible_duplicate_of == "1"


# Ids that this server assigned


def post(demo: City) -> str:
    secret = add_key(demo.platform, label="tests", now=utc_now())[1]
    data = {"api_key": secret, "service_code": "potholes", "lat": "60.17", "long": "24.94", "description": "Mine"}
    (receipt,) = demo.client.post("/open311/v2/requests.json", data=data).json or []
    return str(receipt["service_request_id"])


def test_an_id_of_another_request_made_here_is_refused(demo: City) -> None:
    identifier = post(demo)
    batches = demo.take([row("1"), row(identifier, status="closed", description="Theirs")])
    assert counts(total(batches)) == (2, 1, 0, 0, 0, 1)
    (refusal,) = refusals(batches)
    assert (refusal.position, refusal.service_request_id) == (2, identifier)
    assert refusal.reason.startswith(
        "service_request_id: is already the id of another request, which was made here at "
    )
    assert (demo.get(identifier)["description"], demo.get(identifier)["status"]) == ("Mine", "open")


def test_a_row_can_change_the_progress_of_a_request_made_here_but_not_its_content(demo: City) -> None:
    identifier = post(demo)
    before = demo.get(identifier)
    news = row(
        identifier,
        requested_datetime=before["requested_datetime"],
        status="closed",
        status_notes="Filled.",
        description="Ours",
        lat="1",
        long="1",
    )
    assert counts(total(demo.take([news]))) == (1, 0, 1, 0, 0, 0)
    after = demo.get(identifier)
    assert (after["status"], after["status_notes"]) == ("closed", "Filled.")
    assert (after["description"], after["lat"]) == ("Mine", before["lat"])


def test_no_reporter_data_is_stored(demo: City) -> None:
    body = json.dumps(
        [
            {
                "service_request_id": "7",
                "requested_datetime": "2026-04-03T14:10:00Z",
                "service_code": "potholes",
                "status": "open",
                "email": "ann@b.example",
                "first_name": "Ann",
                "phone": "555",
                "account_id": "1",
            }
        ]
    ).encode()
    list(demo.batches(source(body)))
    with demo.platform.database.reading() as connection:
        found = connection.exec_driver_sql("SELECT count(*) FROM reporter").scalar_one()
    assert found == 0
    assert "ann" not in str(demo.get("7")).lower()
