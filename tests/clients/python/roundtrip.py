"""Lists services, sends requests with answers, and reads them back: with the client of openapi-python-client."""

from __future__ import annotations

import datetime
import sys
from typing import TypeVar

from open311_client import AuthenticatedClient
from open311_client.api.extensions import list_changes
from open311_client.api.georeport import (
    create_request,
    get_request,
    get_service_definition,
    list_requests,
    list_services,
)
from open311_client.models import (
    Change,
    Error,
    ExtendedDefinition,
    ExtendedReceipt,
    ExtendedRequest,
    Service,
    Submission,
    SubmissionParts,
)

Item = TypeVar("Item")


def items(found: object, kind: type[Item]) -> list[Item]:
    """The items of an answer, which are all of this kind."""
    assert isinstance(found, list), found
    assert found, f"no {kind.__name__} came"
    assert all(isinstance(item, kind) for item in found), found
    return found


def try_out(client: AuthenticatedClient) -> int:
    """The round trip. Returns the number of requests that were sent."""
    services = items(list_services.sync(client=client), Service)
    assert "graffiti" in {service.service_code for service in services if service.metadata}
    definition = get_service_definition.sync("graffiti", client=client)
    assert isinstance(definition, ExtendedDefinition)
    assert definition.attributes[0].code == "SURFACE"

    form = Submission(service_code="graffiti", lat=60.1718, long=24.9414, description="Müll & Straße")
    form["attribute[SURFACE]"] = "brick"
    form["attribute[TAGS]"] = ["a", "b"]
    parts = SubmissionParts(service_code="graffiti", address_string="5 Mill Lane", description="+ 1")
    parts["attribute[SURFACE]"] = "metal"
    sent = {
        str(items(create_request.sync(client=client, body=body), ExtendedReceipt)[0].service_request_id): body
        for body in (form, parts)
    }

    listed = items(list_requests.sync(client=client, service_code="graffiti", extensions="true"), ExtendedRequest)
    assert {item.service_request_id for item in listed} == set(sent)
    for item in listed:
        body = sent[item.service_request_id]
        assert item.description == body.description
        assert isinstance(item.requested_datetime, datetime.datetime)
        assert item.requested_datetime.tzinfo is not None
        assert isinstance(item.attributes, list)
        values = [answer.value for answer in item.attributes]
        assert values == (["brick", "a", "b"] if body is form else ["metal"]), values
        [alone] = items(get_request.sync(item.service_request_id, client=client), ExtendedRequest)
        assert (alone.lat, alone.address) == (item.lat, item.address)
    changes = items(list_changes.sync(client=client, extensions="true", wait=20), Change)
    assert {change.service_request_id for change in changes} <= set(sent)

    [error] = items(create_request.sync(client=client, body=Submission(service_code="potholes")), Error)
    assert error.code == 400
    assert "location" in error.description
    return len(sent)


def main() -> None:
    """Call the server whose origin and key are the program's arguments."""
    origin, key = sys.argv[1:]
    with AuthenticatedClient(base_url=origin, token=key, raise_on_unexpected_status=True) as client:
        print(f"{try_out(client)} requests were sent and read back.")


if __name__ == "__main__":
    main()
