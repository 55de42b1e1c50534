"""The kind `open311`: the back office is another GeoReport server."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import islice
from typing import Literal
from uuid import uuid4

from open311.domain.case import Case, CaseUpdate, RemoteUpdate
from open311.domain.origins import HEADER, MOST_HOPS, written
from open311.domain.requests import NamedAnswer
from open311.domain.results import Accepted, Failed, Pending, Rejected, Resolution, Result, Retry, Skip
from open311.federation.adapters import credentials_of, tls_of
from open311.federation.backends.windows import Place, Window
from open311.federation.client import (
    GeoReportClient,
    Limits,
    NewRequest,
    NewUpdate,
    Refused,
    RequestUpdate,
    ServiceRequest,
    TooLarge,
    UnreadRecord,
)
from open311.federation.dialects import PAGE_SIZE_NAMES, Dialect
from open311.federation.failures import GeoReportError
from open311.plugins.backends import Backend, HttpConfig, LookUpFailed, Page, Secret
from open311.plugins.context import Context
from open311.plugins.declared.backends import HttpTable, SecretSource, Url
from open311.plugins.declared.keys import ByCode, Choice, Flag, Number, Text

_MOST_UNASKED = 200
"""If a list has more requests than this that were not asked for, the server ignores ids."""
LOOP = "the request comes from there"
_CODE = re.compile(r"\d{3}")
_WORD = re.compile(r"\w+")
_NAMES = (
    *("jurisdiction_id", "api_key", "service_code", "lat", "long", "address_string", "address_id", "attribute"),
    *("description", "media_url", "email", "first_name", "last_name", "phone", "device_id", "account_id"),
    *("service_request_id", "update_id", "status", "updated_datetime"),
)
"""The parameters that an error may name."""
_REPEATED = ("received before", "already", "duplicate", "repeated", "exists")


@dataclass(frozen=True, kw_only=True)
class Open311Config(HttpConfig):
    """The configuration of this kind.

    reference_name  the parameter that carries our own name of a request; "" to send none
    looks_up        whether the server's list of requests can be searched by `reference_name`
    honours_keys    whether the server honours `Idempotency-Key`
    updates         how its updates are read: from its request updates, from the states of our requests, or never
    overlap_minutes how many minutes before the newest known update the next window begins
    ids_at_once     how many requests one call asks for; 1 if the server does not know lists of ids
    """

    url: str
    jurisdiction: str = ""
    api_key: Secret = Secret()
    format: Literal["json", "xml"] = "json"
    service_codes: Mapping[str, str] = field(default_factory=dict)
    reference_name: str = ""
    looks_up: bool = False
    honours_keys: bool = False
    takes_updates: bool = False
    updates: Literal["updates", "requests", "none"] = "requests"
    overlap_minutes: int = 60
    ids_at_once: int = 20
    page_size_name: str = "page_size"


class Open311Table(HttpTable):
    """The keys of this kind."""

    makes = Open311Config
    header = '[[backends]] with kind = "open311"'

    url = Url("The address of the other server: that of its `services.json` without `/services.json`")
    jurisdiction = Text("The `jurisdiction_id` there", default="")
    api_key = SecretSource("The key that the other server has given to you")
    format = Choice(("json", "xml"), "The format to ask for", default="json")
    service_codes = ByCode(
        Text(), 'Our service codes and theirs, as in `{ pothole = "001" }`; other codes are sent unchanged'
    )
    reference_name = Text(
        "The parameter in which the other server takes our own id of a request, such as `service_request_id_ext`",
        default="",
    )
    looks_up = Flag("Whether its list of requests can be searched by `reference_name`", default=False)
    honours_keys = Flag("Whether it honours `Idempotency-Key`, so that nothing is stored twice", default=False)
    takes_updates = Flag("Whether it takes request updates (`POST servicerequestupdates`)", default=False)
    updates = Choice(
        ("requests", "updates", "none"),
        "How its updates come back: `requests` asks for the status of each open request that was sent there,"
        " `updates` reads its request updates (`GET servicerequestupdates`), `none` reads nothing",
        default="requests",
    )
    overlap_minutes = Number(
        "With `updates`: how far each window of time overlaps the one before, in minutes",
        least=1,
        most=1_440,
        default=60,
    )
    ids_at_once = Number(
        "With `requests`: how many requests one call asks for; `1` if the server knows no lists of ids",
        least=1,
        most=100,
        default=20,
    )
    page_size_name = Choice(PAGE_SIZE_NAMES, "Its name for the size of a page", default="page_size")


class Open311Backend(Backend):
    """Sends cases as requests, and changes of them as request updates."""

    table = Open311Table
    repeats_updates = True  # the other server takes each update_id only once

    def __init__(self, config: Open311Config, context: Context) -> None:
        super().__init__(config, context)
        self.can_look_up = config.looks_up and bool(config.reference_name)
        self.honours_keys = config.honours_keys
        self.takes_updates = config.takes_updates
        self.gives_updates = config.updates == "updates"
        self.gives_states = config.updates == "requests"
        self.tried = "its list of services; the key was not tried"
        deadline_s = float(config.deadline_s)
        limits = Limits(timeout_s=min(15.0, deadline_s), deadline_s=deadline_s, retries=0, rate_per_s=0)
        self._client = GeoReportClient(
            config.url,
            config.jurisdiction,
            api_key=config.api_key.read(),
            format=config.format,
            dialect=Dialect(page_size_name=config.page_size_name),
            limits=limits,
            tls=tls_of(config),
            oauth=credentials_of(config),
            proxy=context.proxy,
        )

    def send(self, case: Case, key: str) -> Result:
        """POST the case as a new request."""
        if len(case.via) > MOST_HOPS:
            return Rejected(
                f"the request has passed {len(case.via)} servers; no server takes more than {MOST_HOPS}"
            )
        try:
            via = {HEADER: written(case.via)} if case.via else {}
            receipt = self._client.post_request(self._new(case), key=key, headers=via)
        except Refused as error:
            return Skip(LOOP) if _is_loop(error) else result_of(error)
        except GeoReportError as error:
            return result_of(error)
        if not receipt.service_request_id and receipt.token:
            return Pending(token=receipt.token)
        return Accepted(receipt.service_request_id)

    def send_update(self, update: CaseUpdate, key: str) -> Result:
        """POST the change as a request update. The other server may have the update already."""
        new = NewUpdate(
            service_request_id=update.remote_id,
            update_id=key,
            status=update.status,
            updated_datetime=update.at,
            description=update.description or _text_of(update.status),
        )
        try:
            self._client.post_update(new, key=key)
        except Refused as error:
            if _is_repeated(error):
                return Accepted()
            result = result_of(error)
            if isinstance(result, Retry) and error.status in (404, 405):  # requests may still arrive
                return replace(result, is_down=False)
            return result
        except GeoReportError as error:
            return result_of(error)
        return Accepted()

    def look_up(self, case: Case, key: str) -> Accepted | Pending | None:
        """Search the other server's requests for this case: by `case.reference`, then by the key of the delivery.

        A case that was sent before it had a service_request_id was sent under the key. A server that ignores the
        parameter `reference_name` also lists requests of others. So a request that is found counts only if it is
        the only one, and if the same search for a made-up name finds nothing.
        """
        try:
            for reference in dict.fromkeys((case.reference, key)):
                found = self._named(reference)
                if not found:
                    continue
                if len(found) > 1 or self._named(str(uuid4())):
                    fault = f"a search by {self.config.reference_name} finds other requests too; the back office"
                    raise LookUpFailed(Failed(f"{fault} may have this one, so look there"))
                [own] = found
                is_known = bool(own.service_request_id)
                return Accepted(own.service_request_id) if is_known else Pending(token=own.token)
        except GeoReportError as error:
            raise LookUpFailed(result_of(error)) from None
        return None

    def _named(self, reference: str) -> list[ServiceRequest]:
        """The first two requests that the server finds by our own name of a request."""
        found = self._client.requests(filters={self.config.reference_name: reference}, shows_key=True)
        return list(islice(found, 2))

    def resolve(self, token: str) -> Resolution:
        """Ask for the id of a batch request."""
        try:
            found = self._client.token(token)
        except GeoReportError as error:
            raise LookUpFailed(result_of(error)) from None
        return Accepted(found.service_request_id) if found.service_request_id else Pending(token=token)

    def updates(self, cursor: str) -> Page:
        """The request updates of one window of time."""
        now, overlap = self.context.now(), timedelta(minutes=self.config.overlap_minutes)
        window, place = Place.read(cursor, now).window(now, overlap)
        window, found = self._updates_in(window)
        after = place.after(window, (one.at for one in found if one.at is not None), now, overlap)
        return Page(found, after.cursor(), is_more=not window.is_last)

    def _updates_in(self, window: Window) -> tuple[Window, list[RemoteUpdate]]:
        """The updates of a window, or of its beginning if the server finds that there are too many."""
        self._client.unread.clear()
        try:
            found = self._client.updates(window.start, window.end, window=window.end - window.start)
            read = [_remote_update(one) for one in found]
            return window, [*read, *map(_unread, self._client.unread)]
        except GeoReportError as error:
            is_too_much = isinstance(error, TooLarge) or (isinstance(error, Refused) and error.status in (400, 413))
            half = window.halved() if is_too_much else None
            if half is None:
                raise LookUpFailed(result_of(error)) from None
        return self._updates_in(half)

    def states(self, remote_ids: Sequence[str]) -> Sequence[RemoteUpdate]:
        """The status and the status_notes of requests. Requests that the server does not show are left out."""
        size = self.config.ids_at_once
        alone = [one for one in remote_ids if size == 1 or "," in one]
        together = [one for one in remote_ids if one not in alone]
        chunks = [together[start : start + size] for start in range(0, len(together), size)]
        self._client.unread.clear()
        try:
            found = [each for chunk in chunks for each in self._several(chunk)]
            found += [each for one in alone for each in self._single(one)]
        except GeoReportError as error:
            raise LookUpFailed(result_of(error)) from None
        for cause, count in Counter(one.reason for one in self._client.unread).items():
            self.context.log.warning("states of requests are left out", cause=cause, requests=count)
        return [_state(one) for one in found]

    def _several(self, ids: Sequence[str]) -> Iterator[ServiceRequest]:
        """The requests with these ids. If the server ignores the ids, not all of its requests are read."""
        wanted = set(ids)
        for each in islice(self._client.requests(service_request_id=ids), _MOST_UNASKED + len(ids)):
            if each.service_request_id in wanted:
                wanted.discard(each.service_request_id)
                yield each
            if not wanted:
                return

    def _single(self, remote_id: str) -> list[ServiceRequest]:
        try:
            return [self._client.request(remote_id)]
        except Refused as error:
            if error.status not in (404, 410):
                raise
            return []

    def check(self) -> Result:
        """Read the services."""
        try:
            self._client.services()
        except GeoReportError as error:
            return result_of(error)
        return Accepted()

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def _new(self, case: Case) -> NewRequest:
        config, place, reporter = self.config, case.place, case.reporter
        return NewRequest(
            service_code=config.service_codes.get(case.service_code, case.service_code),
            lat=place.lat,
            long=place.long,
            address_string=place.address,
            address_id=place.address_id,
            description=case.description,
            media_url=case.media_urls[0] if case.media_urls else "",
            attribute=_attributes(case.answers),
            email=reporter.email,
            first_name=reporter.first_name,
            last_name=reporter.last_name,
            phone=reporter.phone,
            device_id=reporter.device_id,
            account_id=reporter.account_id,
            extra={config.reference_name: case.reference} if config.reference_name else {},
        )


def _remote_update(update: RequestUpdate) -> RemoteUpdate:
    is_named = bool(update.service_request_id)
    return RemoteUpdate(
        update_id=update.update_id,
        remote_id=update.service_request_id,
        status=update.status,
        at=update.updated_datetime,
        description=update.description,
        media_urls=update.media_url,
        fault="" if is_named else "it names no request",
    )


def _unread(record: UnreadRecord) -> RemoteUpdate:
    text = json.dumps(record.record, ensure_ascii=False)
    return RemoteUpdate(update_id="", description=text, fault=record.reason)


def _state(request: ServiceRequest) -> RemoteUpdate:
    return RemoteUpdate(
        update_id="",
        remote_id=request.service_request_id,
        status=request.status,
        at=request.updated_datetime,
        description=request.status_notes,
    )


def _text_of(status: str) -> str:
    """The text of an update without a public text. Servers refuse an update without any text."""
    return f"The status is: {status.replace('_', ' ')}."


def _attributes(answers: Sequence[NamedAnswer]) -> dict[str, str | list[str]]:
    values: dict[str, list[str]] = {}
    for answer in answers:
        values.setdefault(answer.code, []).append(answer.value)
    return {code: found[0] if len(found) == 1 else found for code, found in values.items()}


def result_of(error: GeoReportError) -> Result:
    """What an error of the client means for a delivery.

    Only an error of the request itself stops it permanently.
    """
    if not isinstance(error, Refused):
        return Retry(cause=str(error), is_uncertain=error.is_uncertain)
    cause = _cause_of(error)
    if error.status == 409:  # the server has a request with our reference or this key
        return Retry(cause=cause, is_uncertain=True, is_down=False)
    if error.status in (400, 410, 413, 415, 422) or (error.status == 404 and error.problems):
        return Rejected(cause)  # a 404 without an error of the standard comes from a proxy, or a wrong address
    return Retry(cause=cause, after_s=error.retry_after_s, is_uncertain=error.is_uncertain)


def _cause_of(error: Refused) -> str:
    """The status, the codes and the names of parameters in an error. Its texts may repeat what a citizen sent."""
    descriptions = " ".join(problem.description for problem in error.problems)
    codes = [problem.code for problem in error.problems if _CODE.fullmatch(problem.code)]
    other = ", ".join(code for code in dict.fromkeys(codes) if code != str(error.status))
    names = ", ".join(name for name in _NAMES if name in _WORD.findall(descriptions))
    parts = [f"{error.where} answered {error.status}", f"its code is {other}" if other else ""]
    return "; ".join(filter(None, [*parts, f"it names {names}" if names else ""]))


def _is_loop(error: Refused) -> bool:
    """Whether the server refuses the hops of the request: it had the request before us, or there are too many."""
    return error.status == 409 and any(HEADER in problem.description for problem in error.problems)


def _is_repeated(error: Refused) -> bool:
    """Whether the server says that it has this update already."""
    texts = [problem.description.lower() for problem in error.problems if "update_id" in problem.description]
    return error.status == 400 and any(word in text for text in texts for word in _REPEATED)
