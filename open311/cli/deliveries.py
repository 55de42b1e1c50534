"""`open311 deliveries`: lists, shows and steers what is sent to back offices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import click
from rich.progress import Progress

from open311.cli.group import CommandGroup
from open311.cli.output import console, fail, say, say_json, say_table
from open311.cli.platforms import command_platform, find_jurisdiction
from open311.cli.quarantine import updates
from open311.cli.shell import shell_user
from open311.cli.staff_view import name_of
from open311.clock import utc_now
from open311.domain.case import REPORTER_FIELDS, Case
from open311.domain.deliveries import DeliverySearch
from open311.errors import Conflict, Invalid, Problem
from open311.operations.delivery.managing import (
    MAY_BE_THERE,
    Decision,
    DeliveryView,
    decide,
    delivery_search,
    find_all,
    find_deliveries,
    needs_consent,
    read_delivery,
)
from open311.operations.delivery.rendering import plain_deliveries, plain_view
from open311.operations.delivery.replanning import replan
from open311.operations.delivery.trying import Preview, check_backend, find_backend, preview
from open311.operations.desk.rendering import json_of
from open311.operations.federation.joining import with_neighbours
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.storage.deliveries import Listed
from schemas.staff import DeliveryArguments
from schemas.values import format_instant

Decorator = Callable[[Callable[..., None]], Callable[..., None]]
_WIDTH = 14
_MOST_CAUSE = 160
_PAGED = ("cursor", "page_size")


@click.group(cls=CommandGroup)
def deliveries() -> None:
    """See and steer what is sent to back offices."""


deliveries.add_command(updates)

_JURISDICTION = click.option(
    "--jurisdiction", default="", help="The city's jurisdiction_id. Not needed if only one city is served."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, as the staff API has it.")
_REASON = click.option("--reason", required=True, help="Why you decide so; kept in the audit trail.")
_ALL = click.option(
    "--all", "is_all", is_flag=True, help="All that the filters name. Nothing changes without --apply."
)
_APPLY = click.option("--apply", "is_applied", is_flag=True, help="With --all: do it.")


def filter_options(*without: str) -> Decorator:
    """Add an option for each parameter of a list of deliveries, except jurisdiction_id and those in `without`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for name, parameter in reversed(DeliveryArguments().parameters.items()):
            if name != "jurisdiction_id" and name not in without:
                about = parameter.metadata["description"]
                command = click.option(f"--{name.replace('_', '-')}", name, default=None, help=about)(command)
        return command

    return decorate


@deliveries.command("list")
@_JURISDICTION
@filter_options()
@_JSON
def list_all(jurisdiction: str, as_json: bool, **filters: str | None) -> None:
    """List deliveries, newest first; without --state and --request, those that have not ended.

    \b
    Example:
      open311 deliveries list --state parked,uncertain
      open311 deliveries list --request 2026-0000042 --json
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        page = find_deliveries(platform, _search(platform, city, filters))
    body, now = plain_deliveries(page), utc_now()
    if as_json:
        say_json(json_of(body, is_indented=True))
        return
    say_table(
        ("delivery", "back end", "request", "what", "state", "since", "next try", "tries", "cause"),
        (_row(one, now) for one in page.rows),
    )
    if body["cursor"]:
        say(f"More follow: --cursor {body['cursor']}")


@deliveries.command()
@click.argument("delivery", type=click.IntRange(1, 10**18))
@_JURISDICTION
@_JSON
def show(delivery: int, jurisdiction: str, as_json: bool) -> None:
    """Show DELIVERY: its state, the cause, the risk of another try, and what people have decided about it.

    \b
    Example:
      open311 deliveries show 12
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        now = utc_now()
        view = read_delivery(platform, city, delivery, principal=shell_user(), now=now)
    if as_json:
        say_json(json_of(plain_view(view), is_indented=True))
        return
    for line in _lines(view, now):
        say(line)


# --- Decisions


