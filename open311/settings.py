"""The settings of the server: their names, defaults, bounds and meanings. The values come from the environment."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from environs import Env, EnvError, FileAwareEnv

from open311.errors import Misconfigured
from open311.outgoing import LOOPBACK, SmtpServer, key_of, proxy_of, read_mailbox

PREFIX = "OPEN311_"
OTHERS = frozenset({"OPEN311_PARENT_PIPE", "OPEN311_CONFORMANCE_KEY"})
"""Variables with our prefix that are no settings.

`open311 run` sets OPEN311_PARENT_PIPE for its children. `open311 conformance` reads OPEN311_CONFORMANCE_KEY.
"""
NO_DATABASE = "DATABASE_URL: is not set; it must look like postgresql://user:password@host/name."
MOST_PORT = 65_535
MOST_SERVING = 1_000
"""The greatest number of web processes, and of threads in each. A machine cannot start very many."""
_PORT = 5432
"""PostgreSQL's port, if an address with several hosts names none."""
_HOST = r"https?://[\w.-]+(?::\d+)?"
_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{2,62}(/[\w-][\w.-]*)*/?", re.ASCII)
_RATE = re.compile(
    r"\s*\d{1,9}\s*(/|per)\s*\d{0,9}\s*(second|minute|hour|day|month|year)s?\s*", re.ASCII | re.IGNORECASE
)
_BETWEEN_RATES = re.compile("[,;|]")
RATE_STORAGES = ("memory", "redis", "rediss", "redis+unix", "redis+cluster", "redis+sentinel")


def _setting(
    default: Any, meaning: str, *, read: Callable[[Env, str, Any], Any], env: str = "", is_secret: bool = False
) -> Any:
    return field(default=default, metadata={"meaning": meaning, "read": read, "env": env, "is_secret": is_secret})


def _text(
    default: str,
    meaning: str,
    *,
    env: str = "",
    choices: tuple[str, ...] = (),
    keeps_blank: bool = False,
    is_secret: bool = False,
) -> Any:
    """A text setting. A blank variable means the default or, with `keeps_blank`, the empty text.

    is_secret  whether the value is never shown
    """

    def read(source: Env, name: str, fallback: str) -> str:
        value = source.str(name, fallback).strip()
        value = value if value or keeps_blank else fallback
        if choices and value not in choices:
            raise EnvError(f"must be one of {', '.join(choices)}, not {value!r}")
        return value

    return _setting(default, meaning, read=read, env=env, is_secret=is_secret)


def _flag(default: bool, meaning: str) -> Any:
    def read(source: Env, name: str, fallback: bool) -> bool:
        text = source.str(name, "").strip()
        try:
            return source.bool(name) if text else fallback
        except EnvError:
            raise EnvError(f"must be true or false, not {text!r}") from None

    return _setting(default, meaning, read=read)


def _number(default: int, meaning: str, *, least: int = 0, most: int = 2**31 - 1) -> Any:
    def read(source: Env, name: str, fallback: int) -> int:
        text = source.str(name, "").strip() or str(fallback)
        if not re.fullmatch(r"-?\d{1,100}", text, re.ASCII):
            raise EnvError(f"must be a whole number, not {text!r}")
        if int(text) < least:
            raise EnvError(f"must be at least {least}, not {text}")
        if int(text) > most:
            raise EnvError(f"must be at most {most}, not {text}")
        return int(text)

    return _setting(default, meaning, read=read)


