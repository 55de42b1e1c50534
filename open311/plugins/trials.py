"""The kit that tests a back end. Its back office sends recorded answers, and has faults on purpose."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from io import StringIO
from pathlib import Path
from traceback import extract_tb
from typing import Any

from marshmallow import ValidationError

from open311.domain.case import Case, CaseUpdate, RemoteUpdate, limited
from open311.domain.places import Place
from open311.domain.requests import NamedAnswer, Reporter
from open311.domain.results import Accepted, Failed, Partial, Pending, Rejected, Result, Retry, sound
from open311.errors import Misconfigured
from open311.plugins.backends import API_VERSION, Backend, BackendConfig, Page, secrets_of
from open311.plugins.context import CallFailed, Context, Letter, check_item
from open311.plugins.declared.faults import explain
from open311.plugins.exchanges import Exchange, Received, Trial

KEY = "0d9c5c0e-5f1b-4c7f-8f43-3c2f54b6d1a7"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CASE = Case(
    jurisdiction_id="kit.example",
    reference="2026-0000012",
    service_request_id="2026-0000012",
    service_code="pothole",
    service_name="Pothole",
    department="streets",
    agency="Street Works",
    status="open",
    requested_at=NOON,
    updated_at=NOON,
    place=Place(lat=60.1718, long=24.9414, address="kit-5 Leaky Lane"),
    description="kit-description: a deep hole",
    answers=(
        NamedAnswer("KIND", "Which?", "deep", "Deep"),
        NamedAnswer("NOTE", "More?", "kit-answer", "kit-answer"),
    ),
    media_urls=("https://photos.example/kit-photo.jpg",),
    reporter=Reporter(
        email="kit-mail@leak.example",
        first_name="Kit-Ann",
        last_name="Kit-Example",
        phone="+358-555-kit",
        device_id="kit-device",
        account_id="kit-account",
    ),
)
"""An example case. Its personal texts contain `kit`, and must not be in a log, a result or the store.

The answer to `KIND` is chosen from a list, so it is not personal.
"""
CHOICES = ("KIND",)
SHAPES: Mapping[str, bytes] = {"object": b"{}", "list": b"[]", "null": b"null", "text": b'"x"'}
"""Answers in JSON with another shape than the back end expects, by the names of the faults."""
FAULTS = ("lost", "slow", "error", "page", "busy", "garbled", "cut", *SHAPES)
"""The faults that the back office can have in one call.