@deliveries.command()
@click.argument("delivery", nargs=-1, type=click.IntRange(1, 10**18))
@_JURISDICTION
@_REASON
@click.option(
    "--yes", "accepts_risk", is_flag=True, help="Send also those that may have arrived; that may double them."
)
@_ALL
@filter_options(*_PAGED)
@_APPLY
def retry(delivery: tuple[int, ...], jurisdiction: str, reason: str, accepts_risk: bool, **options: Any) -> None:
    """Try each DELIVERY now. With --all, these are the parked ones, unless --state says otherwise.

    If the answer to a delivery was lost, the back office may have the request already. Look there first: if it has
    the request, use `skip --external-id`.

    \b
    Example:
      open311 deliveries retry 12 --reason "The back office has the service again."
      open311 deliveries retry --all --backend works --reason "Mended." --apply
    """
    decision = Decision(command="retry", reason=reason, accepts_risk=accepts_risk)
    _decide(jurisdiction, delivery, decision, usual_states="parked", **options)


@deliveries.command()
@click.argument("delivery", nargs=-1, type=click.IntRange(1, 10**18))
@_JURISDICTION
@_REASON
@_ALL
@filter_options(*_PAGED)
@_APPLY
def park(delivery: tuple[int, ...], jurisdiction: str, reason: str, **options: Any) -> None:
    """Stop each DELIVERY until somebody decides otherwise. With --all, these are the waiting ones.

    Later deliveries of the same request to the same back office wait for it.

    \b
    Example:
      open311 deliveries park 12 --reason "The department has to look at it first."
    """
    decision = Decision(command="park", reason=reason)
    _decide(jurisdiction, delivery, decision, usual_states="waiting", **options)


@deliveries.command()
@click.argument("delivery", nargs=-1, type=click.IntRange(1, 10**18))
@_JURISDICTION
@_REASON
@click.option(
    "--external-id",
    default="",
    help="The request's id in the back office, if you have found the request there. The delivery is then done.",
)
@_ALL
@filter_options(*_PAGED)
@_APPLY
def skip(delivery: tuple[int, ...], jurisdiction: str, reason: str, external_id: str, **options: Any) -> None:
    """Skip each DELIVERY, so that it is not sent. With --all, these are the parked ones, unless --state says
    otherwise.

    This is final: a skipped delivery cannot be sent later.

    \b
    Example:
      open311 deliveries skip 12 --reason "They have it by phone."
      open311 deliveries skip 12 --reason "It has arrived." --external-id W-88
    """
    if external_id and len(delivery) != 1:
        raise Invalid("is the id of one request; name one DELIVERY with it.", "--external-id")
    decision = Decision(command="skip", reason=reason, external_id=external_id)
    _decide(jurisdiction, delivery, decision, usual_states="parked", **options)


def _decide(
    jurisdiction: str,
    ids: Sequence[int],
    decision: Decision,
    *,
    usual_states: str,
    is_all: bool,
    is_applied: bool,
    **filters: str | None,
) -> None:
    """Carry out a decision about the named deliveries, or about all that the filters name."""
    if bool(ids) == is_all:
        raise Invalid("name some, or all of the filters by --all.", "DELIVERY")
    given = sorted(f"--{name.replace('_', '-')}" for name, value in filters.items() if value is not None)
    if not is_all and (given or is_applied):
        raise Invalid("is for --all; without it, name each DELIVERY.", given[0] if given else "--apply")
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        if is_all:
            filters |= {"state": filters["state"] or usual_states, "page_size": "200"}
            search = _search(platform, city, filters)
            _decide_all(platform, city, search, decision, is_applied=is_applied)
            return
        for id in ids:
            after = decide(platform, city, id, decision, principal=shell_user(), now=utc_now())
            say(f"Delivery {id} is {after.state.value}.")


