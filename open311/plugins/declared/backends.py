"""The keys of `backends.toml`: a city's back ends, and which requests are sent to them."""

from __future__ import annotations

from datetime import datetime
from pathlib import PurePath
from typing import Any, ClassVar
from urllib.parse import urlsplit

from marshmallow import ValidationError, missing

from open311.domain.case import SHAREABLE
from open311.domain.workflow import MEANINGS
from open311.outgoing import read_mailbox
from open311.plugins.backends import (
    NAME,
    BackendConfig,
    Destination,
    HttpConfig,
    Secret,
    kind_fault,
    kinds,
)
from open311.plugins.context import OAuthClient, TlsFiles
from open311.plugins.declared.keys import (
    ByCode,
    Choice,
    Flag,
    Key,
    Number,
    OneTable,
    Table,
    Tables,
    Text,
    Texts,
    shown,
)

IGNORE = "ignore"


class SecretSource(Key):
    """The place of a secret. The secret itself is never in `backends.toml`."""

    kind = 'a table such as { env = "NAME" } or { file = "/run/secrets/name" }'

    @property
    def type(self) -> str:
        """The type's name in the documentation."""
        return "`{ env = … }` or `{ file = … }`"

    def __init__(self, meaning: str, *, is_required: bool = False) -> None:
        super().__init__(meaning, default=missing if is_required else Secret(), unset="none")

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Secret:
        if isinstance(value, str):
            raise ValidationError('must not stand in this file; write { env = "NAME" } or { file = "…" }.')
        return secret_of(self, value)


def secret_of(key: Key, value: object) -> Secret:
    """The secret that a TOML table names. Raises ValidationError."""
    if not isinstance(value, dict) or len(value) != 1 or not value.keys() <= {"env", "file"}:
        raise key.misfit(value)
    if not all(isinstance(one, str) and one for one in value.values()):
        raise key.misfit(value)
    return Secret(**value)


class Url(Text):
    """An address of http or https."""

    kind = "an address such as https://works.city.example/api"

    @property
    def type(self) -> str:
        """The type's name in the documentation."""
        return "address"

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The address. Raises ValidationError if it cannot be called."""
        url = super().deserialize(value, attr, data, **kwargs)
        if isinstance(url, str) and not is_url(url):
            raise ValidationError(f"must be {self.kind}, without a user and without blanks, not {shown(url)}.")
        return url


class UrlOrSecret(Url):
    """An address of http or https, or the place of a secret that has the address."""

    @property
    def type(self) -> str:
        """The types' names in the documentation."""
        return "address, or `{ env = … }` or `{ file = … }`"

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Any:
        return secret_of(self, value) if isinstance(value, dict) else super()._deserialize(value)


def is_url(text: str) -> bool:
    """Whether a text is an address that can be called."""
    try:
        parts = urlsplit(text)
        has_port = parts.port != 0
    except ValueError:
        return False
    is_plain = text.isascii() and text.isprintable() and " " not in text and not parts.fragment
    return (
        is_plain
        and has_port
        and parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and "@" not in parts.netloc
    )


class Path(Text):
    """The absolute path of a file or a folder."""

    kind = "an absolute path"

    @property
    def type(self) -> str:
        """The type's name in the documentation."""
        return "absolute path"

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The path. Raises ValidationError for a relative path, which would depend on the current folder."""
        path = super().deserialize(value, attr, data, **kwargs)
        if path and not PurePath(path).is_absolute():
            raise ValidationError(f"must be {self.kind}, such as /srv/works, not {shown(path)}.")
        return path


class Mailboxes(Texts):
    """Mail addresses."""

    kind = "a mail address or a list of them"

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> tuple[str, ...]:
        if value == []:
            raise ValidationError("is empty; write at least one mail address.")
        found: tuple[str, ...] = super()._deserialize(value, *args, **kwargs)
        for text in found:
            try:
                read_mailbox(text)
            except ValueError as error:
                raise ValidationError(f"holds {shown(text)}; {error}.") from None
        return found


class Instant(Key):
    """A date and time with zone."""

    kind = "a date and time with zone, such as 2026-12-01T00:00:00+02:00"

    @property
    def type(self) -> str:
        """The type's name in the documentation."""
        return "date and time"

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> datetime:
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise self.misfit(value)
        return value


class BackendName(Text):
    """The name of a back end."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> str:
        return super()._deserialize(value)

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The name. Raises ValidationError if it cannot be part of a path and of the name of an actor."""
        name = super().deserialize(value, attr, data, **kwargs)
        if not NAME.fullmatch(name):
            raise ValidationError(
                "must be 1 to 40 small letters, digits and -, with no - in front, because it is part of addresses."
            )
        return name


