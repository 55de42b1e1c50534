"""The interface of a sender of text messages: how they reach a gateway, and how people's answers come back.

A kind of sender is a class that fulfils `SmsSender`, with an entry point in the group `open311.sms`. A city's
`[sms]` names the kind. The sender gets the gateway's address and secret from `OPEN311_SMS_URL` and
`OPEN311_SMS_SECRET`. The worker sends the messages one after the other; a web process calls `receive`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Protocol

from open311.domain.results import Accepted, Rejected, Retry
from open311.errors import Misconfigured
from open311.plugins.backends import RawCall

SMS_API_VERSION = 1
"""Version of this contract. A kind that was written for another version is not loaded."""
SMS_GROUP = "open311.sms"
_METHODS = ("send", "receive", "close")

SmsResult = Accepted | Rejected | Retry
"""The outcome of a message. `Accepted`: the gateway has the message. `Rejected`: the gateway will never take it.
`Retry`: the gateway may take it later; with `is_down`, the gateway would take no other message now either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsConfig:
    """What a sender gets from the settings of the operator.

    url         the gateway's address
    secret      the value of the setting, unchanged
    timeout_s   the most seconds that one call may take
    is_private  whether the address may be in the operator's own network, and may be called without TLS
    proxy       the HTTP proxy of outgoing calls; "" if there is none, or if `is_private` is true
    """

    url: str = field(repr=False)
    secret: str = field(default="", repr=False)
    timeout_s: float = 10
    is_private: bool = False
    proxy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sms:
    """A message to send.

    id                  the id of the message. It is the same at each try, so that the gateway can drop a repetition
    to                  the phone number, such as +16175550142
    text                at most two parts; it has no text that a citizen has written
    language            the language of the text, as a BCP 47 tag
    service_request_id  the id of the report; "" if the report has no id yet
    """

    id: str
    to: str = field(repr=False)
    text: str = field(repr=False)
    language: str
    service_request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsAnswer:
    """What somebody has answered.

    sender  the phone number, such as +16175550142
    """

    sender: str = field(repr=False)
    text: str = field(repr=False)


class SmsSender(Protocol):
    """A configured sender. Only one thread uses it, and closes it at the end.

    The constructor gets an `SmsConfig` and must not use the network. If a setting is missing or wrong, the
    constructor raises Misconfigured, whose text names the setting. The class has `api_version = SMS_API_VERSION`.
    """

    def send(self, sms: Sms, *, now: datetime) -> SmsResult:
        """Send a message. A failure of the network or the gateway is a result, and raises no exception.

        The reason or the cause in the result must contain neither the number, nor the text, nor a secret.
        """

    def receive(self, call: RawCall, *, now: datetime) -> SmsAnswer:
        """The answer of a person in a call of the gateway, in a web process and without the network.

        Raises BadCall if the signature does not prove that the gateway is the caller. Raises ValueError if the call
        cannot be read. The text of a ValueError is a sentence that names the field, but quotes nothing of the call.
        """

    def close(self) -> None:
        """End all connections."""


@cache
def loaded_sms_kinds() -> Mapping[str, Any]:
    """The installed kinds by name: the class, or a sentence that says why the kind cannot be used."""
    return {name: _load(name) for name in sorted({point.name for point in entry_points(group=SMS_GROUP)})}


def sms_kind_fault(name: str) -> str:
    """Why a kind cannot be used; "" if it can."""
    found = loaded_sms_kinds().get(name)
    if isinstance(found, str):
        return f"kind {name} cannot be used: {found}"
    if found is None:
        known = ", ".join(one for one, kind in loaded_sms_kinds().items() if not isinstance(kind, str))
        return f"kind {name!r} is not installed; use one of {known}"
    return ""


def open_sms_sender(kind: str, config: SmsConfig) -> SmsSender:
    """Make a sender.

    Raises Misconfigured if the kind cannot be used, if a setting is missing or wrong, or if the code of the kind
    fails.
    """
    if fault := sms_kind_fault(kind):
        raise Misconfigured(f"{fault}.")
    try:
        sender: SmsSender = loaded_sms_kinds()[kind](config)
    except Misconfigured:
        raise
    except Exception as error:  # a plugin may raise anything
        raise Misconfigured(f"the code of kind {kind} raised {type(error).__name__}.") from None
    return sender


def _load(name: str) -> Any:
    points = {point.value: point for point in entry_points(group=SMS_GROUP, name=name)}
    if len(points) > 1:
        return f"several packages have it: {', '.join(sorted(points))}"
    [point] = points.values()
    try:
        found = point.load()
    except (Exception, SystemExit) as error:  # a broken plugin must not stop the others
        return f"its code raises {type(error).__name__}"
    if missing := [method for method in _METHODS if not callable(getattr(found, method, None))]:
        return f"{point.value} has no {', '.join(missing)}"
    version = getattr(found, "api_version", None)
    if version != SMS_API_VERSION:
        return f"it is for version {version} of the interface; this server has version {SMS_API_VERSION}"
    return found
