"""The interface of a back end: how requests reach the system of a back office, and how its updates come back.

A kind of back end is a subclass of `Backend` with an entry point in the group `open311.backends`. A city's
`backends.toml` names back ends, and says which requests are sent to which back end. The worker and commands call
back ends, each call with a deadline; only `receive` runs in a web process. A back end may use the network; a
jurisdiction never does.
"""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import datetime
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ClassVar, Literal

from open311.domain.case import Case, CaseUpdate, RemoteUpdate
from open311.domain.results import Accepted, Pending, Resolution, Result
from open311.errors import Misconfigured
from open311.plugins.context import CallFailed, Context, OAuthClient, TlsFiles

API_VERSION = 1
"""Version of this contract. A kind that was written for another version is not loaded."""
GROUP = "open311.backends"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_LEAST_MASKED = 4


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is: in an environment variable or in a file. The secret itself is never kept or shown."""

    env: str = ""
    file: str = ""

    def __bool__(self) -> bool:
        return bool(self.env or self.file)

    def read(self) -> str:
        """The secret; "" if none is declared. Raises Misconfigured, which names the place."""
        if self.env:
            value = os.environ.get(self.env, "").strip()
            if not value:
                raise Misconfigured(f"the environment variable {self.env} is not set.")
            return value
        if not self.file:
            return ""
        try:
            value = Path(self.file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Misconfigured(f"the file {self.file} of a secret cannot be read: {error}.") from None
        if not value:
            raise Misconfigured(f"the file {self.file} of a secret is empty.")
        return value


@dataclass(frozen=True, kw_only=True)
class BackendConfig:
    """The configuration that all back ends have. A kind of back end adds its own keys in a subclass.

    name            the city's name for the back end. Its events have the actor `system:NAME`
    shared          the allow-list: names of `domain.case.SHAREABLE`
    since           only requests from this time on are delivered, and no old requests; None for all
    sends_updates   whether later changes of a delivered request are sent too
    deadline_s      the longest time of one call
    concurrency     the most calls at a time
    pull_every_s    seconds between two fetches of the back office's updates; 0 for no fetches
    statuses        the back office's word for a status -> our word, or `ignore`
    unknown_status  what happens to an update with an unknown word for a status: `keep` uses only the update's
                    text, `ignore` drops the update, `quarantine` keeps the update for a person
    """

    name: str
    kind: str
    shared: tuple[str, ...] = ()
    since: datetime | None = None
    sends_updates: bool = True
    deadline_s: int = 30
    concurrency: int = 2
    pull_every_s: int = 300
    statuses: Mapping[str, str] = field(default_factory=dict)
    unknown_status: Literal["keep", "ignore", "quarantine"] = "quarantine"


@dataclass(frozen=True, kw_only=True)
class HttpConfig(BackendConfig):
    """The configuration of a kind that calls a server with HTTP.

    url    the server's address; a `Secret` if everybody who knows the address can use the server
    tls    None if the server's certificate is signed by a public authority and we send no certificate
    oauth  None if calls carry no access token
    """

    url: str | Secret
    tls: TlsFiles | None = None
    oauth: OAuthClient | None = None

    def address(self) -> str:
        """The address. Raises Misconfigured if the address is a secret and the secret is missing."""
        return self.url.read() if isinstance(self.url, Secret) else self.url


def secrets_of(value: object) -> Iterator[Secret]:
    """The secrets of a configuration, including the secrets in its inner tables."""
    if isinstance(value, Secret):
        if value:
            yield value
    elif is_dataclass(value):
        for one in fields(value):
            yield from secrets_of(getattr(value, one.name))
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from secrets_of(one)
    elif isinstance(value, tuple | list):
        for one in value:
            yield from secrets_of(one)


def masked(text: str, config: BackendConfig) -> str:
    """The text without the secrets of a configuration and their parts, if these have at least four characters."""
    for secret in secrets_of(config):
        try:
            value = secret.read()
        except Misconfigured:  # a secret that cannot be read is in no text
            continue
        for part in {value, *re.split(r"[,\s]+", value)}:
            if len(part) >= _LEAST_MASKED:
                text = text.replace(part, "***")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A rule that says which requests are sent to which back ends.

    If several rules fit, the most specific rule decides: a service counts more than an area, and an area more than
    a department. If two rules are equally specific, the first rule decides.

    backends  names of back ends; empty if this server's own staff are the back office
    area      the name of an area of the city; a request without a point is in no area
    """

    backends: tuple[str, ...] = ()
    department: str = ""
    service: str = ""
    area: str = ""

    def fits(self, service: str, department: str, areas: Collection[str]) -> bool:
        """Whether the rule fits a request of this service, department and these areas."""
        return self.service in ("", service) and self.department in ("", department) and self.area in ("", *areas)

    @property
    def rank(self) -> tuple[bool, bool, bool]:
        """How specific the conditions are; the destination with the greatest rank decides."""
        return bool(self.service), bool(self.area), bool(self.department)


