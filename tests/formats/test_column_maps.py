"""The column map of each city reads a row in the form of the city's open data."""

from __future__ import annotations

import io
from typing import Any

import pytest

from open311.domain.imports import SourceRow
from open311.formats.reading import open_source
from tests.formats.maps import every_map


def only(body: str) -> tuple[str, SourceRow]:
    found = open_source(io.BytesIO(body.encode()), every_map())
    (row,) = found.column_map.rows(found.found)
    assert isinstance(row, SourceRow)
    return found.format, row


AUSTIN = (
    "Service Request (SR) Number,SR Description,Method Received,SR Status,Status Change Date,Created Date,"
    "Last Update Date,Close Date,SR Location,Zip Code,Latitude Coordinate,Longitude Coordinate\n"
    "26-00000007,Pothole Repair,Phone,Closed,09/13/2026,09/01/2026 08:00:00 AM,09/13/2026 09:00:00 AM,"
    '09/13/2026 08:30:00 PM,"7 EXAMPLE ST, AUSTIN, TX",78701,30.2672,-97.7431\n'
)
CALGARY = (
    "service_request_id,requested_date,updated_date,closed_date,status_description,source,service_name,"
    "agency_responsible,address,comm_code,comm_name,location_type,longitude,latitude,point\n"
    "26-00000008,2026/09/01 12:00:00 AM,2026/09/03 12:00:00 AM,2026/09/03 12:00:00 AM,Duplicate (Closed),App,"
    "Roads - Pothole Maintenance,OS - Mobility,,BLN,BELTLINE,Community Centrepoint,-114.07,51.04,"
    "POINT (-114.07 51.04)\n"
)
NEW_ORLEANS = (
    "Service Request #,Request Type,Request Reason,Date Created,Date Modified,Case Close Date,Request Status,"
    "Responsible Agency,Final Address,Longitude,Latitude\n"
    "2026-000009,Roads/Drainage,Pothole,9/13/2026 8:00:00 AM,9/14/2026 9:00:00 AM,,Pending,"
    "Department of Public Works,9 EXAMPLE ST,-90.07,29.95\n"
)
NEW_ORLEANS_API = (
    '[{"service_request":"2026-0000013","request_type":"Trash/Recycling","request_reason":"Large Item Pick Up",'
    '"date_created":"2026-09-01T23:39:56.000","date_modified":"2026-09-01T23:39:58.000","request_status":"Pending",'
    '"responsible_agency":"Department of Sanitation","final_address":"13 EXAMPLE ST","address_councildis":"E",'
    '"status":"Assigned to Contractor","rowid":"13","longitude":"-89.94","latitude":"30.05",'
    '"geocoded_column":{"latitude":"30.05","longitude":"-89.94"}}]'
)
NEW_ORLEANS_2018 = (
    "ticket_id,issue_type,ticket_created_date_time,ticket_closed_date_time,ticket_status,issue_description,"
    "street_address,neighborhood_district,council_district,city,state,zip_code,location,geom,latitude,longitude\n"
    "2016000123,Pothole/Roadway Surface Repair,10/01/2016 08:00:00 AM,10/02/2016 09:00:00 AM,Closed,"
    "Pothole/Roadway Surface Repair,1 EXAMPLE ST,Uptown,A,New Orleans,LA,70118,,POINT (-90.1 29.95),29.95,-90.1\n"
)
PHILADELPHIA = (
    "the_geom,cartodb_id,service_request_id,subject,status,status_notes,service_name,service_code,"
    "agency_responsible,service_notice,requested_datetime,updated_datetime,expected_datetime,closed_datetime,"
    "address,zipcode,media_url,lat,lon\n"
    "0101,1,16000010,Street Defect,Closed,Issue Resolved,Street Defect,SR-ST01,Streets Department,4 Business Days,"
    "2026-07-02 14:03:10+00,2026-07-05 10:00:00+00,2026-07-09 00:00:00+00,2026-07-05 10:00:00+00,"
    "10 N EXAMPLE ST,19102,,39.9537,-75.1636\n"
)
BOSTON = (
    "case_id,open_date,case_topic,service_name,assigned_department,assigned_team,case_status,closure_reason,"
    "closure_comments,close_date,target_close_date,on_time,report_source,full_address,zip_code,submitted_photo,"
    "closed_photo,longitude,latitude\n"
    "BCS-0000011,2026-09-02 08:15:00,Street and Sidewalk,Request for Pothole Repair,Public Works,PWD,Closed,"
    "Completed,filled,2026-09-03 09:00:00,2026-09-04 08:15:00,ONTIME,Constituent Call,11 Example St Boston 02118,"
    "02118,https://a.example/1,https://a.example/2,-71.0772,42.3389\n"
)
CHICAGO = (
    "SR_NUMBER,SR_TYPE,SR_SHORT_CODE,CREATED_DEPARTMENT,OWNER_DEPARTMENT,STATUS,CREATED_DATE,LAST_MODIFIED_DATE,"
    "CLOSED_DATE,STREET_ADDRESS,ZIP_CODE,LATITUDE,LONGITUDE\n"
    "SR26-00000012,Pothole in Street Complaint,PHF,,CDOT - Department of Transportation,Completed - Dup,"
    "09/13/2026 06:27:24 AM,09/14/2026 07:00:00 AM,09/14/2026 07:00:00 AM,12 W EXAMPLE ST,60601,41.88,-87.63\n"
)
WASHINGTON = (
    '{"features": [{"attributes": {"OBJECTID": 1, "SERVICECODE": "POTHOLE", "SERVICECODEDESCRIPTION": "Pothole",'
    ' "ORGANIZATIONACRONYM": "DDOT", "ADDDATE": 1788249600000, "RESOLUTIONDATE": null, "INSPECTORNAME": "Ann",'
    ' "SERVICEORDERSTATUS": "Open", "STATUS_CODE": "INITIATED", "SERVICEREQUESTID": "26-00000013",'
    ' "STREETADDRESS": "13 EXAMPLE ST NW", "CITY": "WASHINGTON", "ZIPCODE": 20001},'
    ' "geometry": {"x": -77.03, "y": 38.9}}]}'
)
SAN_FRANCISCO = (
    '[{"service_request_id": "90000014", "requested_datetime": "2026-09-01T08:00:00.000",'
    ' "closed_date": "2026-09-02T08:00:00.000", "status_description": "Closed", "status_notes": "Case Resolved",'
    ' "agency_responsible": "DPW", "service_name": "Street and Sidewalk Cleaning",'
    ' "service_subtype": "Bulky Items", "service_details": "Mattress", "address": "14 EXAMPLE ST",'
    ' "point": {"latitude": "37.77", "longitude": "-122.41"}, "media_url": {"url": "https://a.example/1"}}]'
)


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        pytest.param(
            AUSTIN,
            "austin-csv",
            {
                "service_request_id": "26-00000007",
                "service_name": "Pothole Repair",
                "closed": "2026-09-13T20:30:00",
                "zipcode": "78701",
                "lat": "30.2672",
            },
            id="austin",
        ),
        pytest.param(
            CALGARY,
            "calgary-csv",
            {
                "status": "Duplicate (Closed)",
                "requested": "2026-09-01T00:00:00",
                "address": "BELTLINE",
                "by_name": True,
            },
            id="calgary",
        ),
        pytest.param(
            NEW_ORLEANS,
            "neworleans-csv",
            {
                "service_request_id": "2026-000009",
                "description": "Pothole",
                "requested": "2026-09-13T08:00:00",
                "agency": "Department of Public Works",
            },
            id="neworleans",
        ),
        pytest.param(
            NEW_ORLEANS_API,
            "neworleans-json",
            {
                "service_name": "Trash/Recycling",
                "status": "Pending",
                "detailed_status": "Assigned to Contractor",
                "closed": "",
                "lat": "30.05",
            },
            id="neworleans-api",
        ),
        pytest.param(
            NEW_ORLEANS_2018,
            "neworleans_2018-csv",
            {
                "service_request_id": "2016000123",
                "service_name": "Pothole/Roadway Surface Repair",
                "closed": "2016-10-02T09:00:00",
                "zipcode": "70118",
            },
            id="neworleans-2018",
        ),
        pytest.param(
            PHILADELPHIA,
            "philadelphia-csv",
            {"service_codes": ("SR-ST01",), "closed": "2026-07-05 10:00:00+00", "long": "-75.1636"},
            id="philadelphia",
        ),
        pytest.param(
            BOSTON,
            "boston_cases-csv",
            {
                "status_notes": "Completed: filled",
                "expected": "2026-09-04 08:15:00",
                "media": ("https://a.example/1", "https://a.example/2"),
            },
            id="boston",
        ),
        pytest.param(
            CHICAGO,
            "chicago-csv",
            {"service_codes": ("PHF",), "status": "Completed - Dup", "requested": "2026-09-13T06:27:24"},
            id="chicago",
        ),
        pytest.param(
            WASHINGTON,
            "washington-json",
            {
                "requested": "2026-09-01T08:00:00+00:00",
                "detailed_status": "INITIATED",
                "address": "13 EXAMPLE ST NW, WASHINGTON",
                "long": "-77.03",
                "agency_code": "DDOT",
            },
            id="washington",
        ),
        pytest.param(
            SAN_FRANCISCO,
            "sanfrancisco-json",
            {"description": "Bulky Items: Mattress", "lat": "37.77", "media": ("https://a.example/1",)},
            id="sanfrancisco",
        ),
    ],
)
def test_a_citys_file_is_recognised_and_read(body: str, kind: str, expected: dict[str, Any]) -> None:
    found, row = only(body)
    assert found == kind
    assert {name: getattr(row, name) for name in expected} == expected
    assert "Ann" not in str(row)


def test_the_names_of_column_maps_are_unique() -> None:
    names = [each.name for each in every_map()]
    assert len(names) == len(set(names))
    assert names[-1] == "georeport"
