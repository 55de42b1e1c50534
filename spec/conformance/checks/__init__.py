"""The checks. Each module has the name of a family of requirements, or of a part of a family.

A family is a heading of spec/georeport-v2.md or spec/extensions.md. spec/coverage.md has a table of all
requirements and their checks.
"""

from __future__ import annotations

from spec.conformance.checks import (
    activity_streams,
    bulk,
    change_feed,
    cities_and_areas,
    common_arguments,
    definitions,
    discovery,
    dumps,
    errors,
    extension_fields,
    extensions,
    forecasts,
    formats,
    ids_of_partners,
    inquiry,
    languages,
    languages_and_security,
    listing,
    map_tiles,
    me_too,
    nearby,
    notices,
    offers_and_forms,
    other_formats,
    own_view,
    paging,
    photos,
    post_attributes,
    post_parameters_and_answer,
    post_service_and_location,
    request_fields,
    request_updates,
    search,
    sensors,
    services,
    single_request,
    statistics,
    subscriptions,
    suggestions,
    text_messages,
    tokens,
    what_clients_send,
)
from spec.conformance.registry import Check, checks_in
from spec.requirements import requirements

_MODULES = (
    discovery,
    formats,
    common_arguments,
    services,
    definitions,
    post_service_and_location,
    post_attributes,
    post_parameters_and_answer,
    tokens,
    listing,
    request_fields,
    single_request,
    errors,
    extensions,
    request_updates,
    bulk,
    languages_and_security,
    what_clients_send,
    search,
    languages,
    paging,
    extension_fields,
    change_feed,
    sensors,
    cities_and_areas,
    offers_and_forms,
    notices,
    nearby,
    suggestions,
    text_messages,
    ids_of_partners,
    own_view,
    me_too,
    activity_streams,
    statistics,
    forecasts,
    subscriptions,
    other_formats,
    map_tiles,
    dumps,
    photos,
    inquiry,
)


def all_checks() -> list[Check]:
    """Every check, in the order of the requirements."""
    checks = [check for module in _MODULES for check in checks_in(module)]
    order = {number: place for place, number in enumerate(requirements())}
    return sorted(checks, key=lambda check: order[check.numbers[0]])