class Shared(Texts):
    """The allow-list of a back end: the fields that may be sent to it."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> tuple[str, ...]:
        found = super()._deserialize(value, *args, **kwargs)
        for name in found:
            if name not in SHAREABLE:
                raise ValidationError(f"holds {shown(name)}; use some of {', '.join(SHAREABLE)}.")
        return found


class BackendTable(Table):
    """The keys that all kinds of back ends have."""

    makes: ClassVar[type[BackendConfig]] = BackendConfig
    header, noun, known_by = "[[backends]]", "backend", "name"

    name = BackendName("Your short name for the back office: small letters, digits and `-`")
    kind = Text("The kind, see below")
    shared = Shared(
        "The fields that may be sent in addition to service, department, status, priority, times, the place without"
        " the address text, and answers chosen from a list: some of"
        f" {', '.join(f'`{name}`' for name in SHAREABLE)}",
        default=(),
    )
    since = Instant(
        "The cut-over: requests from before this time are not delivered", default=None, unset="all requests"
    )
    sends_updates = Flag("Whether later changes of a delivered request are sent too", default=True)
    deadline_s = Number("Longest time of one call in seconds", least=1, most=600, default=30)
    concurrency = Number("Most calls at a time", least=1, most=16, default=2)
    pull_every_s = Number(
        "How often its updates are fetched, in seconds; `0` for never", least=0, most=86_400, default=300
    )
    statuses = ByCode(
        Choice((*MEANINGS, IGNORE), ""),
        "Its words for statuses and what they mean here, as in"
        ' `{ "Work complete" = "fixed", "Printed" = "ignore" }`; the words of mySociety\'s updates need no entry',
    )
    unknown_status = Choice(
        ("quarantine", "keep", IGNORE),
        "For an update with a status that is not known: `quarantine` keeps it for a person, `keep` uses its text"
        " only, `ignore` drops it",
        default="quarantine",
    )


class TlsTable(Table):
    """The certificates of a connection."""

    makes, header, noun = TlsFiles, "[backends.tls]", "table"

    ca = Path(
        "PEM file with the certificate authorities to trust, if no public authority has signed the server's"
        " certificate",
        default="",
        unset="public ones",
    )
    cert = Path("PEM file with our certificate, for a server that wants one", default="", unset="none")
    key = Path("PEM file with its private key, without a password", default="", unset="in `cert`")


class OAuthTable(Table):
    """How the server gets access tokens."""

    makes, header, noun = OAuthClient, "[backends.oauth]", "table"

    token_url = Url("The address that gives access tokens; https, except on this machine")
    client_id = Text("Our name there")
    client_secret = SecretSource("Our secret there", is_required=True)
    scope = Text("What the tokens are for", default="")
    in_body = Flag(
        "Whether that server wants the name and the secret in the body, not in `Authorization`", default=False
    )
    extra = ByCode(Text(), 'Parameters that the server wants too, as in `{ audience = "311" }`')


class HttpTable(BackendTable):
    """The keys of all kinds that call a server with HTTP."""

    makes: ClassVar[type[BackendConfig]] = HttpConfig

    url: Key = UrlOrSecret(
        "The address that is called. Its host may be in your own network. If everybody who knows the address can"
        " use the server, write the address as a secret"
    )
    tls = OneTable(TlsTable(), "Certificates, see `[backends.tls]`", default=None, unset="public authorities")
    oauth = OneTable(
        OAuthTable(), "OAuth2 client credentials, see `[backends.oauth]`", default=None, unset="no access token"
    )


class Backends(Tables):
    """The back ends. The table of a back end has the keys of its kind."""

    def table_of(self, value: object) -> Table:
        """The keys of a back end's kind. If the kind is unknown, the keys that all kinds have."""
        name = value.get("kind") if isinstance(value, dict) else None
        kind = kinds().get(name) if isinstance(name, str) else None
        return kind.table() if kind else self.table

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Any:
        if not isinstance(value, list):
            raise ValidationError(f"must be {self.kind} ({self.table.header}), not {shown(value)}.")
        found, wrong = [], {}
        for index, item in enumerate(value):
            try:
                found.append(self._one(item))
            except ValidationError as error:
                wrong[index] = error.messages
        if wrong:
            raise ValidationError(wrong)
        return tuple(found)

    def _one(self, item: Any) -> BackendConfig:
        kind = item.get("kind") if isinstance(item, dict) else None
        if isinstance(kind, str) and (fault := kind_fault(kind)):
            raise ValidationError({"kind": [f"{fault.removeprefix('kind ')}."]})
        found: BackendConfig = self.table_of(item).read(item)
        return found


class DestinationTable(Table):
    """A destination: which requests are sent to which back ends."""

    makes, header, noun = Destination, "[[destinations]]", "destination"

    department = Text('Code of a department; `""` for all', default="")
    service = Text('Code of a service; `""` for all', default="")
    area = Text('Name of an area of the city; `""` for all', default="")
    backends = Texts("Names of back ends; `[]` if the desk here is the back office", default=())


class BackendsTable(Table):
    """The file `backends.toml`."""

    header = "backends.toml"

    backends = Backends(BackendTable(), "The back ends, see below")
    destinations = Tables(DestinationTable(), "Which requests are sent to which back ends, see below")


BACKENDS = BackendsTable()