@dataclass(frozen=True, slots=True)
class Page:
    """Some updates of a back office.

    cursor   where the next call begins; the server stores this text and does not interpret it
    is_more  whether there are more updates now
    """

    updates: Sequence[RemoteUpdate]
    cursor: str
    is_more: bool = False


def sound_page(page: object) -> Page:
    """Check the page that the code of a back end has returned, and return it with a tuple of updates.

    Raises TypeError if the value is no page, if a value in the page has a wrong type, or if a time has no zone.
    """
    if not (isinstance(page, Page) and isinstance(page.cursor, str) and isinstance(page.is_more, bool)):
        raise TypeError(f"{type(page).__name__} is no page, or its cursor is no text")
    updates = tuple(page.updates)
    for update in updates:
        if not isinstance(update, RemoteUpdate):
            raise TypeError(f"{type(update).__name__} is no update")
        texts = (getattr(update, name) for name in _TEXTS)
        if not all(isinstance(text, str) for text in (*texts, *update.media_urls)):
            raise TypeError("an update has a value that is no text")
        if update.at is not None and (not isinstance(update.at, datetime) or update.at.tzinfo is None):
            raise TypeError("an update has a time without a zone")
    return replace(page, updates=updates)


_TEXTS = ("update_id", "remote_id", "reference", "status", "description", "fault")


@dataclass(frozen=True, slots=True, kw_only=True)
class RawCall:
    """A call by which a back office sends updates, exactly as it was received.

    body     the bytes that were signed
    headers  the headers, by their names in lower case
    """

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


class BadCall(Exception):
    """The signature of a call is missing, wrong or too old, so the back office may not be the caller."""


