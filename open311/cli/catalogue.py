"""`open311 jurisdictions` and `open311 route`: the cities, and the routing of requests to departments."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click

from open311.cli.environment import read_settings
from open311.cli.group import CommandGroup
from open311.cli.output import counted, fail, say, say_table, warn
from open311.cli.platforms import command_platform
from open311.cli.shell import shell_user
from open311.clock import utc_now
from open311.domain.attributes import Answer
from open311.domain.overrides import Stand, Standing
from open311.domain.places import read_place
from open311.domain.routing import Draft, Step
from open311.domain.text import clean_text
from open311.errors import Invalid, Misconfigured, Unavailable
from open311.operations.access.staff import find_stranded
from open311.operations.intake.suspecting import remark_about_counts
from open311.operations.overriding.editing import drop_override, read_stands
from open311.operations.platform import Platform
from open311.operations.upkeep.sync_catalogues import find_orphans, find_orphans_of_areas, sync_catalogues
from open311.plugins import Jurisdiction
from open311.plugins.backend_faults import find_backend_remarks
from open311.plugins.declared.exporting import files_with
from open311.plugins.registry import Registry, load_registry
from open311.plugins.rule_faults import find_remarks
from open311.settings import Settings
from open311.storage.engine import open_database
from open311.storage.queue import Queue
from schemas.values import NotAnInstant, parse_instant


@click.group(cls=CommandGroup)
def jurisdictions() -> None:
    """List the cities that are served, check their plugins, store their catalogues, export or drop overrides."""


@jurisdictions.command("list")
def list_all() -> None:
    """Show the cities that are served, and plugins that could not be loaded."""
    settings = read_settings()
    registry = load_registry(settings.jurisdictions, maps=settings.maps_path, backends=settings.backends_path)
    say_table(
        ("jurisdiction_id", "name", "services", "departments", "languages", "time zone"),
        (
            (
                jurisdiction.id,
                jurisdiction.name,
                str(_count_current(jurisdiction)),
                str(len(jurisdiction.departments)),
                ", ".join(jurisdiction.languages),
                jurisdiction.time_zone,
            )
            for jurisdiction in registry
        ),
    )
    for reason in registry.reasons:
        say(f"not served: {reason}")


@jurisdictions.command()
@click.argument("names", nargs=-1)
def check(names: tuple[str, ...]) -> None:
    """Check plugins against the contract. The exit status is 1 if a plugin is broken, or a file is left out.

    NAMES are plugin names, jurisdiction ids or folders with a jurisdiction.toml. Without NAMES, the command checks
    each plugin that this server serves.

    Lines that begin with "look at" do not change the exit status. They name: service levels that contradict each
    other, so that some requests get no due date; texts for citizens that need an address; back ends to which
    nothing is sent; secrets or a mail server that are missing here; rates that each web process counts for itself;
    and overrides from the pages for staff that are older than a change of the files.

    \b
    Example:
      open311 jurisdictions check ./mycity
    """
    missing = [name for name in names if Path(name).is_dir() and not (Path(name) / "jurisdiction.toml").is_file()]
    if missing:
        fail(f"{missing[0]} holds no jurisdiction.toml; see jurisdictions/README.md.")
    settings = read_settings()
    registry = load_registry(
        names or settings.jurisdictions, maps=settings.maps_path, backends=settings.backends_path
    )
    for jurisdiction in registry:
        say(f"sound: {jurisdiction.id}, {_services(jurisdiction)}")
        remarks = find_backend_remarks(jurisdiction, sends_mail=bool(settings.smtp_url))
        counts = remark_about_counts(jurisdiction, settings)
        for remark in (*find_remarks(jurisdiction), *remarks, *([counts] if counts else ())):
            say(f"look at: {jurisdiction.id}: {remark}")
        for fault in jurisdiction.left_out:
            say(f"left out: {jurisdiction.id}: {fault}")
    for line in _overrides_to_look_at(settings, registry):
        say(f"look at: {line}")
    for reason in registry.reasons:
        say(f"broken: {reason}")
    for folder in registry.unused_maps:
        say(f"not used: {folder} has maps, but no city that is checked has this jurisdiction_id")
    for file in registry.unused_backends:
        say(f"not used: {file} has back ends, but no city that is checked has this jurisdiction_id")
    left_out = sum(len(city.left_out) for city in registry.declared)
    if registry.faults:
        fail(f"{len(registry.faults)} of {len(registry.faults) + len(registry.jurisdictions)} are broken.")
    if left_out:
        fail(f"{counted(left_out, 'fault')} in files that are left out.")


@jurisdictions.command()
def sync() -> None:
    """Store the catalogues, as a server does when it starts. A changed catalogue gets a new discovery changeset.

    The command prints what has changed. It also names open requests of departments and areas that do not exist any
    more, and accounts of staff whose departments do not exist any more.
    """
    with command_platform() as platform:
        changed = sync_catalogues(platform, utc_now())
        orphans = [*find_orphans(platform), *find_orphans_of_areas(platform), *find_stranded(platform)]
    for change in changed:
        say(f"Stored: {change}.")
    if not changed:
        say("Nothing had changed.")
    for line in orphans:
        say(f"Look at {line}.")


@jurisdictions.command("export-overrides")
@click.option("--jurisdiction", default="", help="A jurisdiction_id; not needed if only one city is served.")
def export_overrides(jurisdiction: str) -> None:
    """Print the city's files with what admins have changed on the pages for staff.

    Only files that change are printed, each below a comment with its name. Comments and order stay. When the server
    has started with the new files, the overrides are equal to them, and `drop-overrides` removes them.

    \b
    Example:
      open311 jurisdictions export-overrides --jurisdiction city.example
    """
    with command_platform() as platform:
        city = platform.registry.find(jurisdiction)
        stands = read_stands(platform, city)
        declared = next(one for one in platform.registry.declared if one.id == city.id)
        files = files_with(declared, stands)
    for name, text in files.items():
        say(f"# --- {name}")
        say(text.rstrip("\n"))
    left_out = [one for one in stands if one.standing not in (Standing.APPLIED, Standing.CHANGED, Standing.EQUAL)]
    for stand in left_out:
        warn(f"left out: {_standing(stand)}")
    if not files:
        warn(f"nothing is printed: no override changes the files of {city.id}.")


@jurisdictions.command("drop-overrides")
@click.option("--jurisdiction", default="", help="A jurisdiction_id; not needed if only one city is served.")
def drop_overrides(jurisdiction: str) -> None:
    """Remove the overrides that say the same as the city's files.

    \b
    Example:
      open311 jurisdictions drop-overrides --jurisdiction city.example
    """
    with command_platform() as platform:
        city = platform.registry.find(jurisdiction)
        equal = [one.override for one in read_stands(platform, city) if one.standing is Standing.EQUAL]
        for one in equal:
            name = str(one.item)
            drop_override(platform, city, name, seen=one.version, principal=shell_user(), now=utc_now())
            say(f"Dropped: {name}.")
    if not equal:
        say("No override says the same as the files.")


def _count_current(city: Jurisdiction) -> int:
    """How many services the city still has, as `sync` counts them."""
    return sum(service.is_current for service in city.services)


def _services(city: Jurisdiction) -> str:
    """The number of services that the city still has, and the number of the others."""
    current = _count_current(city)
    former = len(city.services) - current
    return counted(current, "service") + (f" and {former} that are inactive or replaced" if former else "")


def _overrides_to_look_at(settings: Settings, registry: Registry) -> Iterator[str]:
    """A sentence for each override that a person should look at. Without a database, there are none to look at."""
    if not settings.database_url:
        return
    database = open_database(settings.past_pooler.sqlalchemy_url)
    platform = Platform(settings, database, registry, Queue(database))
    try:
        for city in registry.declared:
            stands = read_stands(platform, city)
            yield from (f"{city.id}: {_standing(one)}" for one in stands if one.standing is not Standing.APPLIED)
    except Unavailable:
        if registry.overridable:
            yield "overrides are not checked, because the database does not answer or is not migrated"
    finally:
        platform.close()


_STANDINGS = {
    Standing.APPLIED: "counts",
    Standing.CHANGED: "still counts, but the files say something else than when it was made",
    Standing.EQUAL: "says the same as the files; `open311 jurisdictions drop-overrides` removes it",
    Standing.GONE: "does not count, because the files do not have this any more",
    Standing.MISFIT: "does not count, because it does not fit the files",
    Standing.OFF: "does not count, because the files do not have overrides = true",
}


def _standing(stand: Stand) -> str:
    fault = f": {stand.fault}" if stand.fault else ""
    return f"the override {str(stand.override.item)!r} {_STANDINGS[stand.standing]}{fault}"


@click.command()
@click.argument("service_code")
@click.option("--jurisdiction", default="", help="A jurisdiction_id; not needed if only one city is served.")
@click.option("--lat", default="", help="Latitude, with --long.")
@click.option("--long", default="", help="Longitude, with --lat.")
@click.option("--answer", "answers", multiple=True, metavar="CODE=VALUE", help="An answer; may be repeated.")
@click.option("--description", default="", help="What the reporter writes.")
@click.option(
    "--at", default="", metavar="TIME", help="When it is reported, for cities that route by time.  [default: now]"
)
@click.option("--explain", is_flag=True, help="Show every rule that was tried.")
def route(
    service_code: str,
    jurisdiction: str,
    lat: str,
    long: str,
    answers: tuple[str, ...],
    description: str,
    at: str,
    explain: bool,
) -> None:
    """Say which department a request would go to, and by when it should be done. Nothing is stored.

    SERVICE_CODE is a code from the city's service list, or an alias of one.

    \b
    Example:
      open311 route potholes --jurisdiction city.example --lat 60.17 --long 24.94 --explain
      open311 route trees --jurisdiction city.example --at 2026-12-24T23:00 --description "Across the tracks"
    """
    settings = read_settings()
    registry = load_registry(settings.jurisdictions, maps=settings.maps_path, backends=settings.backends_path)
    city = registry.find(jurisdiction)
    place, problems = read_place(lat=lat, long=long, address="" if lat or long else "somewhere")
    if problems:
        raise Invalid.of(problems)
    draft = Draft(
        service=city.require_service(service_code),
        place=place,
        answers=_answers(answers),
        description=clean_text(description).strip(),
        requested_at=_instant(at, city) if at else utc_now(),
    )
    steps = city.explain(draft)
    if explain:
        for step in steps:
            say(f"{'won ' if step.fits else 'no  '} {step.rule} -> {step.department}: {step.why}")
    say(_department(city, steps[-1]))
    for line in (*_where(city, draft), *_due(city, draft, steps[-1].department)):
        say(line)


def _where(city: Jurisdiction, draft: Draft) -> Iterator[str]:
    """What the city does with requests at a point where the city or the service accepts none."""
    point, service = draft.place.point, draft.service
    outcome = "a POST is refused" if city.outside == "refuse" else "a POST is stored and marked"
    if point is not None and not city.covers(*point):
        yield f"the point lies outside {city.name}: {outcome}"
    elif point is not None and not city.offers(service, point):
        yield f"the service {service.code} is not offered at this point: {outcome}"


def _due(city: Jurisdiction, draft: Draft, department: str) -> Iterator[str]:
    """By when the request should be done, and why; nothing if the city has no service level for it."""
    code, answers = draft.service.code, draft.values
    rules = city.levels.deciding(code, department, answers)
    if not rules or draft.requested_at is None:
        return
    words = " and ".join(f"'{rule}'" for rule in rules)
    due = city.due(code, department, draft.requested_at, answers=answers)
    if due is not None:
        yield f"due {due.astimezone(city.zone).isoformat()} by the service level {words}"
    elif city.levels.level(code, department, answers) is None:
        yield f"no due date, because service levels disagree: {words}"
    else:
        yield f"no due date by the service level {words}"


def _instant(text: str, city: Jurisdiction) -> datetime:
    """The instant of the option --at. If the option has no time zone, the city's zone is used."""
    try:
        return parse_instant(text, city.zone)
    except NotAnInstant as error:
        raise Invalid(str(error), "--at") from None


def _department(city: Jurisdiction, step: Step) -> str:
    try:
        department = city.department(step.department)
    except KeyError:
        raise Misconfigured(
            f"{step.rule} names department {step.department!r}, which {city.id} does not declare."
        ) from None
    return f"{department.code}: {department.name}"


def _answers(pairs: tuple[str, ...]) -> tuple[Answer, ...]:
    found: dict[str, list[str]] = {}
    for pair in pairs:
        code, separator, value = pair.partition("=")
        if not separator:
            raise Invalid(f"{pair!r} must look like CODE=VALUE.", "--answer")
        found.setdefault(code, []).append(value)
    return tuple(Answer(code, tuple(values)) for code, values in found.items())
