"""Serving endpoints: check access, find the city, read the parameters, call the view, send its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from werkzeug.wrappers import Request, Response

from open311.clock import utc_now
from open311.domain.access import Principal
from open311.errors import Forbidden, Invalid, Open311Error, Problem
from open311.formats import Format
from open311.operations.overriding.seeing import see_overrides
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.web.answers import send
from open311.web.bodies import Form, read_form, read_json, read_json_list, read_raw
from open311.web.calls import Call, Values
from open311.web.codings import Coding, wanted_coding
from open311.web.endpoints import City, Endpoint
from open311.web.gate import limit_key
from open311.web.hub import city_at
from open311.web.parsing import MOST_REMEMBERED_BYTES, Parameters, first, read_query
from open311.web.reads import Reads
from open311.web.surfaces import AHEAD, CALLER, LOCALE, ROUTE, accepted_format
from schemas.arguments import Arguments, NoArguments
from schemas.parameters import HOLDS_NUL, NUL
from schemas.texts import Message

REMEMBERED_QUERIES = 2_048
_FORMATS = {str(one): one for one in Format}


@dataclass(frozen=True, slots=True)
class _Reading:
    """The parsed parameters of a call."""

    city: Jurisdiction | None
    values: Values
    problems: tuple[Problem, ...]
    warnings: tuple[Message, ...]


class BoundEndpoint:
    """An endpoint, bound to the platform of one server.

    Most clients repeat the same queries, and parsing a query takes longer than the rest of the call. So parsed
    queries are cached, by the bytes of the query.
    """

    def __init__(self, endpoint: Endpoint, platform: Platform) -> None:
        self.endpoint = endpoint
        self._platform = platform
        self._reads = Reads.of(platform, endpoint.source)
        self._name = endpoint.name
        self._is_open = endpoint.access.identify is None and endpoint.method == "GET"
        """Whether anybody may call, and all parameters are in the query."""

    # Most endpoints are never called in a process. So each makes its caches at its first call, not when the server
    # starts.

    @cached_property
    def _schema(self) -> Callable[[Jurisdiction | None], Arguments]:
        return lru_cache(maxsize=64)(self._make_schema)

    @cached_property
    def _remembered(self) -> Callable[[bytes, int], _Reading]:
        return lru_cache(maxsize=REMEMBERED_QUERIES)(self._read_query)

    @cached_property
    def _remembered_for(self) -> Callable[[bytes, Jurisdiction | None], _Reading]:
        return lru_cache(maxsize=REMEMBERED_QUERIES)(self._read_query_for)

    def serve(self, request: Request, suffix: str | None, path: Mapping[str, str]) -> Response:
        """Answer a call.

        suffix  json or xml; None where the path has none
        path    the values of the path's variables
        Raises what parsing, the access rule and the view raise.
        """
        for name, value in path.items():
            if NUL in value:
                raise Invalid(HOLDS_NUL, name)
        request.environ[ROUTE] = self._name
        if self._reads is None:
            return self._answer(self._platform, request, suffix, path)
        return self._reads.answer(request, lambda platform: self._answer(platform, request, suffix, path))

    def _answer(
        self, platform: Platform, request: Request, suffix: str | None, path: Mapping[str, str]
    ) -> Response:
        call = self._call(platform, request, suffix, path)
        rest = {name: value for name, value in path.items() if name != "jurisdiction_id"}
        try:
            answer = self.endpoint.view(call, **rest)
        except Open311Error as error:
            error.warnings = call.warnings
            raise
        return answer if isinstance(answer, Response) else send(call, answer)

    def _call(self, platform: Platform, request: Request, suffix: str | None, path: Mapping[str, str]) -> Call:
        rest: dict[str, Any]
        if self._is_open:
            reading, rest = self._reading_of(request.query_string, path), {}
        else:
            reading, rest = self._identified(platform, request, path)
        return Call(
            request=request,
            platform=platform,
            output=self._output(request, suffix),
            now=utc_now(),
            values=reading.values,
            problems=reading.problems,
            warnings=reading.warnings,
            named_city=reading.city,
            coding=self._coding(request),
            **rest,
        )

    def _identified(
        self, platform: Platform, request: Request, path: Mapping[str, str]
    ) -> tuple[_Reading, dict[str, Any]]:
        """The parsed parameters of a call with a caller or a body, and the fields of `Call` for these two."""
        endpoint, principal, is_caught = self.endpoint, None, False
        form = self._form(request)
        sent = form.fields
        request.environ[LOCALE] = first(sent, "locale") or first(sent, "langcode")
        if endpoint.expects is not None:
            request.environ[AHEAD] = endpoint.expects(platform, request)
        if endpoint.access.identify is not None:
            try:
                principal = request.environ[CALLER] = endpoint.access.identify(self._platform, request, sent)
            except Forbidden as error:
                error.warnings = tuple(self._schema(None).key_warnings(sent))
                raise
            limit_key(request.environ, principal)
        city = self._city(sent, path, principal)
        endpoint.access.check_city(principal, city)
        if principal is None or principal.kind != "staff":
            sent, is_caught = self._without_trap(sent, city)
        return self._reading_for(request, sent, city), {
            "files": form.files,
            "body": self._body(request, city),
            "raw": read_raw(request, self._most_raw_bytes) if endpoint.is_raw else b"",
            "is_caught": is_caught,
            "principal": principal,
        }

    def _coding(self, request: Request) -> Coding:
        if not self._platform.settings.compress:
            return Coding.NONE
        return wanted_coding(request.environ.get("HTTP_ACCEPT_ENCODING", ""))

    @property
    def _most_raw_bytes(self) -> int:
        settings = self._platform.settings
        return settings.max_photo_bytes if self.endpoint.is_upload else settings.max_body_bytes

    def _without_trap(self, sent: Parameters, city: Jurisdiction | None) -> tuple[Parameters, bool]:
        """The parameters without the city's honeypot, and whether it was filled. No warning names it."""
        trap = city.abuse.honeypot if city is not None and self.endpoint.method == "POST" else ""
        if not trap or trap not in sent:
            return sent, False
        return {name: values for name, values in sent.items() if name != trap}, any(map(str.strip, sent[trap]))

    def _form(self, request: Request) -> Form:
        """The parameters of a call: those in the query and in a form. If the body is no form, only the query's."""
        endpoint = self.endpoint
        if endpoint.surface.is_for_staff or endpoint.is_raw or endpoint.body is not None:
            return Form(read_query(request.query_string))
        return read_form(request, self._schema(None), self._platform.settings)

    def _body(self, request: Request, city: Jurisdiction | None) -> dict[str, Any]:
        """The fields of a JSON body. If the body is a list, `items` has its objects as they were sent.

        The view reads the objects of a list. Raises Invalid that names each faulty field of an object.
        """
        if self.endpoint.body is None:
            return {}
        if self.endpoint.body.is_list:
            return {"items": read_json_list(request, self._platform.settings)}
        schema = self.endpoint.body() if city is None else self.endpoint.body(zone=city.zone)
        values, problems = schema.read(read_json(request, self._platform.settings))
        if problems:
            raise Invalid.of(Problem(name[:60], text) for name, text in problems)
        return values

    def _output(self, request: Request, suffix: str | None) -> Any:
        if suffix is not None:
            return _FORMATS[suffix]
        return accepted_format(request) if self.endpoint.has_formats else self.endpoint.output

    def _reading_of(self, query: bytes, path: Mapping[str, str]) -> _Reading:
        if self.endpoint.reads is NoArguments:
            return self._read({}, self._city({}, path))
        if self.endpoint.city is City.IN_PATH:
            sent = read_query(query)
            return self._read(sent, self._city(sent, path))
        read = self._remembered if len(query) <= MOST_REMEMBERED_BYTES else self._read_query
        return read(query, self._platform.registry.generation)

    def _reading_for(self, request: Request, sent: Parameters, city: Jurisdiction | None) -> _Reading:
        """The parsed parameters of a call whose caller is known."""
        query = request.query_string
        if self.endpoint.is_quick and len(query) <= MOST_REMEMBERED_BYTES:
            return self._remembered_for(query, city)
        return self._read(sent, city)

    def _read_query_for(self, query: bytes, city: Jurisdiction | None) -> _Reading:
        return self._read(read_query(query), city)

    def _read_query(self, query: bytes, _generation: int) -> _Reading:
        """Read a query.

        _generation  part of the cache key: the reading contains the city, so a query is read again after a change
                     of a city
        """
        sent = read_query(query)
        return self._read(sent, self._city(sent, {}))

    def _read(self, sent: Parameters, city: Jurisdiction | None) -> _Reading:
        """Read the parameters of a call. Raises Invalid for faulty ones, unless the view gathers problems."""
        schema = self._schema(city)
        values, found = schema.read(sent)
        problems = tuple(self._nul_problems(sent)) or tuple(Problem(name, text) for name, text in found)
        if problems and not self.endpoint.gathers_problems:
            error = Invalid.of(problems)
            error.warnings = tuple(schema.warnings(sent))
            raise error
        return _Reading(city, Values(values), problems, tuple(schema.warnings(sent)))

    def _nul_problems(self, sent: Parameters) -> Iterator[Problem]:
        """A problem for each field of a form that contains NUL, because PostgreSQL cannot store this character."""
        for name, values in sent.items() if self.endpoint.method == "POST" else ():
            if NUL in name or any(NUL in value for value in values):
                yield Problem(name[:60], HOLDS_NUL)

    def _city(
        self, sent: Parameters, path: Mapping[str, str], principal: Principal | None = None
    ) -> Jurisdiction | None:
        """The jurisdiction of the call; None if it has none and needs none. Raises what `Registry.find` raises."""
        rule = self.endpoint.city
        if rule is City.NONE:
            return None
        if principal is not None and principal.kind == "staff":
            see_overrides(self._platform, is_fresh=True)  # a person who has just changed a text must see it
        named = path["jurisdiction_id"] if rule is City.IN_PATH else first(sent, "jurisdiction_id")
        if NUL in named:
            raise Invalid(HOLDS_NUL, "jurisdiction_id")
        if rule is City.OPTIONAL and not named:
            return None
        if rule is City.OF_CALLER and not named and principal is not None and not principal.scope.is_everywhere:
            named = principal.scope.jurisdiction_id
        if rule is City.AT_POINT and not named and self._platform.settings.hub:
            return city_at(self._platform.registry, sent) or self._platform.registry.find(named)
        return self._platform.registry.find(named)

    def _make_schema(self, city: Jurisdiction | None) -> Arguments:
        return self.endpoint.reads() if city is None else self.endpoint.reads(zone=city.zone)