class Backend(ABC):
    """One configured back end. Only one thread at a time uses the object, and closes it at the end.

    A method describes an expected failure with its result. A method may raise `CallFailed`, and `receive` may raise
    `BadCall`. Any other exception is a bug. The server logs the exception, and tries the delivery again, as after a
    lost answer.
    """

    api_version: ClassVar[int] = API_VERSION
    table: ClassVar[Any]
    """The keys of this kind: a class with the base `open311.plugins.declared.backends.BackendTable`."""

    can_look_up: bool = False
    """Whether `look_up` works. If so, a case is looked up after a lost answer, before the case is sent again."""
    honours_keys: bool = False
    """Whether the back office makes only one case if two calls have the same key."""
    takes_updates: bool = False
    """Whether `send_update` works."""
    repeats_updates: bool = False
    """Whether the back office applies an update only once if two calls have the same key."""
    gives_updates: bool = False
    """Whether `updates` works."""
    gives_states: bool = False
    """Whether `states` works. The server uses `states` if `updates` does not work."""
    receives: ClassVar[bool] = False
    """Whether `receive` works."""
    tried: str = ""
    """A text for the operator: what `check` tries; "" if `check` tries nothing."""

    def __init__(self, config: Any, context: Context) -> None:
        self.config, self.context = config, context

    @abstractmethod
    def send(self, case: Case, key: str) -> Result:
        """Send a new case. `key` is an idempotency key. It is the same at each try."""

    def complete(self, case: Case, service_request_id: str, missing: Sequence[str], key: str) -> Result:
        """Repeat the steps that were missing after `Partial`.

        Only a kind that answers `Partial` needs this method.
        """
        raise NotImplementedError  # the server calls this method only after `Partial`

    def send_update(self, update: CaseUpdate, key: str) -> Result:
        """Send a change of a case that the back office has."""
        raise NotImplementedError  # the server calls this method only if `takes_updates` is true

    def look_up(self, case: Case, key: str) -> Accepted | Pending | None:
        """Look up the case with this key in the back office; None if it has no such case. Raises LookUpFailed."""
        raise NotImplementedError  # the server calls this method only if `can_look_up` is true

    def resolve(self, token: str) -> Resolution:
        """The back office's decision about a `Pending` case, by its token. Raises LookUpFailed.

        Only a kind that answers `Pending` needs this method.
        """
        raise NotImplementedError  # the server calls this method only after `Pending`

    def updates(self, cursor: str) -> Page:
        """The updates after a cursor; "" for the first call. Raises LookUpFailed."""
        raise NotImplementedError  # the server calls this method only if `gives_updates` is true

    def states(self, remote_ids: Sequence[str]) -> Sequence[RemoteUpdate]:
        """The present states of cases, from a back office that has no list of updates. Raises LookUpFailed.

        The server compares each state with the case's previous state, so a state needs no `update_id`.
        """
        raise NotImplementedError  # the server calls this method only if `gives_states` is true

    def receive(self, call: RawCall) -> Sequence[RemoteUpdate]:
        """The updates in a call. Raises BadCall if the signature does not prove that the back office is the caller.

        This method runs in a web process. It must not use the network. For an update that cannot be read, return an
        update with a `fault`. If a call is repeated, the updates must have the same `update_id`s.
        """
        raise NotImplementedError  # the server calls this method only if `receives` is true

    def check(self) -> Result:
        """Test the connection to the back office. `tried` describes the test. No case is sent."""
        return Accepted()

    def close(self) -> None:  # noqa: B027  # most kinds have nothing to close
        """End all connections."""


class LookUpFailed(CallFailed):
    """A back office did not answer a question."""


@cache
def kinds() -> dict[str, type[Backend]]:
    """The installed kinds of back ends, by name. A kind that cannot be used is left out."""
    return {name: found for name, found in loaded_kinds().items() if isinstance(found, type)}


def kind_fault(name: str) -> str:
    """Why a kind cannot be used; "" if it can."""
    if name in kinds():
        return ""
    found = loaded_kinds().get(name)
    if isinstance(found, str):
        return f"kind {name} cannot be used: {found}"
    return f"kind {name!r} is not installed; use one of {', '.join(kinds())}"


@cache
def loaded_kinds() -> dict[str, type[Backend] | str]:
    """The installed kinds by name. The value of a kind that cannot be used is the reason."""
    return {name: _load(name) for name in sorted({point.name for point in entry_points(group=GROUP)})}


def _load(name: str) -> type[Backend] | str:
    points = {point.value: point for point in entry_points(group=GROUP, name=name)}
    if len(points) > 1:
        return f"several packages have it: {', '.join(sorted(points))}"
    [point] = points.values()
    try:
        found = point.load()
    except (Exception, SystemExit) as error:  # a broken plugin must not stop the others
        return f"its code raises {type(error).__name__}"
    if not isinstance(found, type) or not issubclass(found, Backend):
        return f"{point.value} is no subclass of Backend"
    if found.api_version != API_VERSION:
        return f"it is for version {found.api_version} of the interface; this server has version {API_VERSION}"
    if not hasattr(found, "table"):
        return f"{point.value} has no table with its keys"
    return found


def open_backend(config: BackendConfig, context: Context) -> Backend:
    """Make a back end. Raises Misconfigured if a secret is missing, or if the code of the kind fails."""
    try:
        return kinds()[config.kind](config, context)
    except Misconfigured:
        raise
    except Exception as error:  # a plugin may raise anything
        context.log.error("a back end cannot be opened", error=type(error).__name__, exc_info=True)
        raise Misconfigured(f"the code of kind {config.kind} raised {type(error).__name__}.") from error