lost     it does the work, and drops the connection
slow     it does the work, and does not answer
error    it answers 500, and the error contains the whole call
page     it answers 502 with an HTML page
busy     it answers 429 with Retry-After
garbled  it sends the recorded answer in UTF-16
cut      it sends a part of the recorded answer
object   it sends {}; the faults list, null and text send [], null and "x"
"""
DOWN = "down"
"""The fault of a back office that accepts no connection."""
LISTS = ("reversed", "doubled")
"""The faults in a list of updates: another order, and each record twice."""
PAUSE_S = 7
_LEAST_NEEDLE = 4
_GRACE_S = 3.0


def try_backend(
    kind: type[Backend], config: Mapping[str, Any], exchanges: Sequence[Exchange], update: CaseUpdate | None
) -> tuple[Trial, list[str]]:
    """What happens without a fault of the back office, and sentences about the faults of the back end."""
    office = Office(exchanges)
    with office.running():
        kit = Kit(kind, office, update)
        kit.read(config)
        if not kit.faults:
            kit.try_all()
    return kit.trial, kit.faults


class Kit:
    """The trials of one back end, and the faults that the trials have found."""

    def __init__(self, kind: type[Backend], office: Office, update: CaseUpdate | None) -> None:
        self.kind, self.office = kind, office
        self.faults: list[str] = []
        self.trial = Trial(results={}, received=(), letters=())
        self.config: BackendConfig
        self._update = update

    def read(self, config: Mapping[str, Any]) -> None:
        """Read the configuration as `backends.toml` is read."""
        if self.kind.api_version != API_VERSION:
            self.faults.append(f"api_version is {self.kind.api_version}; this server supports {API_VERSION}")
            return
        table = self.kind.table()
        data = {"name": "kit", "kind": "kit", **_filled(config, self.office.origin)}
        try:
            self.config = table.read(data)
        except ValidationError as error:
            self.faults += explain(table, error.messages, data, "backend kit")

    def try_all(self) -> None:
        """Try the methods that `_methods` names, first without a fault."""
        clean: dict[str, Seen] = {}
        for name in self._methods(clean):
            clean[name] = self._run(name, clean)
            self._check_clean(name, clean[name])
            if clean[name].is_closed:
                return
        self.trial = Trial(
            results={name: seen.result for name, seen in clean.items() if seen.result is not None},
            received=tuple(call for seen in clean.values() for call in seen.received),
            letters=tuple(letter for seen in clean.values() for letter in seen.letters),
        )
        for name, seen in clean.items():
            for number in range(len(seen.received)):
                for fault in FAULTS:
                    self._check(name, fault, number, self._run(name, clean, fault, number))
            if seen.received:
                with self.office.down():
                    self._check(name, DOWN, 0, self._run(name, clean, DOWN, 0))
            for fault in ("lost", "error") if seen.letters else ():
                self._check(name, fault, 0, self._run(name, clean, fault, 0))
        self._check_repeats(clean)
        if "updates" in clean and clean["updates"].page:
            self._check_lists(clean)

    def _methods(self, clean: Mapping[str, Seen]) -> Iterator[str]:
        """The names of the methods to try.

        `resolve` is tried only if `send` has returned `Pending`, and `complete` only if it has returned `Partial`.
        """
        yield "send"
        backend = self._open(Provided(self.office))
        yield from (name for name, has in _abilities(backend).items() if has)
        if clean["send"].result is not None and isinstance(clean["send"].result, Pending):
            yield "resolve"
        if isinstance(clean["send"].result, Partial):
            yield "complete"
        yield "check"
        _close(backend)

    def _open(self, provided: Provided, config: BackendConfig | None = None) -> Backend:
        try:
            return self.kind(config or self.config, provided.context)
        except Misconfigured:
            raise
        except Exception as error:
            raise Stopped(raised(error)) from error

    def _run(self, name: str, clean: Mapping[str, Seen], fault: str = "", number: int = 0) -> Seen:
        """Call one method of the back end, with a fault of the back office in one HTTP call."""
        provided = Provided(self.office, fault)
        seen = Seen(texts=provided.lines)
        config = replace(self.config, deadline_s=1) if fault == "slow" else self.config
        self.office.begin(fault, number)
        with listening(seen.texts):
            try:
                backend = self._open(provided, config)
            except (Misconfigured, Stopped) as error:
                seen.problem, seen.is_closed = f"cannot be opened: {error}", True
                return seen
            self._call(seen, lambda: self._method(backend, name, clean), config.deadline_s)
            seen.received = self.office.end()
            try:
                backend.close()
            except Exception as error:
                seen.problem = seen.problem or f"cannot be closed: {raised(error)}"
        seen.letters = provided.letters
        seen.texts += [f"{key} {value}" for key, value in provided.values.items()]
        return seen

    def _call(self, seen: Seen, call: Callable[[], object], deadline_s: int) -> None:
        """Call a method of the back end with a deadline, as the server does."""
        caller = ThreadPoolExecutor(1)
        try:
            found = caller.submit(call).result(timeout=deadline_s + _GRACE_S)
        except TooLate:
            seen.problem = f"takes more than its deadline_s of {deadline_s} seconds"
            return
        except CallFailed as error:
            found, seen.is_failed = error.result, True
        except Exception as error:
            seen.problem = f"raises {raised(error)}"
            return
        finally:
            caller.shutdown(wait=False, cancel_futures=True)
        seen.texts.append(repr(found))
        if isinstance(found, Page):
            seen.page = found
            return
        try:
            seen.result = None if found is None else sound(found)
        except TypeError as error:
            seen.problem = f"returns what is no result: {error}"

    def _method(self, backend: Backend, name: str, clean: Mapping[str, Seen]) -> object:
        case = limited(CASE, self.config.shared, CHOICES)
        sent = clean["send"].result if "send" in clean else None
        if name == "send":
            return backend.send(case, KEY)
        if name == "send_update":
            return backend.send_update(self._change(case, sent), f"{KEY[:-1]}8")
        if name == "look_up":
            return backend.look_up(case, KEY)
        if name == "resolve" and isinstance(sent, Pending):
            return backend.resolve(sent.token)
        if name == "complete" and isinstance(sent, Partial):
            return backend.complete(case, sent.service_request_id, sent.missing, KEY)
        return backend.updates("") if name == "updates" else backend.check()

    def _change(self, case: Case, sent: Result | None) -> CaseUpdate:
        remote_id = sent.service_request_id if isinstance(sent, Accepted | Partial) else ""
        note = "kit-note: it is filled" if "notes" in self.config.shared else ""
        usual = CaseUpdate(case=case, remote_id=remote_id, at=NOON, status="fixed", description=note)
        return replace(self._update, case=case, remote_id=remote_id) if self._update else usual

    # --- What must hold

    def _check_clean(self, name: str, seen: Seen) -> None:
        self._check_leaks(name, "", seen)
        if seen.problem:
            self.faults.append(f"{name} {seen.problem}")
        elif isinstance(seen.result, Retry | Failed | Rejected):
            self.faults.append(f"{name} fails with the recorded answers: {seen.result}")
        for call in self.office.unknown():
            self.faults.append(f"{name} calls {call}, which no exchange has")

    def _check(self, name: str, fault: str, number: int, seen: Seen) -> None:
        where = f"{name}, {fault} at call {number + 1}:"
        self._check_leaks(name, fault, seen)
        if seen.problem:
            self.faults.append(f"{where} {seen.problem}")
            return
        if name in ("send", "send_update", "complete"):
            is_taken = self.office.is_change(seen.struck(number)) or (fault == "lost" and bool(seen.letters))
            why = _misjudged(fault, seen.result, is_change=is_taken)
        elif fault in SHAPES:
            is_missed = name == "look_up" and fault == "text" and not seen.is_failed
            why = "it got no answer, so LookUpFailed is needed" if is_missed and seen.result is None else ""
        elif name in ("look_up", "updates"):
            is_reported = seen.is_failed or (fault in ("garbled", "cut") and seen.result is not None)
            why = "" if is_reported else "it got no answer, so LookUpFailed is needed"
        else:
            why = ""
        if why:
            self.faults.append(f"{where} {why}; it returns {seen.page or seen.result}")

    def _check_leaks(self, name: str, fault: str, seen: Seen) -> None:
        output = "\n".join(seen.texts)
        for what, needle in self._needles():
            if needle in output:
                self.faults.append(
                    f"{name}{', ' + fault if fault else ''}: {what} is in a log, a result or the store"
                )

    def _needles(self) -> Iterator[tuple[str, str]]:
        for secret in secrets_of(self.config):
            try:
                parts = secret.read().split(",")
            except Misconfigured:  # no trial needed it
                continue
            yield from ((f"the secret {secret.env or secret.file}", part.strip()) for part in parts)
        values = {one.name: str(getattr(CASE.reporter, one.name)) for one in fields(Reporter)}
        values |= {"address": CASE.place.address, "description": CASE.description, "answer": "kit-answer"}
        values["note"] = self._update.description if self._update else "kit-note"
        yield from (
            (f"the personal field {name}", value) for name, value in values.items() if len(value) >= _LEAST_NEEDLE
        )

    def _check_repeats(self, clean: Mapping[str, Seen]) -> None:
        """A back end that declares that keys are honoured must send the key in at least one call."""
        backend = self._open(Provided(self.office))
        pairs = (("send", "honours_keys", KEY), ("send_update", "repeats_updates", f"{KEY[:-1]}8"))
        for name, flag, key in pairs:
            seen = clean.get(name)
            calls = [call for call in seen.received if self.office.is_change(call)] if seen else []
            if getattr(backend, flag) and calls and not any(_has(call, key) for call in calls):
                self.faults.append(f"{name} does not send the key, but {flag} is true")
        _close(backend)

    def _check_lists(self, clean: Mapping[str, Seen]) -> None:
        """Another order of a list, or repeated records, must give the same updates."""
        wanted = _contents(clean["updates"].page)
        for fault in LISTS:
            seen = self._run("updates", clean, fault)
            if seen.problem or _contents(seen.page) != wanted:
                self.faults.append(f"updates: a list that is {fault} gives {seen.problem or 'other updates'}")


class Stopped(Exception):
    """A back end cannot be opened. The text says why."""


@dataclass
class Seen:
    """The outcome of one method.

    texts      all texts in which a secret could be
    is_closed  whether the back end could not be opened
    is_failed  whether the method raised CallFailed
    """

    texts: list[str]
    is_closed: bool = False
    is_failed: bool = False
    result: Result | None = None
    page: Page | None = None
    problem: str = ""
    received: tuple[Received, ...] = ()
    letters: tuple[Letter, ...] = ()

    def struck(self, number: int) -> Received | None:
        """The HTTP call that had the fault; None if no such call arrived."""
        return self.received[number] if number < len(self.received) else None


class Provided:
    """Makes a context and records its use. The object is also the store, the log and the mailer of the context."""

    def __init__(self, office: Office, fault: str = "") -> None:
        self.lines: list[str] = []
        self.values: dict[str, str] = {}
        self.letters: tuple[Letter, ...] = ()
        self._fault = fault
        # The layers forbid plugins to import federation. The kit is no part of the server, and needs the real HTTP.
        session = import_module("open311.federation.adapters").HttpSession
        self.context = Context(
            jurisdiction_id=CASE.jurisdiction_id,
            city="Kitville",
            now=lambda: NOON,
            open_http=session,
            store=self,
            log=self,
            mailer=self,
            public_url=f"{office.origin}/city",
        )

    def get(self, name: str) -> str:
        return self.values.get(name, "")

    def put(self, name: str, value: str) -> None:
        check_item(name, value)
        self.values[name] = value

    def info(self, event: str, **values: Any) -> None:
        self.lines.append(f"{event} {values}")

    warning = error = info

    def send(self, letter: Letter) -> str:
        """Take a letter as a mail server does."""
        self.letters += (letter,)
        if self._fault == "lost":
            raise CallFailed(Retry(cause="no answer came after the text", is_uncertain=True))
        if self._fault:
            raise CallFailed(Retry(cause="the mail server refused the connection: 421"))
        return f"<{letter.id}@kit.example>"

    def check(self) -> None:
        """Fail if there is a fault."""
        if self._fault:
            raise CallFailed(Retry(cause="the mail server refused the connection: 421"))


# --- The back office


@dataclass
class Office:
    """A server that sends recorded answers. One of the calls can have a fault."""

    exchanges: Sequence[Exchange]
    origin: str = ""
    released: threading.Event = field(default_factory=threading.Event)
    _received: list[Received] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)
    _unknown: list[str] = field(default_factory=list)
    _fault: str = ""
    _number: int = 0
    _server: _Server = field(init=False)
    _thread: threading.Thread = field(init=False)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve until the end of the block."""
        self._start(0)
        try:
            yield
        finally:
            self._stop()

    @contextmanager
    def down(self) -> Iterator[None]:
        """Accept no connections during the block."""
        self._stop()
        try:
            yield
        finally:
            self._start(int(self.origin.rpartition(":")[2]))

    def _start(self, port: int) -> None:
        self._server = _Server(("127.0.0.1", port), _handler(self))
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def _stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def begin(self, fault: str, number: int) -> None:
        """Forget all calls. The call with the index `number`, counted from now, gets the fault."""
        self._received, self._counts, self._unknown = [], {}, []
        self._fault, self._number = fault, number
        self.released = threading.Event()

    def end(self) -> tuple[Received, ...]:
        """The calls since `begin`. Ends the calls that the fault `slow` has delayed."""
        self.released.set()
        return tuple(self._received)

    def unknown(self) -> list[str]:
        """The calls since `begin` that no exchange has."""
        return self._unknown

    def is_change(self, call: Received | None) -> bool:
        """Whether a repeated call may make a change twice."""
        return call is not None and any(one.is_change for one in self.exchanges if one.call == call.call)

    def reply(self, call: Received) -> Reply:
        """The answer to a call, with its fault."""
        self._received.append(call)
        is_struck = self._fault in LISTS or len(self._received) - 1 == self._number
        found = self._recorded(call)
        return _FAULTS[self._fault](found, call) if self._fault and is_struck else found

    def _recorded(self, call: Received) -> Reply:
        own = [one for one in self.exchanges if one.call == call.call]
        if not own:
            self._unknown.append(call.call)
            return Reply(404, b"[]", "application/json")
        number = self._counts[call.call] = self._counts.get(call.call, 0) + 1
        one = own[min(number, len(own)) - 1]
        return Reply(one.status, one.content(), one.media_type, dict(one.headers))


