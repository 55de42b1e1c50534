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

_SEVERAL = "the first column that is not empty is used"


class Templates(Texts):
    """Names of columns, or texts that contain names of columns in braces."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> tuple[str, ...]:
        texts = super()._deserialize(value, *args, **kwargs)
        for text in texts:
            try:
                read_template(text)
            except ValueError as error:
                raise ValidationError(str(error)) from None
        return texts


class Points(Texts):
    """Points as texts. The latitude comes before the longitude."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> tuple[str, ...]:
        texts = super()._deserialize(value, *args, **kwargs)
        for text in texts:
            try:
                read_point(text)
            except ValueError as error:
                raise ValidationError(str(error)) from None
        return texts


class FieldNames(Texts):
    """Names of fields, which are keys of `[columns]`."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> tuple[str, ...]:
        texts = super()._deserialize(value, *args, **kwargs)
        for text in texts:
            if text not in FIELDS:
                raise ValidationError(f"must hold keys of [columns], not {text!r}.")
        return texts


class ColumnsTable(Table):
    """The column of each field."""

    header, noun = "[columns]", "table"

    service_request_id = Templates("The request's id")
    service_code = Templates(
        "The service's code. Each column is tried, and the first code that the catalogue has is used", default=()
    )
    service_name = Templates(f"The service's name. If there are several columns, {_SEVERAL}", default=())
    status = Templates("Whether the request is open or closed, in the publisher's words", default=())
    detailed_status = Templates("A more detailed word for the status", default=())
    status_notes = Templates("Why the request has this status", default=())
    description = Templates("What was reported", default=())
    agency_responsible = Templates("The department's name", default=())
    department = Templates("The department's code in the catalogue", default=())
    service_notice = Templates("What the reporter can expect", default=())
    requested_datetime = Templates("When the request was made")
    updated_datetime = Templates("When the request last changed", default=())
    closed_datetime = Templates("When the request was closed", default=())
    expected_datetime = Templates("When the work should be done", default=())
    address = Templates("The address as text", default=())
    address_id = Templates("The city's own id of the address", default=())
    zipcode = Templates("Postal code", default=())
    lat = Templates("Latitude, WGS 84 degrees", default=())
    long = Templates("Longitude, WGS 84 degrees", default=())
    media_url = Templates("Addresses of pictures; all columns are used", default=())


class ColumnMapTable(Table):
    """A file `columns/*.toml`."""

    header = "columns/*.toml"

    dates = Choice(
        Order,
        "Whether `3/4/2026` begins with the month or the day, if no date of the file shows the order",
        default=Order.MONTH_FIRST,
    )
    required = FieldNames(
        "Fields that a file must have, in addition to `service_request_id` and `requested_datetime`. The map is not"
        " used for other files",
        default=(),
    )
    recognised_by = Texts("Columns that a file must have, for example one that no other publisher has", default=())
    blanks = Texts(
        "Words that stand for an empty value, in addition to `null`, `NaN`, `N/A` and the like", default=()
    )
    stand_ins = Points(
        'Points that the publisher writes if the place is unknown, such as `"42.3594, -71.0587"`', default=()
    )
    find_by_name = Flag(
        "Whether a service is found by its name if the catalogue does not have its code", default=False
    )
    spaced_address = Flag(
        "Whether the parts of an address are separated by two or more blanks instead of commas", default=False
    )
    zipcode_digits = Number(
        "Number of digits of a zipcode; leading zeros that were lost are restored. `0` for any number",
        least=0,
        most=20,
        default=0,
    )
    columns = OneTable(ColumnsTable(), "The column of each field, see below")
    answers = ByCode(Templates(), 'The column of the answer to each attribute, as in `descriptor = "Descriptor"`')
    statuses = ByCode(
        Choice(("open", "closed"), "", default="open"),
        'The meaning of other words for a status, as in `"SIMAPPROVED" = "open"`',
    )


COLUMN_MAP = ColumnMapTable()


def load_map(path: Traversable) -> ColumnMap:
    """The column map in a file. Raises Misconfigured with a line for each fault."""
    faults: list[str] = []
    found = declared_map(File(path, path.name, faults))
    if found is None:
        raise Misconfigured("\n".join(" ".join(fault.split()) for fault in faults))
    return found


def named_map(name: str) -> ColumnMap | None:
    """The server's own column map with this name, or None."""
    return next((each for each in shipped_maps() if each.name == name), None)


def declared_map(file: File) -> ColumnMap | None:
    """The column map in a file; None after a fault, which the file reports."""
    table = file.toml(COLUMN_MAP)
    if table is None:
        return None
    columns = {field for field, texts in table["columns"].items() if texts}
    if not columns & {"service_code", "service_name"}:
        file.report("[columns] must have service_code or service_name, because each request needs a service.")
        return None
    for field in table["required"]:
        if field not in columns:
            file.report(f"required contains {field}, which is not a key of [columns]; add it there.")
            return None
    return read_map(plain_name(file.path.name.removesuffix(".toml")), table)
