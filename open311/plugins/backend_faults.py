"""Faults of a city's back ends and destinations that show only together with its catalogue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from typing import Any

from open311.errors import Misconfigured
from open311.plugins.backends import BackendConfig, Destination, Secret
from open311.plugins.declared.keys import cut
from open311.plugins.interface import Jurisdiction


def find_backend_faults(city: Jurisdiction) -> Iterator[str]:
    """A sentence for each fault, such as a name that does not exist or a back end that is declared twice."""
    names = [config.name for config in city.backends]
    for name in _repeated(names):
        yield f"backends: {cut(name)} is the name of {names.count(name)} back ends; each needs a name of its own"
    places = [(one.service, one.area, one.department) for one in city.destinations]
    for number, one in enumerate(city.destinations, 1):
        for sentence in _destination(city, one, names):
            yield f"{_named(number, one)}: {sentence}"
        first = places.index((one.service, one.area, one.department)) + 1
        if first < number:
            yield f"{_named(number, one)}: is never used, because destination {first} is for the same requests"
    for config in city.backends:
        yield from _service_codes(city, config)


def find_backend_remarks(city: Jurisdiction, *, sends_mail: bool = True) -> Iterator[str]:
    """Sentences about what an operator should check, although the city can be served.

    sends_mail  whether the settings name a mail server
    A missing secret is only such a remark, because the worker may have the secret in its environment.
    """
    used = {name for one in city.destinations for name in one.backends}
    for config in city.backends:
        if config.name not in used:
            yield f"back end {config.name}: nothing goes to it, because no destination names it"
        if config.kind == "email" and not sends_mail:
            yield f"back end {config.name}: OPEN311_SMTP_URL is not set; the worker needs it to send mail"
        for key, secret in _secrets(config):
            try:
                secret.read()
            except Misconfigured as error:
                yield f"back end {config.name}: {key}: {str(error).rstrip('.')}; the worker needs it"


def _destination(city: Jurisdiction, one: Destination, names: list[str]) -> Iterator[str]:
    for name in dict.fromkeys(one.backends):
        if name not in names:
            yield f"names back end {cut(name)!r}, which is not declared{_near(name, names)}"
    for name in _repeated(one.backends):
        yield f"names back end {cut(name)} twice"
    departments = [department.code for department in city.departments]
    if one.department and one.department not in departments:
        yield f"names department {cut(one.department)!r}, which is not declared{_near(one.department, departments)}"
    services = [service.code for service in city.services]
    if one.service and one.service not in services:
        yield f"names service {cut(one.service)!r}, which is not declared{_near(one.service, services)}"
    if one.area and one.area not in city.areas:
        yield f"names area {cut(one.area)!r}, which is not declared{_near(one.area, city.areas)}"


def _service_codes(city: Jurisdiction, config: BackendConfig) -> Iterator[str]:
    """Faults of a kind's table of service codes, if it has one."""
    codes, known = getattr(config, "service_codes", {}), [service.code for service in city.services]
    for code in codes if isinstance(codes, Mapping) else ():
        if code not in known:
            yield (
                f"back end {config.name}: service_codes has {cut(code)!r}, which is no service of the city"
                f"{_near(code, known)}; write the city's code on the left, and the back office's on the right"
            )


def _secrets(table: Any, path: str = "") -> Iterator[tuple[str, Secret]]:
    """The secrets of a back end by their keys, also those of its inner tables: `oauth.client_secret`."""
    for field in fields(table):
        value, key = getattr(table, field.name), f"{path}{field.name}"
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, Secret):
                yield key, one
            elif is_dataclass(one):
                yield from _secrets(one, f"{key}.")


def _named(number: int, one: Destination) -> str:
    parts = (("service", one.service), ("area", one.area), ("department", one.department))
    what = [f"{kind} {cut(code)}" for kind, code in parts if code]
    return f"destination {number} ({' in '.join(what) or 'everything'})"


def _near(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