@dataclass(frozen=True)
class Reply:
    """An answer.

    is_dropped  drops the connection after `content`, which is then shorter than announced
    is_silent   drops the connection without an answer; with `is_slow`, only when the trial is over
    """

    status: int
    content: bytes
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    is_dropped: bool = False
    is_silent: bool = False
    is_slow: bool = False


def _quoted(call: Received) -> str:
    return f"{call.call}?{call.query} {dict(call.headers)} {call.body.decode('utf-8', 'replace')}"


def _as_list(found: Reply, change: Callable[[list[Any]], list[Any]]) -> Reply:
    """The answer with changed lists: the whole JSON document, or its members. Other answers stay unchanged."""
    try:
        data = json.loads(found.content)
    except ValueError:
        return found
    if isinstance(data, list):
        data = change(data)
    elif isinstance(data, dict):
        data = {name: change(one) if isinstance(one, list) else one for name, one in data.items()}
    return replace(found, content=json.dumps(data).encode())


def _error(_: Reply, call: Received) -> Reply:
    body = json.dumps([{"code": 500, "description": f"cannot store {_quoted(call)}"}])
    return Reply(500, body.encode(), "application/json; charset=utf-8")


def _page(_: Reply, call: Received) -> Reply:
    return Reply(502, f"<html><h1>Bad Gateway</h1>{_quoted(call)}</html>".encode(), "text/html; charset=utf-8")


