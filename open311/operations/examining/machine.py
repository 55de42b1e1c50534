"""What the doctor checks without a database: settings, secrets, versions, disks, certificates."""

from __future__ import annotations

import os
import platform as python
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from packaging.requirements import Requirement

from open311.errors import Misconfigured
from open311.federation.certificates import UnusableCertificate, file_expiry, served_expiry
from open311.operations.examining.findings import Finding, Level, Trouble, fault, findings, warning
from open311.operations.mailing.rules import can_mail
from open311.outgoing import SmtpServer
from open311.plugins import Jurisdiction
from open311.plugins.backends import Secret
from open311.plugins.context import TlsFiles
from open311.settings import Settings, unknown_settings, variable

PACKAGE = "open311-server"
EXPIRES_SOON = timedelta(days=14)
"""A certificate that expires within this time gets a warning. The usual clients of Let's Encrypt renew a
certificate thirty days before it expires, so fourteen days before it expires, renewing has failed for two weeks."""
ALL_USERS = stat.S_IROTH | stat.S_IWOTH
_LIST = "open311 settings"


@dataclass(frozen=True, slots=True)
class Room:
    """How much free space a disk should have."""

    bytes: int = 1 << 30
    inodes: int = 10_000


def check_settings(environment: Mapping[str, str], settings: Settings | None, wrong: str) -> Iterator[Finding]:
    """Settings that are unknown, cannot be read, or contradict each other.

    settings  None if they cannot be read; `wrong` says why
    """
    return findings(
        "settings", "all are known, and none contradicts another", _settings(environment, settings, wrong)
    )


def _settings(environment: Mapping[str, str], settings: Settings | None, wrong: str) -> Iterator[Trouble]:
    for line in unknown_settings(environment):
        yield warning(line, _LIST)
    for row in fields(Settings):
        name = variable(row)
        if environment.get(name, "").strip() and environment.get(f"{name}_FILE", "").strip():
            yield warning(f"{name} and {name}_FILE are both set, and only one of them is used", f"unset {name}")
    if settings is None:
        yield fault(wrong.removesuffix("."), _LIST)
    else:
        yield from _contradictions(settings)


def _contradictions(settings: Settings) -> Iterator[Trouble]:
    if settings.requires_https and not settings.trusted_proxies:
        yield fault(
            "OPEN311_PUBLIC_URL is https, but OPEN311_TRUSTED_PROXIES is 0, so each call looks like plain HTTP",
            "export OPEN311_TRUSTED_PROXIES=1",
        )
    if settings.max_photo_bytes > settings.max_upload_bytes:
        yield warning(
            "OPEN311_MAX_PHOTO_BYTES is above OPEN311_MAX_UPLOAD_BYTES, so a call with a photo that large gets 413",
            f"export OPEN311_MAX_UPLOAD_BYTES={settings.max_photo_bytes + settings.max_body_bytes}",
        )
    if settings.desk_idle_min > 60 * settings.desk_session_h:
        yield warning(
            "OPEN311_DESK_IDLE_MIN is longer than OPEN311_DESK_SESSION_H, so it has no effect",
            f"export OPEN311_DESK_IDLE_MIN={60 * settings.desk_session_h}",
        )
    if settings.smtp_url and not can_mail(settings):
        yield warning(
            "OPEN311_SMTP_URL is set, but people get no mail, because OPEN311_PUBLIC_URL is not set",
            "export OPEN311_PUBLIC_URL=https://311.city.example",
        )
    for name, other in (
        ("mail_from", "smtp_url"),
        ("operator_webhook_secret", "operator_webhook"),
        ("sms_secret", "sms_url"),
        ("oidc_client_id", "oidc_issuer"),
        ("oidc_client_secret", "oidc_issuer"),
        ("oidc_ca", "oidc_issuer"),
        ("map_attribution", "map_background"),
    ):
        if getattr(settings, name) and not getattr(settings, other):
            unused = f"OPEN311_{name.upper()}"
            yield warning(f"{unused} has no effect, because OPEN311_{other.upper()} is not set", f"unset {unused}")


