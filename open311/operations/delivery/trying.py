"""A dry run of a back end: whether it can be reached, and what it would get. Nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from dataclasses import dataclass
from datetime import datetime

from open311.clock import utc_now
from open311.domain.case import SHAREABLE, Case
from open311.domain.deliveries import Subject
from open311.domain.remotes import Remote
from open311.domain.requests import RequestRecord
from open311.domain.results import Accepted, Failed, Result, Retry
from open311.errors import Misconfigured, NotFound
from open311.observe import logger
from open311.operations.delivery.cases import load_case
from open311.operations.delivery.opening import open_for
from open311.operations.delivery.planning import KEPT_HERE, is_after_cut_over, new_delivery, senders_of
from open311.operations.federation.joining import join_remotes
from open311.operations.platform import Platform
from open311.operations.publishing import names_for
from open311.operations.workflow.apply import load_request
from open311.plugins import BackendConfig, Jurisdiction
from open311.plugins.context import CallFailed
from open311.storage import deliveries
from open311.storage.engine import Connection
from schemas.texts import Message, tell

log = logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a back end would get of a request.

    case       the request, with only what may be sent
    withheld   the names in SHAREABLE that the allow-list does not have
    obstacles  the reasons why the server would not send the request by itself, as sentences
    """

    case: Case
    withheld: tuple[str, ...]
    obstacles: tuple[str, ...]


def find_backend(city: Jurisdiction, name: str) -> BackendConfig:
    """The back end with this name. Raises NotFound, which names the city's back ends."""
    config = city.backend(name)
    if config is None:
        raise NotFound(_unknown(city, name), "backend")
    return config


def _unknown(city: Jurisdiction, name: str) -> Message:
    if not city.backends:
        return tell(
            "{city} has no back ends; declare one in its backends.toml, which jurisdictions/README.md explains.",
            city=city.id,
        )
    known = ", ".join(one.name for one in city.backends)
    return tell("{value!r} is no back end of {city}; there are: {known}.", value=name, city=city.id, known=known)


@dataclass(frozen=True, slots=True)
class Check:
    """What was found when a back office was checked.

    cause  why the back office cannot be used; "" if no fault was found
    tried  what the check has tried; "" if this kind of back end can try nothing
    """

    cause: str
    tried: str = ""


def check_backend(platform: Platform, city: Jurisdiction, config: BackendConfig) -> Check:
    """Check a back office within its deadline. No case is sent to it."""
    try:
        backend = open_for(platform, city, config, utc_now)
    except Misconfigured as error:
        return Check(str(error))
    caller = ThreadPoolExecutor(1, thread_name_prefix=f"check {config.name}")
    try:
        result = caller.submit(backend.check).result(timeout=config.deadline_s)
    except TooLate:
        result = Retry(cause=f"no answer within {config.deadline_s} seconds")
    except CallFailed as error:
        result = error.result
    except Exception as error:  # a plugin may raise anything
        log.exception("back end raised an exception", city=city.id, backend=config.name)
        result = Failed(f"its code raised {type(error).__name__}; the log has it")
    finally:
        caller.shutdown(wait=False, cancel_futures=True)
        backend.close()
    return Check(_cause_of(result), backend.tried)


def _cause_of(result: Result) -> str:
    if isinstance(result, Accepted):
        return ""
    return str(getattr(result, "cause", "") or getattr(result, "reason", "") or type(result).__name__)


def preview(platform: Platform, city: Jurisdiction, config: BackendConfig, name: str, *, now: datetime) -> Preview:
    """What a back end would get of a request. Raises NotFound for an unknown request."""
    with platform.database.snapshot() as connection:
        record = load_request(connection, city, name, is_locked=False)
        delivery = new_delivery(config, record, Subject.CASE, version=record.version, now=now)
        case = load_case(connection, record, names_for(connection, city), config, key=delivery.key)
        neighbours = join_remotes(platform, connection).of_city(city.id)
        obstacles = tuple(_obstacles(connection, city, config, record, neighbours))
    withheld = tuple(field for field in SHAREABLE if field not in config.shared)
    return Preview(case=case, withheld=withheld, obstacles=obstacles)


def _obstacles(
    connection: Connection,
    city: Jurisdiction,
    config: BackendConfig,
    record: RequestRecord,
    neighbours: Sequence[Remote],
) -> Iterator[str]:
    if config.name not in city.backends_for(record.service_code, record.department, record.areas):
        yield "no destination leads this request to this back end"
    if record.source != "api":
        yield f"its source is {record.source}, and only reports that were sent to this server are delivered"
    if record.visibility in KEPT_HERE:
        yield f"it is {record.visibility}"
    if record.merged_into:
        yield f"it is merged into number {record.merged_into}"
    if not is_after_cut_over(config, record):
        yield "it came before the cut-over (`since`)"
    if config.name in senders_of(connection, city, [record.number], neighbours).get(record.number, ()):
        yield "this back end had it before this server, so it is not sent back"
    for one in deliveries.of_requests(connection, city.id, [record.number]):
        if one.backend == config.name and one.subject is Subject.CASE:
            yield f"delivery {one.id} exists already ({one.state.value})"