def _shape(content: bytes, found: Reply, _: Received) -> Reply:
    return replace(found, content=content) if found.content else found


def _busy(_: Reply, call: Received) -> Reply:
    return Reply(429, _quoted(call).encode(), "text/plain", {"Retry-After": str(PAUSE_S)})


_FAULTS: Mapping[str, Callable[[Reply, Received], Reply]] = {
    "lost": lambda found, _: replace(found, is_silent=True),
    "slow": lambda found, _: replace(found, is_silent=True, is_slow=True),
    "error": _error,
    "page": _page,
    "busy": _busy,
    "garbled": lambda found, _: replace(found, content=found.content.decode("utf-8", "replace").encode("utf-16")),
    "cut": lambda found, _: replace(found, is_dropped=True),
    **{name: partial(_shape, content) for name, content in SHAPES.items()},
    "reversed": lambda found, _: _as_list(found, lambda records: records[::-1]),
    "doubled": lambda found, _: _as_list(found, lambda records: [each for one in records for each in (one, one)]),
}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Print nothing, because clients close connections early in some trials."""


def _handler(office: Office) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def handle_call(self) -> None:
            self.close_connection = True
            path, _, query = self.path.partition("?")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = office.reply(Received(call=f"{self.command} {path}", query=query, headers=headers, body=body))
            if reply.is_slow:
                office.released.wait()
            if not reply.is_silent:
                self.write(reply)

        def write(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in {"Content-Type": reply.media_type, "Connection": "close", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.content) + (100 if reply.is_dropped else 0)))
            self.end_headers()
            self.wfile.write(reply.content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_call  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Print nothing, because the kit records the calls."""

    return Handler