def check_secrets(
    environment: Mapping[str, str], cities: Iterable[Jurisdiction], more: Mapping[str, Secret]
) -> Iterator[Finding]:
    """Secrets that are missing, and files with secrets that every user of this machine can read or change.

    more  secrets that no file of a city names, each with its owner
    """
    owned = dict(_secrets_of(cities)) | dict(more)
    return findings(
        "secrets", f"{len(owned)} of back ends and neighbours, and each can be read", _secrets(environment, owned)
    )


def _secrets_of(cities: Iterable[Jurisdiction]) -> Iterator[tuple[str, Secret]]:
    for city in cities:
        for config in city.backends:
            for name, value in _values(config):
                if isinstance(value, Secret) and value:
                    yield f"the {name} of {config.name} of {city.id}", value
                if isinstance(value, TlsFiles) and value.key:
                    yield f"the private key of {config.name} of {city.id}", Secret(file=value.key)


def _values(config: object) -> Iterator[tuple[str, object]]:
    """The values of a configuration and of the configurations in it, each with its name."""
    for row in fields(config):  # type: ignore[arg-type]  # each configuration is a dataclass
        value = getattr(config, row.name)
        yield row.name, value
        if hasattr(value, "__dataclass_fields__") and not isinstance(value, Secret):
            yield from _values(value)


def _secrets(environment: Mapping[str, str], owned: Mapping[str, Secret]) -> Iterator[Trouble]:
    for owner, secret in owned.items():
        try:
            secret.read()
        except Misconfigured:
            if secret.env:
                yield fault(f"{owner} is missing: {secret.env} is not set", f"export {secret.env}=…")
            else:
                what = f"{owner} is missing: {secret.file} is empty, or this user cannot read it"
                yield fault(what, f"ls -l {secret.file}")
    hidden = [row for row in fields(Settings) if row.metadata["is_secret"] or row.name == "database_url"]
    named = (environment.get(f"{variable(row)}_FILE", "").strip() for row in hidden)
    files = dict.fromkeys((*named, *(one.file for one in owned.values())))
    for file in filter(None, files):
        mode = _mode(Path(file))
        if mode is not None and mode & ALL_USERS:
            yield warning(
                f"{file} has a secret, and every user of this machine can read or change it", f"chmod o-rwx {file}"
            )


def _mode(file: Path) -> int | None:
    try:
        return file.stat().st_mode
    except OSError:  # the caller, or who reads the file, reports what is missing
        return None


def check_versions() -> Iterator[Finding]:
    """Packages that are missing, or of a release with which this server does not work."""
    return findings(
        "packages", f"all have the right releases; this is Python {python.python_version()}", _packages()
    )


def _packages() -> Iterator[Trouble]:
    try:
        wanted = [Requirement(line) for line in requires(PACKAGE) or ()]
    except PackageNotFoundError:
        yield warning(
            f"{PACKAGE} is not installed as a package, so the packages that it needs are unknown", "pip install ."
        )
        return
    for one in wanted:
        is_extra = one.marker is not None and "extra" in str(one.marker)
        if one.marker is not None and not is_extra and not one.marker.evaluate():
            continue
        try:
            found = version(one.name)
        except PackageNotFoundError:
            if not is_extra:
                yield fault(f"{one.name} is not installed", _INSTALL)
            continue
        if not one.specifier.contains(found, prereleases=True):
            trouble = f"{one.name} is {found}, but this server needs {one.specifier}"
            yield warning(trouble, _INSTALL) if is_extra else fault(trouble, _INSTALL)


_INSTALL = "pip install --require-hashes -r .lock/server.txt"


def check_disks(settings: Settings, room: Room) -> Iterator[Finding]:
    """Folders that cannot be written, and disks that are nearly full."""
    folders = {"OPEN311_DATA_DIR": settings.data_path, "the dumps": settings.data_path / "dumps"}
    if settings.media_bucket is None:
        folders["OPEN311_MEDIA"] = settings.media_path
    return findings(
        "disks", f"enough room in {', '.join(folders)}", _disks(folders, settings.max_photo_bytes, room)
    )