def _list(meaning: str) -> Any:
    def read(source: Env, name: str, _: Any) -> tuple[str, ...]:
        return tuple(item.strip() for item in source.str(name, "").split(",") if item.strip())

    return _setting((), meaning, read=read)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of the server. `open311 settings` prints this table with the current values."""

    database_url: str = _text(
        "",
        "address of the PostGIS database; if empty, `open311 run` uses a private cluster, and other commands have"
        " none",
        env="DATABASE_URL",
    )
    replica_url: str = _text(
        "",
        "address of a streaming replica of the database, which then answers public reads; if empty, none",
        is_secret=True,
    )
    replica_lag_s: int = _number(
        10, "how far behind the replica may be, in seconds; beyond that, the primary answers", least=1, most=3_600
    )
    direct_database_url: str = _text(
        "",
        "address of the same database past the pooler that DATABASE_URL names, for worker and commands; if empty,"
        " there is no pooler",
        is_secret=True,
    )
    data_dir: str = _text("var", "folder for the private cluster and for the other files that the server stores")
    maps_dir: str = _text(
        "",
        "folder with maps that replace those of cities, such as JURISDICTION_ID/areas.geojson; if empty, none",
    )
    backends_dir: str = _text(
        "",
        "folder with back ends that replace those of cities, in files such as JURISDICTION_ID.toml; if empty, none",
    )
    jurisdictions: tuple[str, ...] = _list("cities to serve: names, ids or folders; if empty, all installed cities")
    host: str = _text("127.0.0.1", "network address that `open311 serve` listens on")
    port: int = _number(3111, "TCP port that `open311 serve` listens on", least=1, most=MOST_PORT)
    workers: int = _number(
        2, "number of web processes; best equal to the number of CPU cores", least=1, most=MOST_SERVING
    )
    threads: int = _number(2, "number of threads in each web process", least=1, most=MOST_SERVING)
    connections: int = _number(
        512,
        "number of client connections that each web process keeps open; beyond it, connections without a call are"
        " closed, or new ones wait",
        least=1,
    )
    connections_per_address: int = _number(
        128,
        "largest number of connections from one address to each web process; 0 means no limit; if the server trusts"
        " proxies, the setting has no effect",
    )
    header_timeout_s: int = _number(
        10, "longest time for the headers of a call, in seconds; a slower call gets 408", least=1
    )
    body_timeout_s: int = _number(
        15, "period in which a body must have least_bytes_per_s, in seconds; a slower call gets 408", least=1
    )
    reader_timeout_s: int = _number(
        30, "period in which a client must read least_bytes_per_s of an answer, in seconds", least=1
    )
    least_bytes_per_s: int = _number(
        200, "lowest speed at which clients may send a body or read an answer, in bytes per second", least=1
    )
    keepalive_s: int = _number(
        75, "longest time that a connection may stay open without a call, in seconds", least=1
    )
    drain_s: int = _number(
        0,
        "for several web hosts behind a load balancer: how many seconds after SIGTERM `open311 serve` still takes"
        " calls, while /readyz answers 503; with it, the server also refuses connections until it can serve",
        most=600,
    )
    thread_wait_s: int = _number(
        10, "longest time that a call waits for a free thread, in seconds; then the call gets 503", least=1
    )
    public_url: str = _text(
        "", "public address of the server, without a path; if empty, it is taken from each call"
    )
    trusted_proxies: int = _number(
        0, "number of proxies in front of the server whose X-Forwarded headers are trusted"
    )
    contact: str = _text(
        "See the landing page of this server.", "text in discovery that says how to reach the operator"
    )
    key_service: str = _text(
        "Ask the operator of this server for an api_key.", "text in discovery that says how to get an api_key"
    )
    endpoint_type: Literal["production", "test"] = _text(
        "production", "type of this endpoint in discovery: production or test", choices=("production", "test")
    )
    other_endpoint: str = _text(
        "",
        "base address of the city's other server, such as https://test.city.example/open311/v2; discovery lists it"
        " beside this endpoint, as the test endpoint or, if this is the test endpoint, as the production endpoint",
    )
    update_errors_400: bool = _flag(
        False, "answer 400 instead of 403 and 404 to a POST of servicerequestupdates, as FixMyStreet does"
    )
    max_body_bytes: int = _number(
        1_048_576, "largest body of a POST without its files, in bytes; a larger body gets 413", least=1
    )
    max_upload_bytes: int = _number(
        20_971_520, "largest body of a POST with its files, in bytes; a larger one gets 413", least=1
    )
    media: str = _text(
        "",
        "where photos are kept: a folder, or s3://BUCKET/PREFIX with the extra `s3` and the usual variables AWS_…;"
        " if empty, the folder media in data_dir",
    )
    media_endpoint: str = _text(
        "", "address of the S3 service, such as https://s3.city.example; if empty, that of Amazon"
    )
    max_photos: int = _number(5, "largest number of photos of one POST; further photos are dropped")
    max_photo_bytes: int = _number(
        15_728_640, "largest photo, in bytes; a larger one is dropped; see also max_upload_bytes", least=1
    )
    max_photo_pixels: int = _number(
        120_000_000, "largest number of pixels of a photo, width times height; a larger one is dropped", least=1
    )
    photo_cpu_s: int = _number(
        10, "longest CPU time of the process that decodes one photo, in seconds", least=1, most=600
    )
    photo_memory_bytes: int = _number(
        536_870_912,
        "largest address space of the process that decodes one photo, in bytes",
        least=134_217_728,
        most=2**40,
    )
    photo_original_days: int = _number(
        0, "days for which staff can get a photo as it was sent, with its metadata; 0 means not at all", most=3_650
    )
    photo_unblackened_days: int = _number(
        30, "days for which dispatchers can get a photo as it was before parts of it were blackened", most=3_650
    )
    post_rate: str = _text(
        "300 per minute", "largest rate of POSTs from one client address; if empty, no limit", keeps_blank=True
    )
    get_rate: str = _text(
        "", "largest rate of reads from one client address, such as 600 per minute; if empty, no limit"
    )
    key_rate: str = _text(
        "",
        "largest rate of calls that need a key, for one api_key or one account of staff; if empty, no limit",
    )
    device_rate: str = _text(
        "", "largest rate of reports with one device_id, beside that of addresses; if empty, no limit"
    )
    sensor_rate: str = _text(
        "60 per minute",
        "largest rate of observations of one thing, beside that of addresses; if empty, no limit",
        keeps_blank=True,
    )
    portal_rate: str = _text(
        "30 per hour",
        "largest rate of reports by the pages for citizens from one client address; if empty, no limit",
        keeps_blank=True,
    )
    sign_in_rate: str = _text(
        "20 per hour",
        "largest rate of failed sign-ins of staff from one client address; if empty, no limit",
        keeps_blank=True,
    )
    desk_idle_min: int = _number(
        120, "after how many minutes without use a session of the pages for staff ends", least=5, most=10_080
    )
    desk_session_h: int = _number(
        12, "after how many hours a session of the pages for staff ends in any case", least=1, most=720
    )
    oidc_issuer: str = _text(
        "",
        "OpenID Connect provider by which staff sign in, such as https://login.city.example; write it exactly as"
        " the provider's own document does; if empty, staff sign in only with login links",
    )
    oidc_client_id: str = _text("", "name of this server at the provider; needed if oidc_issuer is set")
    oidc_client_secret: str = _text(
        "", "secret of this server at the provider; if empty, this server is a public client", is_secret=True
    )
    oidc_claim: str = _text(
        "email",
        "claim of the provider with the name of the person's account; an email must be verified",
    )
    oidc_scope: str = _text("openid email", "what this server asks the provider for, such as openid profile")
    oidc_name: str = _text("", "name of the provider on the sign-in page, such as City Login; if empty, none")
    oidc_ca: str = _text(
        "", "file with the authorities of a provider with a private certificate; if empty, the public ones"
    )
    rate_storage: str = _text(
        "memory://", "store that counts calls for the rate limits: memory:// or a redis:// address"
    )
    created_status: int = _number(200, "HTTP status of a successful POST: 200 or 201 (A01)")
    span_policy: Literal["refuse", "clamp", "allow"] = _text(
        "refuse",
        "what to do with a date range over 90 days: refuse, clamp or allow (A25)",
        choices=("refuse", "clamp", "allow"),
    )
    unknown_service_is_404: bool = _flag(
        False, "whether an unknown service_code in a filter gets 404; if false, it matches no request (A22)"
    )
    ignore_wrong_jurisdiction: bool = _flag(
        False, "whether a server with one city ignores a wrong jurisdiction_id; if false, it gets 404 (A58)"
    )
    hub: bool = _flag(
        False, "whether a server with several cities finds the city by the point of a call that names none (A58)"
    )
    refuse_unknown_attributes: bool = _flag(
        False, "whether an attribute that the service does not have gets 400; if false, the city decides (A09)"
    )
    accept_value_names: bool = _flag(
        False, "whether the answer to a list may be a value's name instead of its key (A08)"
    )
    check_email: bool = _flag(False, "whether a malformed email address gets 400 (A16)")
    jsonp: bool = _flag(False, "whether the parameter `callback` wraps JSON answers in a function call (A67)")
    compress: bool = _flag(
        True, "whether answers are compressed (zstd or gzip) if the client accepts it; false if a proxy does it"
    )
    licence: str = _text("", "address of the licence of the public data, such as CC0; if empty, none is shown")
    attribution: str = _text(
        "", "name that users of the public data must state as its source; if empty, the city's name"
    )
    map_background: str = _text(
        "",
        "background of the map page: raster tiles with {z}, {x} and {y}, or a style of MapLibre; if empty, none,"
        " and pages load nothing from other hosts",
    )
    map_attribution: str = _text(
        "", "source of the background, such as © OpenStreetMap contributors; needed if map_background is set"
    )
    map_hosts: tuple[str, ...] = _list("more hosts that the style loads from, such as https://fonts.city.example")
    dump_days: int = _number(
        7, "number of daily dumps to keep under data_dir; 0 means that none are made", most=3_650
    )
    bulk_streams: int = _number(
        1, "number of parallel bulk downloads in each web process; each uses one database connection", least=1
    )
    statement_timeout_ms: int = _number(
        15_000, "longest time of a database statement in a web request, in milliseconds; 0 means no limit"
    )
    prepare_statements: bool = _flag(
        True, "whether statements are prepared; false behind a proxy that pools transactions"
    )
    pool_size: int = _number(4, "number of pooled database connections in each web process", least=1)
    smtp_url: str = _text(
        "",
        "mail server, such as smtp://user:password@mail.city.example:587 or smtps://…; STARTTLS is required unless"
        " ?starttls=optional; also &timeout=30 (seconds) and &ca=FILE; if empty, no mail is sent",
        is_secret=True,
    )
    mail_from: str = _text(
        "", "sender of mail, such as City of Example <desk@city.example>; needed if smtp_url is set"
    )
    bounce_mail: str = _text(
        "",
        "mail address to which undeliverable mail to people comes back, such as bounces@city.example;"
        " the server adds +ID to its name; `open311 mail bounce` reads such mail; if empty, that is mail_from",
    )
    operator_mail: str = _text(
        "",
        "mail address that gets notices about trouble with back offices, mail, text messages and webhooks, such as"
        " ops@city.example; if empty, none",
    )
    operator_webhook: str = _text(
        "", "address that gets a webhook about the same trouble as operator_mail; if empty, none", is_secret=True
    )
    operator_webhook_secret: str = _text(
        "",
        "secret that signs operator_webhook, whsec_… as in Standard Webhooks; write several with commas between"
        " them",
        is_secret=True,
    )
    sms_url: str = _text(
        "",
        "gateway for text messages to reporters, such as https://sms.city.example/send; if empty, none are sent",
        is_secret=True,
    )
    sms_secret: str = _text(
        "",
        "secret of the gateway; for the kind webhook it signs calls in both directions, whsec_… as in Standard"
        " Webhooks; write several with commas between them",
        is_secret=True,
    )
    sms_private: bool = _flag(False, "whether the gateway may have a private address and no TLS")
    sms_timeout_s: int = _number(
        10, "longest time that the gateway may take to answer, in seconds", least=1, most=60
    )
    back_office_down_after_s: int = _number(
        900, "after how many seconds the operator is told that a back office is down", least=60, most=604_800
    )
    webhook_hosts: tuple[str, ...] = _list(
        "receivers of subscriptions that may have private addresses and no TLS, such as hooks.city.internal:8080;"
        " if empty, none"
    )
    webhooks_per_key: int = _number(100, "largest number of subscriptions of one api_key; 0 means none")
    webhook_timeout_s: int = _number(
        10, "longest time that a receiver of a subscription may take to answer, in seconds", least=1, most=60
    )
    webhook_days: int = _number(10, "after how many days of failures a subscription is disabled", least=1, most=90)
    webhook_threads: int = _number(
        8, "number of receivers of subscriptions to which a worker sends at the same time", least=1, most=100
    )
    proxy: str = _text(
        "",
        "HTTP proxy of outgoing calls, such as http://user:password@proxy.city.example:3128; it must refuse private"
        " addresses; if empty, none; the usual variables of proxies have no effect",
    )
    metrics_token: str = _text(
        "", "secret that Prometheus sends to /metrics as a bearer token; if empty, no metrics", is_secret=True
    )
    log_level: str = _text(
        "info",
        "lowest level that is logged: debug, info, warning or error",
        choices=("debug", "info", "warning", "error"),
    )

    @classmethod
    def from_environ(cls) -> Settings:
        """Read all settings from the environment.

        Raises Misconfigured. The error names every variable that cannot be read. If all can be read, it names the
        first variable that breaks a rule of `check`.
        A value can also be read from a file: DATABASE_URL_FILE=/run/secrets/database-url.
        """
        source = FileAwareEnv(strip_whitespace=True)
        values: dict[str, Any] = {}
        wrong: list[str] = []
        for row in fields(cls):
            name = variable(row)
            try:
                values[row.name] = row.metadata["read"](source, name, default(row))
            except (EnvError, ValueError) as error:
                wrong.append(f"{name}: {error}")
        if wrong:
            raise Misconfigured("; ".join(wrong))
        settings = cls(**values)
        settings.check()
        return settings

    def check(self) -> None:
        """Check the rules that the type of a setting cannot express. Raises Misconfigured."""
        if self.created_status not in (200, 201):
            raise Misconfigured("OPEN311_CREATED_STATUS: must be 200 or 201.")
        rates = {
            "POST": self.post_rate,
            "GET": self.get_rate,
            "KEY": self.key_rate,
            "DEVICE": self.device_rate,
            "SENSOR": self.sensor_rate,
            "PORTAL": self.portal_rate,
            "SIGN_IN": self.sign_in_rate,
        }
        for name, rate in ((f"OPEN311_{kind}_RATE", rate) for kind, rate in rates.items()):
            if not is_rate(rate):
                raise Misconfigured(f"{name}: must look like 300 per minute, not {rate!r}.")
        self._check_rate_storage()
        for name, url in (
            ("DATABASE_URL", self.database_url),
            ("OPEN311_REPLICA_URL", self.replica_url),
            ("OPEN311_DIRECT_DATABASE_URL", self.direct_database_url),
        ):
            if url:
                _check_database_url(name, url)
        if self.replica_url and not self.database_url:
            raise Misconfigured("DATABASE_URL: must be set, because OPEN311_REPLICA_URL is set.")
        if "," in urlsplit(self.replica_url).netloc or "target_session_attrs" in self.replica_url:
            raise Misconfigured(
                "OPEN311_REPLICA_URL: must name one server, without target_session_attrs;"
                " the server itself finds out which of the two takes writes."
            )
        if self.direct_database_url and self.direct_database_url == self.database_url:
            raise Misconfigured(
                "OPEN311_DIRECT_DATABASE_URL: is the same as DATABASE_URL; without a pooler, leave it unset."
            )
        if self.direct_database_url and not self.database_url:
            raise Misconfigured("DATABASE_URL: must be set, because OPEN311_DIRECT_DATABASE_URL is set.")
        if self.licence and not re.fullmatch(r"https?://[!-;=?-~]+", self.licence):
            raise Misconfigured("OPEN311_LICENCE: must be an address, such as that of a Creative Commons licence.")
        if self.other_endpoint and not re.fullmatch(r"https?://[!-;=?-~]+[^/]", self.other_endpoint):
            raise Misconfigured(
                "OPEN311_OTHER_ENDPOINT: must look like https://test.city.example/open311/v2,"
                " without a slash at the end."
            )
        self._check_outgoing()
        self._check_media()
        self._check_map()
        self._check_oidc()
        if self.public_url:
            parts = urlsplit(self.public_url)
            if parts.scheme not in ("http", "https") or not parts.netloc or parts.path not in ("", "/"):
                raise Misconfigured("OPEN311_PUBLIC_URL: must look like https://311.city.example, without a path.")

    def _check_outgoing(self) -> None:
        """Check what outgoing traffic needs. No error quotes a value, because some hold a password."""
        checks: dict[str, Callable[[str], object]] = {
            "smtp_url": SmtpServer.from_url,
            "mail_from": read_mailbox,
            "bounce_mail": read_mailbox,
            "operator_mail": read_mailbox,
            "operator_webhook": _check_webhook,
            "sms_url": _check_webhook,
            "proxy": proxy_of,
        }
        for name, check in checks.items():
            if getattr(self, name):
                _check(name, check, getattr(self, name))
        for secret in self.operator_webhook_secrets:
            _check("operator_webhook_secret", key_of, secret)
        needs = (
            ("smtp_url", "mail_from", self.mail_from),
            ("operator_mail", "smtp_url", self.smtp_url),
            ("bounce_mail", "smtp_url", self.smtp_url),
            ("operator_webhook", "operator_webhook_secret", self.operator_webhook_secrets),
        )
        for name, other, value in needs:
            if getattr(self, name) and not value:
                raise Misconfigured(f"{PREFIX}{other.upper()}: must be set, because {PREFIX}{name.upper()} is set.")

    def _check_oidc(self) -> None:
        """Check how staff sign in by OpenID Connect. Codes and secrets may not be sent in plain text."""
        if not self.oidc_issuer:
            return
        if not _is_private(self.oidc_issuer):
            raise Misconfigured("OPEN311_OIDC_ISSUER: must look like https://login.city.example, without a query.")
        if not self.oidc_client_id:
            raise Misconfigured("OPEN311_OIDC_CLIENT_ID: must be set, because OPEN311_OIDC_ISSUER is set.")
        if "openid" not in self.oidc_scope.split():
            raise Misconfigured("OPEN311_OIDC_SCOPE: must have the word openid.")

    def _check_map(self) -> None:
        """Check the background of the map. Its hosts are written into a header, so only plain hosts are valid."""
        address = self.map_background
        if address and not re.fullmatch(rf"(?:{_HOST})?/(?!/)[!#-&(-+\--:<-~]*", address, re.ASCII):
            raise Misconfigured(
                "OPEN311_MAP_BACKGROUND: must look like https://tiles.city.example/{z}/{x}/{y}.png"
                " or https://tiles.city.example/style.json, or begin with the / of a path on this server."
            )
        named = {name for name in "zxy" if f"{{{name}}}" in address}
        if re.search(r"\{(?![zxy]\})", address) or named not in (set(), set("zxy")):
            raise Misconfigured("OPEN311_MAP_BACKGROUND: must have {z}, {x} and {y}, and nothing else in braces.")
        if address and not self.map_attribution:
            raise Misconfigured("OPEN311_MAP_ATTRIBUTION: must be set, because OPEN311_MAP_BACKGROUND is set.")
        if not all(re.fullmatch(_HOST, host, re.ASCII) for host in self.map_hosts):
            raise Misconfigured("OPEN311_MAP_HOSTS: must look like https://fonts.city.example, without a path.")

    def _check_rate_storage(self) -> None:
        """Check the address of the store of the rate limits. No error quotes it, because it may have a password."""
        kind, _, rest = self.rate_storage.partition("://")
        if kind not in RATE_STORAGES:
            raise Misconfigured("OPEN311_RATE_STORAGE: must be memory:// or a redis:// address.")
        if kind != "memory" and find_spec("redis") is None:
            raise Misconfigured("OPEN311_RATE_STORAGE: needs the extra `redis`; install open311-server[redis].")
        try:
            has_host = kind not in ("redis", "rediss") or (urlsplit(f"//{rest}").port != 0 and bool(rest))
        except ValueError:  # the port is not a number
            has_host = False
        if not has_host:
            raise Misconfigured("OPEN311_RATE_STORAGE: must look like redis://redis.city.example:6379.")

    def _check_media(self) -> None:
        if "://" in self.media and not _BUCKET.fullmatch(self.media):
            raise Misconfigured("OPEN311_MEDIA: must be a folder, or look like s3://bucket/prefix.")
        if self.media_bucket and find_spec("boto3") is None:
            raise Misconfigured("OPEN311_MEDIA: s3:// needs the extra `s3`; install open311-server[s3].")
        if self.media_endpoint and not re.fullmatch(r"https?://[\w.:\[\]-]+/?", self.media_endpoint, re.ASCII):
            raise Misconfigured("OPEN311_MEDIA_ENDPOINT: must look like https://s3.city.example, without a path.")
        if self.media_endpoint and self.media_bucket is None:
            raise Misconfigured("OPEN311_MEDIA: must look like s3://bucket, because OPEN311_MEDIA_ENDPOINT is set.")

    @property
    def operator_webhook_secrets(self) -> tuple[str, ...]:
        """The secrets of the operator's webhook; several while one is rotated."""
        return tuple(each.strip() for each in self.operator_webhook_secret.split(",") if each.strip())

    @property
    def requires_https(self) -> bool:
        """Whether calls over plain HTTP are refused or redirected, because the public address is https."""
        return self.public_url.startswith("https://")

    @property
    def sqlalchemy_url(self) -> str:
        """`database_url` for psycopg2; SQLAlchemy 2.1 would read a bare postgresql:// as psycopg 3.

        If the address names several hosts, connections go to the one that takes writes, unless the address says
        otherwise.
        """
        return _with_driver(_with_hosts(self.database_url), "postgresql+psycopg2")

    @property
    def sqlalchemy_replica_url(self) -> str:
        """`replica_url` for psycopg2; "" if there is no replica."""
        return _with_driver(self.replica_url, "postgresql+psycopg2")

    @property
    def past_pooler(self) -> Settings:
        """The settings for all that cannot use a transaction pooler: worker, migrations, imports, commands."""
        if not self.direct_database_url:
            return self
        return replace(self, database_url=self.direct_database_url, direct_database_url="")

    @property
    def data_path(self) -> Path:
        """`data_dir` as an absolute path."""
        return Path(self.data_dir).absolute()

    @property
    def media_path(self) -> Path:
        """The folder of photos as an absolute path, unless they are in a bucket."""
        return Path(self.media).absolute() if self.media else self.data_path / "media"

    @property
    def media_bucket(self) -> tuple[str, str] | None:
        """The bucket of photos and the prefix of their keys; None if they are in a folder."""
        if not self.media.startswith("s3://"):
            return None
        bucket, _, prefix = self.media.removeprefix("s3://").partition("/")
        return bucket, prefix.strip("/")

    @property
    def maps_path(self) -> Path | None:
        """`maps_dir` as an absolute path; None if it is not set."""
        return Path(self.maps_dir).absolute() if self.maps_dir else None

    @property
    def backends_path(self) -> Path | None:
        """`backends_dir` as an absolute path; None if it is not set."""
        return Path(self.backends_dir).absolute() if self.backends_dir else None


