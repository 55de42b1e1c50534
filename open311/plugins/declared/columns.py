"""Column maps in files: `columns/*.toml` of a city's folder, or any file for `open311 import --columns`."""

from __future__ import annotations

from importlib.resources.abc import Traversable
from typing import Any

from marshmallow import ValidationError

from open311.errors import Misconfigured
from open311.formats.reading import ColumnMap, shipped_maps
from open311.formats.reading.columns import FIELDS
from open311.formats.reading.dates import Order
from open311.formats.reading.maps import read_map, read_point
from open311.formats.reading.templates import plain_name, read_template
from open311.plugins.declared.files import File
from open311.plugins.declared.keys import ByCode, Choice, Flag, Number, OneTable, Table, Texts

_SEVERAL = "the first that says something counts"


class Templates(Texts):
    """Columns, or texts with columns in them."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> tuple[str, ...]:
        texts = super()._deserialize(value, *args, **kwargs)
        for text in texts:
            try:
                read_template(text)
            except ValueError as error:
                raise ValidationError(str(error)) from None
        return texts


class Points(Texts):
    """Points, lat before long."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> tuple[str, ...]:
        texts = super()._deserialize(value, *args, **kwargs)
        for text in texts:
            try:
                read_point(text)
            except ValueError as error:
                raise ValidationError(str(error)) from None
        return texts


class FieldNames(Texts):
    """Fields, as `[columns]` names them."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> tuple[str, ...]:
        texts = super()._deserialize(value, *args, **kwargs)
        for text in texts:
            if text not in FIELDS:
                raise ValidationError(f"must hold keys of [columns], not {text!r}.")
        return texts


class ColumnsTable(Table):
    """Where each field stands."""

    header, noun = "[columns]", "table"

    service_request_id = Templates("The id")
    service_code = Templates("Codes: each column that says something, the first of them known counts", default=())
    service_name = Templates(f"The service's name; {_SEVERAL}, here and below", default=())
    status = Templates("Open or closed, in the publisher's words", default=())
    detailed_status = Templates("A second, finer word for it", default=())
    status_notes = Templates("Why it has this status", default=())
    description = Templates("What was reported", default=())
    agency_responsible = Templates("The department's name", default=())
    department = Templates("The department's code, where it is one of the city's", default=())
    service_notice = Templates("What the city promises", default=())
    requested_datetime = Templates("When it was opened")
    updated_datetime = Templates("When it last changed", default=())
    closed_datetime = Templates("When it was closed", default=())
    expected_datetime = Templates("When it should be done", default=())
    address = Templates("Where, in words", default=())
    address_id = Templates("The address's number in the city's register", default=())
    zipcode = Templates("Postal code", default=())
    lat = Templates("Latitude, WGS 84 degrees", default=())
    long = Templates("Longitude", default=())
    media_url = Templates("Addresses of pictures: each column that says something", default=())


class ColumnMapTable(Table):
    """`columns/*.toml`, whole."""

    header = "columns/*.toml"

    dates = Choice(
        Order, "What comes first in `3/4/2026`, if no date of the file shows it", default=Order.MONTH_FIRST
    )
    required = FieldNames(
        "Fields that every file has, beside `service_request_id` and `requested_datetime`; other files are not"
        " taken for this publisher's",
        default=(),
    )
    recognised_by = Texts(
        "Further columns that every file has, such as one that no other publisher has", default=()
    )
    blanks = Texts("Words that mean nothing, beside `null`, `NaN`, `N/A` and the like", default=())
    stand_ins = Points('Points that the publisher writes where it knows none: `"42.3594, -71.0587"`', default=())
    find_by_name = Flag("Whether a service is looked up by its name if its code is not known", default=False)
    spaced_address = Flag("Whether two or more blanks part an address, where others have a comma", default=False)
    zipcode_digits = Number(
        "How many digits a zipcode has: zeros before it, which spreadsheets drop, are restored; `0` for any",
        least=0,
        most=20,
        default=0,
    )
    columns = OneTable(ColumnsTable(), "Where each field stands, see below")
    answers = ByCode(Templates(), '`descriptor = "Descriptor"`: an attribute\'s code, and where its answer stands')
    statuses = ByCode(
        Choice(("open", "closed"), "", default="open"),
        '`"SIMAPPROVED" = "open"`: words that are not understood else',
    )


COLUMN_MAP = ColumnMapTable()


def load_map(path: Traversable) -> ColumnMap:
    """The column map in a file. Raises Misconfigured with every fault, a line each."""
    faults: list[str] = []
    found = declared_map(File(path, path.name, faults))
    if found is None:
        raise Misconfigured("\n".join(" ".join(fault.split()) for fault in faults))
    return found


def named_map(name: str) -> ColumnMap | None:
    """The column map of this name that comes with the server, or None."""
    return next((each for each in shipped_maps() if each.name == name), None)


def declared_map(file: File) -> ColumnMap | None:
    """The column map in a file; None after a fault, which the file reports."""
    table = file.toml(COLUMN_MAP)
    if table is None:
        return None
    columns = {field for field, texts in table["columns"].items() if texts}
    if not columns & {"service_code", "service_name"}:
        file.report("[columns] must have service_code or service_name: a request is about a service.")
        return None
    for field in table["required"]:
        if field not in columns:
            file.report(f"required names {field}, which [columns] lacks.")
            return None
    return read_map(plain_name(file.path.name.removesuffix(".toml")), table)