def _disks(folders: Mapping[str, Path], photo_bytes: int, room: Room) -> Iterator[Trouble]:
    seen = set()
    for name, folder in folders.items():
        existing = next(one for one in (folder, *folder.parents) if _mode(one) is not None)
        if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
            yield fault(f"{name}: this user cannot write to {existing}", f"ls -ld {existing}")
            continue
        disk = existing.stat().st_dev
        if disk in seen:
            continue
        seen.add(disk)
        found = os.statvfs(existing)
        free = found.f_bavail * found.f_frsize
        if free < room.bytes:
            level = Level.FAULT if free < photo_bytes else Level.WARNING
            yield Trouble(level, f"{name}: only {free / 1e6:,.0f} MB are free in {existing}", f"df -h {existing}")
        if found.f_files and found.f_favail < room.inodes:  # some file systems have no fixed number of inodes
            left = f"{name}: only {found.f_favail:,} more files fit on the disk of {existing}"
            yield warning(left, f"df -i {existing}")


def check_certificates(settings: Settings, cities: Iterable[Jurisdiction], now: datetime) -> Iterator[Finding]:
    """Files of certificates that cannot be read, have expired or will expire soon."""
    files = dict(_certificates(settings, cities))
    return findings("certificates", f"{len(files)} files in order", _expiring(files, now))


def _certificates(settings: Settings, cities: Iterable[Jurisdiction]) -> Iterator[tuple[str, str]]:
    """Each file with what names it."""
    for variable_name, url in (
        ("OPEN311_DIRECT_DATABASE_URL", settings.direct_database_url),
        ("DATABASE_URL", settings.database_url),
    ):
        query = parse_qs(urlsplit(url).query)
        for name in ("sslrootcert", "sslcert"):
            for file in query.get(name, ()):
                if file != "system":
                    yield file, f"{name} in {variable_name}"
    if settings.oidc_ca and settings.oidc_issuer:
        yield settings.oidc_ca, "OPEN311_OIDC_CA"
    if settings.smtp_url and (file := SmtpServer.from_url(settings.smtp_url).ca):
        yield file, "ca in OPEN311_SMTP_URL"
    for city in cities:
        for config in city.backends:
            for _, value in _values(config):
                if isinstance(value, TlsFiles):
                    for name in ("ca", "cert"):
                        if file := getattr(value, name):
                            yield file, f"{name} of {config.name} of {city.id}"


def _expiring(files: Mapping[str, str], now: datetime) -> Iterator[Trouble]:
    for file, named_by in files.items():
        show = f"openssl x509 -noout -dates -in {file}"
        try:
            yield from _expiry(f"{file} ({named_by})", file_expiry(file), now, show)
        except UnusableCertificate as error:
            yield fault(f"{file} ({named_by}): {error}", f"ls -l {file}")


def _expiry(name: str, until: datetime, now: datetime, cure: str) -> Iterator[Trouble]:
    if until <= now:
        yield fault(f"{name} expired on {until:%Y-%m-%d}", cure)
    elif until - now < EXPIRES_SOON:
        yield warning(f"{name} expires on {until:%Y-%m-%d}", cure)


def check_address(settings: Settings, now: datetime) -> Iterator[Finding]:
    """The certificate that the public address serves. This connects to it."""
    return findings("public address", "its certificate is valid", _address(settings, now))


def _address(settings: Settings, now: datetime) -> Iterator[Trouble]:
    if not settings.requires_https:
        yield warning(
            "OPEN311_PUBLIC_URL is not https, so it has no certificate",
            "export OPEN311_PUBLIC_URL=https://311.city.example",
        )
        return
    parts = urlsplit(settings.public_url)
    host, port = parts.hostname or "", parts.port or 443
    show = f"openssl s_client -connect {host}:{port} -servername {host}"
    try:
        yield from _expiry(f"the certificate of {host}", served_expiry(host, port), now, show)
    except UnusableCertificate as error:
        yield fault(f"{host}:{port}: {error}", show)
