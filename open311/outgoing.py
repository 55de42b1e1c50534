"""What operators write about outgoing traffic: mail servers, mail addresses, proxies, and secrets of webhooks.

The settings check these texts when the server starts, and `federation` uses them. No error quotes a text, because
it may have a password or be personal.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from dataclasses import dataclass, field
from typing import Literal, TypedDict
from urllib.parse import parse_qs, unquote, urlsplit

import idna

SECRET_PREFIX = "whsec_"  # noqa: S105  # a name, not a secret

_KEY_BYTES = range(24, 65)
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_INVISIBLE = r"\xad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
"""Characters that turn the direction of a text or cannot be seen, for use in a set of a regular expression."""
_LOCAL_PART = re.compile(rf"[^\s@<>()\[\],;:\\\"\x00-\x1f\x7f-\x9f\ud800-\udfff{_INVISIBLE}]{{1,64}}")
_NAMED = re.compile(r"(?P<name>\"[^\"<>\r\n]*\"\s*|[^\"<>,;:@\r\n]*)<(?P<address>[^<>]*)>")
_DOMAIN = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*", re.ASCII)
_LEAST_S, _MOST_S = 1, 600


class BadSecret(ValueError):
    """A secret cannot be used. The text does not contain the secret."""


def key_of(secret: str) -> bytes:
    """The bytes that a secret of Standard Webhooks stands for. Raises BadSecret."""
    if not secret.startswith(SECRET_PREFIX):
        raise BadSecret(f"a secret must begin with {SECRET_PREFIX}")
    text = secret.removeprefix(SECRET_PREFIX).rstrip("=")
    try:
        key = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise BadSecret(f"a secret must be base64 after {SECRET_PREFIX}") from None
    if len(key) not in _KEY_BYTES:
        raise BadSecret(f"a secret must stand for 24 to 64 bytes; this one stands for {len(key)}")
    return key


def proxy_of(url: str) -> tuple[str, int]:
    """The host and port of an HTTP proxy, such as http://user:password@proxy.example:3128. Raises ValueError."""
    host, port = _host_and_port(url)
    parts = urlsplit(url if host else "")
    if not host or not port or parts.scheme != "http" or parts.path not in ("", "/") or parts.query:
        raise ValueError("a proxy must look like http://proxy.example:3128, with its port and without a path")
    return host, port


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mail address, and the name of its owner. The domain is in ASCII. `repr` shows neither."""

    address: str = field(repr=False)
    name: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        local, _, domain = self.address.rpartition("@")
        try:
            domain = domain.lower() if domain.isascii() else idna.encode(domain, uts46=True).decode()
        except idna.IDNAError:
            domain = ""
        if not _LOCAL_PART.fullmatch(local) or not _DOMAIN.fullmatch(domain) or len(domain) > 253:
            raise ValueError("a mail address must look like name@city.example")
        object.__setattr__(self, "address", f"{local}@{domain}")

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


def read_mailbox(text: str) -> Mailbox:
    """One mailbox, such as `City <desk@city.example>` or only an address. Raises ValueError."""
    match = _NAMED.fullmatch(text.strip())
    return Mailbox(match["address"], match["name"].strip().strip('"').strip()) if match else Mailbox(text.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """The server that accepts our mail.

    is_tls     whether TLS begins with the connection (smtps)
    starttls   `required`: TLS with a verified certificate. `optional`: TLS if the server offers it, without a check
               of its certificate; then no password is sent, except on the loopback
    timeout_s  the most seconds for connecting, and for each answer; a whole mail may take four times as long
    ca         the file with the authorities that may have signed the server's certificate; "" for the public ones
    """

    host: str
    port: int
    is_tls: bool = False
    starttls: Literal["required", "optional"] = "required"
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    timeout_s: float = 30.0
    ca: str = ""

    @classmethod
    def from_url(cls, url: str) -> SmtpServer:
        """The server at smtp://user:password@host:587?starttls=optional&timeout=30&ca=FILE or smtps://…

        Raises ValueError. Percent-encode reserved characters in the user and the password.
        """
        host, port = _host_and_port(url)
        if not host:
            raise ValueError("must look like smtp://user:password@mail.city.example:587")
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or parts.path not in ("", "/") or parts.fragment:
            raise ValueError("must begin with smtp:// or smtps://, and have no path; encode # / ? in a password")
        return cls(
            host=host,
            port=port or (465 if parts.scheme == "smtps" else 587),
            is_tls=parts.scheme == "smtps",
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            **_options(parts.query),
        )

    def __post_init__(self) -> None:
        if bool(self.user) != bool(self.password):
            raise ValueError("needs a password with its user, or neither")
        if self.user and self.starttls == "optional" and not self.is_tls and self.host not in LOOPBACK:
            raise ValueError("sends a password only with starttls=required")


class _Options(TypedDict, total=False):
    starttls: Literal["required", "optional"]
    timeout_s: float
    ca: str


def _options(query: str) -> _Options:
    """The options after the question mark. Each may be given once."""
    given = parse_qs(query, keep_blank_values=True)
    if given.keys() - {"starttls", "timeout", "ca"} or any(len(values) > 1 for values in given.values()):
        raise ValueError("has only the options starttls, timeout and ca, each at most once")
    options: _Options = {"ca": given.get("ca", [""])[0]}
    if "starttls" in given:
        options["starttls"] = _starttls(given["starttls"][0])
    if "timeout" in given:
        options["timeout_s"] = _timeout_s(given["timeout"][0])
    return options


def _starttls(text: str) -> Literal["required", "optional"]:
    if text == "required":
        return "required"
    if text == "optional":
        return "optional"
    raise ValueError("starttls must be required or optional")


def _timeout_s(text: str) -> float:
    if not re.fullmatch(r"\d{1,3}", text, re.ASCII) or not _LEAST_S <= int(text) <= _MOST_S:
        raise ValueError(f"timeout must be {_LEAST_S} to {_MOST_S} seconds")
    return float(text)


def _host_and_port(url: str) -> tuple[str, int]:
    """The host and the port of an address; "" and 0 for what is missing or cannot be read."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").rstrip(".").lower(), parts.port or 0
    except ValueError:
        return "", 0