# --- Small parts


def _close(backend: Backend) -> None:
    """Close a back end, and ignore errors, because `_run` reports them."""
    with suppress(Exception):
        backend.close()


def _abilities(backend: Backend) -> dict[str, bool]:
    return {
        "send_update": backend.takes_updates,
        "look_up": backend.can_look_up,
        "updates": backend.gives_updates,
    }


def _misjudged(fault: str, result: Result | None, *, is_change: bool) -> str:
    """The fault in the result of a method that sends; "" if there is no fault."""
    is_uncertain = isinstance(result, Retry) and result.is_uncertain
    if fault == "busy":
        has_pause = isinstance(result, Retry) and result.after_s == PAUSE_S
        return "" if has_pause and not is_uncertain else "a Retry with the pause of Retry-After is needed"
    if fault in ("lost", "slow", "error", "page") and is_change:
        return "" if is_uncertain else "the back office may have it, so a Retry with is_uncertain is needed"
    if fault in ("garbled", "cut", *SHAPES) and is_change:
        is_known = isinstance(result, Accepted | Pending | Partial)
        return "" if is_known or is_uncertain else "the back office has it, so a Retry with is_uncertain is needed"
    if fault == DOWN:
        is_certain = isinstance(result, Retry) and not is_uncertain
        return "" if is_certain else "the back office got nothing, so a Retry without is_uncertain is needed"
    if fault in ("lost", "slow", "error", "page"):
        return "" if isinstance(result, Retry) else "a Retry is needed"
    return ""


