"""The kit that tests a sender of text messages. Its gateway has faults on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from open311.domain.results import Accepted, Rejected, Result, Retry, sound
from open311.errors import Misconfigured
from open311.plugins.backends import BadCall, RawCall
from open311.plugins.exchanges import Exchange
from open311.plugins.sms import SMS_API_VERSION, Sms, SmsAnswer, SmsConfig, SmsSender
from open311.plugins.trials import DOWN, NOON, PAUSE_S, Office, listening, raised

MESSAGE = Sms(
    id="sms-kit-0d9c5c0e5f1b4c7f",
    to="+16175550199",
    text="kit-text: Testville, report 17 is closed.",
    language="en",
    service_request_id="17",
)
SECRET = "whsec_a2l0LXNlY3JldC1raXQtc2VjcmV0LWtpdC1zZWNyZXQ="  # noqa: S105  # only the kit's gateway knows it
FAULTS = ("lost", "error", "page", "busy", DOWN)
_NEEDLES = ("6175550199", "kit-text", SECRET)


def sms_faults(
    kind: Callable[[SmsConfig], SmsSender],
    exchanges: Sequence[Exchange],
    answer: Mapping[str, Any] | None,
    secret: str,
) -> list[str]:
    """Sentences about the faults of a kind; see `open311.plugins.testing.check_sms_sender`."""
    if getattr(kind, "api_version", None) != SMS_API_VERSION:
        return [f"api_version must be {SMS_API_VERSION}"]
    office = Office(exchanges)
    with office.running():
        path = exchanges[0].call.partition(" ")[2] if exchanges else "/"
        config = SmsConfig(url=office.origin + path, secret=secret, timeout_s=1, is_private=True)
        return [*_setup(kind), *_sends(kind, config, office), *_reads(kind, config, answer)]


def _setup(kind: Callable[[SmsConfig], SmsSender]) -> Iterator[str]:
    try:
        kind(SmsConfig(url="")).close()
    except Misconfigured:
        return
    except Exception as error:
        yield f"without settings it raises {raised(error)}; a Misconfigured is needed, which names the setting"
        return
    yield "without settings it can be opened; a Misconfigured is needed, which names the setting"


def _sends(kind: Callable[[SmsConfig], SmsSender], config: SmsConfig, office: Office) -> Iterator[str]:
    seen: list[bytes] = []
    for fault in ("", *FAULTS):
        texts: list[str] = []
        office.begin("" if fault == DOWN else fault, 0)
        with listening(texts):
            if fault == DOWN:
                with office.down():
                    found = _sent(kind, config)
            else:
                found = _sent(kind, config)
        received = office.end()
        seen += [repr((call.call, call.headers, call.body)).encode() for call in received]
        name = fault or "no fault"
        if isinstance(found, str):
            yield f"{name}: {found}"
            continue
        texts.append(repr(found))
        if leaked := [needle for needle in _NEEDLES if needle in "".join(texts)]:
            yield f"{name}: a log or the result has {leaked[0]!r}"
        yield from _misjudged(name, found)
        if fault != DOWN and not received:
            yield f"{name}: it calls nothing"
    if seen and not all(MESSAGE.id.encode() in one for one in seen):
        yield "each call must have the id of the message, so that the gateway can drop a repetition"


def _misjudged(name: str, found: Result) -> Iterator[str]:
    if name == "no fault":
        if not isinstance(found, Accepted):
            yield "no fault: Accepted is needed"
    elif name == "busy":
        if not isinstance(found, Retry) or found.after_s != PAUSE_S:
            yield "busy: a Retry with the pause of Retry-After is needed"
    elif not isinstance(found, Retry):
        yield f"{name}: a Retry is needed"


def _sent(kind: Callable[[SmsConfig], SmsSender], config: SmsConfig) -> Result | str:
    """What a try has led to, or a sentence about its fault."""
    try:
        sender = kind(config)
    except Exception as error:
        return f"it cannot be opened: {raised(error)}"
    try:
        result = sound(sender.send(MESSAGE, now=NOON))
    except Exception as error:
        return f"it raises {raised(error)}"
    finally:
        with suppress(Exception):
            sender.close()
    return (
        result if isinstance(result, Accepted | Rejected | Retry) else "it must return Accepted, Rejected or Retry"
    )


def _reads(
    kind: Callable[[SmsConfig], SmsSender], config: SmsConfig, answer: Mapping[str, Any] | None
) -> Iterator[str]:
    """Sentences about the faults of `receive`.

    Four calls are tried: one without a signature, the answer of the kit's user as it is, the same answer with
    another body, and the same answer a day later. Only the unchanged answer may be accepted.
    """
    sender = kind(config)
    forged = RawCall(body=b'{"from": "+16175550199", "text": "STOP"}', headers={})
    calls = [("a call without a signature", forged, timedelta())]
    if answer is not None:
        call = RawCall(body=answer["body"], headers=answer["headers"])
        try:
            if not isinstance(sender.receive(call, now=NOON), SmsAnswer):
                yield "receive: it returns no SmsAnswer"
        except Exception as error:
            yield f"receive: the answer of the test raises {raised(error)}"
        calls.append(("a changed call", RawCall(body=call.body + b" ", headers=call.headers), timedelta()))
        calls.append(("a call of yesterday", call, timedelta(days=1)))
    for name, one, later in calls:
        try:
            sender.receive(one, now=NOON + later)
        except BadCall:
            continue
        except Exception as error:
            yield f"receive: {name} raises {raised(error)}; BadCall is needed"
        else:
            yield f"receive: {name} is accepted; BadCall is needed"
    sender.close()