def unknown_settings(environment: Mapping[str, str]) -> list[str]:
    """A sentence for each variable that looks like a setting and is none, with the setting that was probably meant.

    They are no error, because an older release must start with the variables of a newer one.
    """
    known = {variable(row) for row in fields(Settings)}
    ours = sorted(name for name in environment if name.startswith(PREFIX))
    strange = [name for name in ours if name.removesuffix("_FILE") not in known | OTHERS]
    found = []
    for name in strange:
        near = get_close_matches(name, known, n=1, cutoff=0.8)
        meant = f"did you mean {near[0]}?" if near else "`open311 settings` lists all."
        found.append(f"{name}: there is no such setting; {meant}")
    return found


def variable(row: Field[Any]) -> str:
    """The environment variable of a setting."""
    return cast("str", row.metadata["env"]) or PREFIX + row.name.upper()


def default(row: Field[Any]) -> Any:
    """A setting's default."""
    return None if row.default is MISSING else row.default


def _check(name: str, check: Callable[[str], object], text: str) -> None:
    try:
        check(text)
    except ValueError as error:
        raise Misconfigured(f"{PREFIX}{name.upper()}: {error}.") from None


def _check_webhook(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_readable = parts.port != 0 and bool(parts.hostname) and parts.username is None
    except ValueError:  # the port is not a number
        is_readable = False
    if not is_readable or not re.fullmatch(r"https?://[!-~]+", url):
        raise ValueError("must look like https://ops.city.example/hooks/open311, without a user")


def _is_private(url: str) -> bool:
    """Whether an address is https, or http on the loopback, and has no user, query or fragment."""
    try:
        parts = urlsplit(url)
        is_readable = parts.port != 0 and bool(parts.hostname) and parts.username is None and not parts.query
    except ValueError:  # the port is not a number
        return False
    is_encrypted = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    return is_readable and is_encrypted and re.fullmatch(r"[!-~]+", url) is not None and not parts.fragment


def is_rate(text: str) -> bool:
    """Whether the library `limits` can read this rate.

    The library is not imported here: it imports asyncio and others, and the process that starts web processes would
    need 3 MB more.
    """
    return not text or all(_RATE.fullmatch(one) for one in _BETWEEN_RATES.split(text))


def _check_database_url(name: str, url: str) -> None:
    """Check the URL in a variable. The error does not quote the URL, because it holds a password."""
    try:
        parts = urlsplit(_with_hosts(url))
        is_readable = parts.scheme.split("+")[0] in ("postgres", "postgresql") and parts.port != 0
    except ValueError:  # a port is not a number
        is_readable = False
    if not is_readable:
        raise Misconfigured(f"{name}: must look like postgresql://user:password@host/name.")


def _with_hosts(url: str) -> str:
    """The URL with several hosts in the query, where SQLAlchemy and libpq understand them.

    libpq also reads postgresql://user:password@one:5432,two:5432/name, but SQLAlchemy does not.
    Raises ValueError if a port is not a number.
    """
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    if "," not in hosts:
        return url
    places = [urlsplit(f"//{host}") for host in hosts.split(",")]
    named = {
        "host": ",".join(place.hostname or "" for place in places),
        "port": ",".join(str(place.port or _PORT) for place in places),
    }
    query = {"target_session_attrs": "read-write"} | dict(parse_qsl(parts.query)) | named
    return parts._replace(netloc=user + at, query=urlencode(query)).geturl()


def _with_driver(url: str, driver: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{driver}://{rest}" if separator and scheme.split("+")[0] in ("postgres", "postgresql") else url