def _decide_all(
    platform: Platform, city: Jurisdiction, search: DeliverySearch, decision: Decision, *, is_applied: bool
) -> None:
    """Count the deliveries that a decision is about; with `is_applied`, carry it out for each of them."""
    if not is_applied:
        _say_counts(platform, search, decision)
        return
    refused = Counter[str]()
    ids = [one.delivery.id for one in find_all(platform, search)]
    with Progress(console=console(), transient=True) as bar:
        task = bar.add_task(decision.command, total=len(ids))
        for id in ids:
            try:
                decide(platform, city, id, decision, principal=shell_user(), now=utc_now())
            except Conflict as error:
                refused[str(error)] += 1
            bar.advance(task)
    say(f"{decision.command}: {len(ids) - refused.total()} of {len(ids)} deliveries.")
    for why, count in refused.most_common():
        say(f"{count} refused: {why}")
    if refused:
        fail(f"{refused.total()} of {len(ids)} deliveries stay as they were.")


def _say_counts(platform: Platform, search: DeliverySearch, decision: Decision) -> None:
    counts, risky = Counter[tuple[str, str, str]](), 0
    for one in find_all(platform, search):
        risky += needs_consent(one.delivery)
        counts[one.delivery.backend, one.delivery.state.value, one.delivery.cause[:_MOST_CAUSE]] += 1
    if counts:
        rows = ((str(count), *key) for key, count in counts.most_common())
        say_table(("deliveries", "back end", "state", "cause"), rows)
    say(f"{decision.command} is for {counts.total()} deliveries." + (" Nothing is changed." if counts else ""))
    if risky and decision.command == "retry":
        say(f"{risky} may have arrived. {MAY_BE_THERE} To send them again, add --yes.")
    if counts:
        say("Run the command with --apply to do it.")


# --- Dry runs


@deliveries.command()
@click.argument("backend")
@_JURISDICTION
@click.option("--request", default="", help="Also show what would be sent of this request: its id or number.")
def test(backend: str, jurisdiction: str, request: str) -> None:
    """Check whether the back office of BACKEND, or a neighbour, can be reached. No case is sent.

    The answer names what was tried. Some kinds can try the credentials, others only the address.

    With --request, show what the back office would get. A field that must not be sent, because `shared` does not
    name it, is not shown.

    \b
    Example:
      open311 deliveries test works --request 2026-0000042
    """
    with command_platform() as platform:
        city = with_neighbours(platform, find_jurisdiction(platform, jurisdiction))
        config = find_backend(city, backend)
        if request:
            for line in _lines_of(preview(platform, city, config, request, now=utc_now())):
                say(line)
        check = check_backend(platform, city, config)
    if check.cause:
        fail(f"{backend} ({config.kind}): {check.cause}")
    say(f"{backend} ({config.kind}): no fault found. Tried: {check.tried or 'nothing, because this kind cannot'}.")


@deliveries.command()
@_JURISDICTION
@click.option("--apply", "is_applied", is_flag=True, help="Make the deliveries. Without it, nothing is changed.")
def plan(jurisdiction: str, is_applied: bool) -> None:
    """Show which open requests lack a delivery by today's destinations, or make these deliveries.

    Use it after the city has changed its destinations. Requests from before the cut-over of a back end, those that
    a person has skipped for it, and those that came from it are left out. So are requests that are imported, held
    for a review, hidden, merged into others, or sent with a test key.

    \b
    Example:
      open311 deliveries plan --jurisdiction city.example
      open311 deliveries plan --jurisdiction city.example --apply
    """
    found: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], str] = {}
    seen = 0
    with command_platform() as platform, Progress(console=console(), transient=True) as bar:
        city = find_jurisdiction(platform, jurisdiction)
        task = bar.add_task("open requests", total=None)
        for batch in replan(platform, city, now=utc_now(), principal=shell_user(), is_dry_run=not is_applied):
            seen += batch.seen
            bar.advance(task, batch.seen)
            for one in batch.missing:
                way = one.delivery.backend, one.request.department or "-"
                found[way] += 1
                examples.setdefault(way, name_of(one.request))
    if found:
        rows = ((str(count), *way, examples[way]) for way, count in found.most_common())
        say_table(("requests", "back end", "department", "for example"), rows)
    done = "got a delivery" if is_applied else "lack a delivery"
    say(f"{found.total()} of {seen} open requests {done}.")
    if found and not is_applied:
        say("Run the command with --apply to make them.")


