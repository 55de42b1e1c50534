"""The catalogue of a city, for the programs of staff."""

from __future__ import annotations

from open311.formats import JSON
from open311.operations.desk.catalogue import plain_catalogue
from open311.web.access import STAFF as STAFF_ONLY
from open311.web.calls import Answer, Call
from open311.web.endpoints import City, Media, endpoint
from open311.web.staff.answers import staff_answer
from open311.web.surfaces import STAFF
from schemas.staff import StaffArguments, StaffCatalogueSchema


@endpoint(
    STAFF,
    "/catalogue",
    reads=StaffArguments,
    access=STAFF_ONLY,
    answers=Media("application/json", StaffCatalogueSchema()),
    output=JSON,
    city=City.OF_CALLER,
)
def get_staff_catalogue(call: Call) -> Answer:
    """Show the city's departments, services, areas, states, outcomes, priorities and texts.

    A client fills its menus from it: the codes are those that commands and filters read.
    """
    return staff_answer(plain_catalogue(call.city))
