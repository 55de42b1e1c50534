"""The checks, one module for each family of requirements or for a part of one."""

from __future__ import annotations

from spec.conformance.checks import (
    arguments,
    attributes,
    bulk,
    changes,
    definitions,
    discovery,
    dumps,
    errors,
    extensions,
    feeds,
    fields,
    formats,
    listing,
    more,
    nearby,
    paging,
    parameters,
    places,
    search,
    security,
    services,
    single,
    submission,
    tokens,
    updates,
)
from spec.conformance.registry import Check, checks_in
from spec.requirements import requirements

_MODULES = (
    discovery,
    formats,
    arguments,
    services,
    definitions,
    submission,
    attributes,
    parameters,
    tokens,
    listing,
    fields,
    single,
    errors,
    extensions,
    updates,
    bulk,
    security,
    search,
    paging,
    more,
    changes,
    places,
    nearby,
    feeds,
    dumps,
)


def all_checks() -> list[Check]:
    """Every check, in the order of the requirements."""
    found = [check for module in _MODULES for check in checks_in(module)]
    order = {number: place for place, number in enumerate(requirements())}
    return sorted(found, key=lambda check: order[check.numbers[0]])