# --- Texts


def _search(platform: Platform, city: Jurisdiction, filters: dict[str, str | None]) -> DeliverySearch:
    """The search of the filters. Raises Invalid that names each faulty option."""
    given = {name: [value] for name, value in filters.items() if value is not None}
    values, problems = DeliveryArguments(zone=city.zone).read(given)
    if problems:
        raise Invalid.of(Problem(f"--{name.replace('_', '-')}", text) for name, text in problems)
    return delivery_search(platform, city, values, principal=shell_user(), now=utc_now())


def _when(due_at: datetime, now: datetime) -> str:
    """When a delivery that waits is tried next."""
    return format_instant(due_at) if due_at > now else "now"


def _row(listed: Listed, now: datetime) -> list[str]:
    one = listed.delivery
    return [
        str(one.id),
        one.backend,
        listed.service_request_id or f"number {one.number}",
        one.subject.value,
        one.state.value,
        format_instant(one.created_at),
        "-" if one.ended_at or one.state.value in ("parked", "uncertain") else _when(one.due_at, now),
        str(one.attempts),
        one.cause[:_MOST_CAUSE],
    ]


def _lines(view: DeliveryView, now: datetime) -> Iterator[str]:
    one, circuit = view.listed.delivery, view.circuit
    request = view.listed.service_request_id or f"number {one.number}"
    yield f"delivery {one.id}: {one.subject.value} of request {request} to {one.backend}, {one.state.value}"
    facts = (
        ("department", view.listed.department),
        ("made", f"{format_instant(one.created_at)} for version {one.version}"),
        ("next try", "" if one.ended_at else _when(one.due_at, now)),
        ("ended", format_instant(one.ended_at) if one.ended_at else ""),
        ("tries", str(one.attempts) if one.attempts else ""),
        ("cause", one.cause),
        ("risk", view.risk),
        ("waits for", f"delivery {view.waits_for}" if view.waits_for else ""),
        ("id there", view.remote_id),
        ("missing", ", ".join(one.missing)),
        ("key", one.key),
        (
            "back office",
            f"is down since {format_instant(circuit.failing_since)}: {circuit.cause}"
            if circuit.is_resting and circuit.failing_since
            else "",
        ),
        ("you may", ", ".join(view.commands)),
    )
    yield from (f"{name:<{_WIDTH}}{text}" for name, text in facts if text)
    for act in view.acts:
        who = view.names.get(act.actor, act.actor)
        yield f"{format_instant(act.at)}  {act.act.partition('.')[2]:<6} by {who}: {act.reason}"


def _lines_of(found: Preview) -> Iterator[str]:
    """What a back end would get, one fact on each line. The values of fields that must not be sent are left out."""
    for obstacle in found.obstacles:
        yield f"not sent by itself: {obstacle}"
    for name, text in (*_facts(found.case), *_personal(found.case)):
        masked = name in found.withheld
        yield f"{name:<{_WIDTH + 8}}{'(may not leave)' if masked else text or '-'}"


def _facts(case: Case) -> Iterator[tuple[str, str]]:
    named = (
        *("reference", "service_request_id", "service_code", "service_name", "department", "agency", "status"),
        "priority",
    )
    for name in named:
        yield name, str(getattr(case, name))
    yield "requested_datetime", format_instant(case.requested_at)
    yield "point", f"{case.place.lat}, {case.place.long} (lat, long)" if case.place.has_point else ""
    for answer in case.answers:
        yield f"answer {answer.code}", answer.value


def _personal(case: Case) -> Iterator[tuple[str, str]]:
    yield "description", case.description
    yield "address", case.place.address
    yield "answers", "the citizen's own words too"
    yield "media", ", ".join(case.media_urls)
    yield "notes", "texts of later changes"
    for row in fields(case.reporter):
        if row.name in REPORTER_FIELDS:
            yield row.name, getattr(case.reporter, row.name)