def _has(call: Received, key: str) -> bool:
    return key in f"{call.call}?{call.query} {call.headers}" or key.encode() in call.body


def _contents(page: Page | None) -> set[RemoteUpdate]:
    return set(page.updates) if page else set()


def _filled(value: Any, origin: str) -> Any:
    """The configuration with the kit's address for `{url}`."""
    if isinstance(value, str):
        return value.replace("{url}", origin)
    if isinstance(value, Mapping):
        return {name: _filled(one, origin) for name, one in value.items()}
    return [_filled(one, origin) for one in value] if isinstance(value, list) else value


def raised(error: BaseException) -> str:
    """The class and the place of an exception."""
    last = extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} ({Path(last.filename).name}, line {last.lineno})"


class _Lines(logging.Handler):
    def __init__(self, texts: list[str]) -> None:
        super().__init__(logging.INFO)
        self._texts = texts

    def emit(self, record: logging.LogRecord) -> None:
        self._texts.append(self.format(record))


@contextmanager
def listening(texts: list[str]) -> Iterator[None]:
    """Add everything that is printed or logged during the block to `texts`."""
    handler, printed, root = _Lines(texts), StringIO(), logging.getLogger()
    root.addHandler(handler)
    try:
        with redirect_stdout(printed), redirect_stderr(printed):
            yield
    finally:
        root.removeHandler(handler)
        texts.append(printed.getvalue())
