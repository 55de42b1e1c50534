"""The checks, one module for each family of requirements or for a part of one."""

from __future__ import annotations

from spec.conformance.checks import (
    arguments,
    attributes,
    bulk,
    definitions,
    discovery,
    errors,
    extensions,
    fields,
    formats,
    listing,
    parameters,
    security,
    services,
    single,
    submission,
    tokens,
    updates,
)
from spec.conformance.registry import Check, checks_in

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
)


def all_checks() -> list[Check]:
    """Every check, in the order of the requirements."""
    found = [check for module in _MODULES for check in checks_in(module)]
    return sorted(found, key=lambda check: check.numbers)
