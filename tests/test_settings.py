from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits import parse_many
from psycopg2.extensions import parse_dsn

from open311.errors import Misconfigured
from open311.settings import Settings, default, is_rate, variable
from open311.storage.engine import libpq_dsn

NAMES = [variable(row) for row in fields(Settings)]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset all our variables, so that the developer's environment has no effect."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)


def test_without_variables_the_settings_are_the_defaults() -> None:
    assert Settings.from_environ() == Settings()


def test_every_setting_has_a_description() -> None:
    for row in fields(Settings):
        meaning = row.metadata["meaning"]
        assert len(meaning) > 15, row.name
        assert not meaning.endswith("."), (
            f"{row.name}: the meaning is a table cell, and must not end with a full stop"
        )


def test_every_variable_but_database_url_begins_with_open311() -> None:
    assert [name for name in NAMES if not name.startswith("OPEN311_")] == ["DATABASE_URL"]


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("OPEN311_PORT", "8080", "port", 8080),
        ("OPEN311_PORT", " 8080 ", "port", 8080),
        ("OPEN311_JSONP", "yes", "jsonp", True),
        ("OPEN311_JSONP", "0", "jsonp", False),
        ("OPEN311_JURISDICTIONS", "demo, cityofchicago.org,,", "jurisdictions", ("demo", "cityofchicago.org")),
        ("OPEN311_SPAN_POLICY", "clamp", "span_policy", "clamp"),
        ("OPEN311_POST_RATE", "10 per minute; 100 per day", "post_rate", "10 per minute; 100 per day"),
        ("OPEN311_POST_RATE", "", "post_rate", ""),
        ("OPEN311_CREATED_STATUS", "201", "created_status", 201),
        ("OPEN311_PUBLIC_URL", "https://311.city.example", "public_url", "https://311.city.example"),
        ("OPEN311_RATE_STORAGE", "redis://cache:6379/0", "rate_storage", "redis://cache:6379/0"),
        ("DATABASE_URL", "postgres://u:p@h/d", "database_url", "postgres://u:p@h/d"),
    ],
)
def test_each_variable_is_parsed_to_its_type(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, field: str, value: object
) -> None:
    monkeypatch.setenv(name, text)
    assert getattr(Settings.from_environ(), field) == value


@pytest.mark.parametrize("row", fields(Settings), ids=lambda row: row.name)
def test_a_blank_variable_is_no_error(monkeypatch: pytest.MonkeyPatch, row: object) -> None:
    """Compose files and unit files set a variable without a value to the empty string."""
    monkeypatch.setenv(variable(row), "")  # type: ignore[arg-type]
    value = getattr(Settings.from_environ(), row.name)  # type: ignore[attr-defined]
    assert value in ("", (), default(row))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("OPEN311_PORT", "eighty", "OPEN311_PORT: must be a whole number, not 'eighty'"),
        ("OPEN311_PORT", "9" * 30, f"OPEN311_PORT: must be at most 65535, not {'9' * 30}"),
        ("OPEN311_WORKERS", "100000", "OPEN311_WORKERS: must be at most 1000, not 100000"),
        ("OPEN311_THREADS", "100000", "OPEN311_THREADS: must be at most 1000, not 100000"),
        ("OPEN311_PORT", "0", "OPEN311_PORT: must be at least 1, not 0"),
        ("OPEN311_PORT", "65536", "OPEN311_PORT: must be at most 65535, not 65536"),
        ("OPEN311_JSONP", "maybe", "OPEN311_JSONP: must be true or false, not 'maybe'"),
        ("OPEN311_SPAN_POLICY", "cut", "OPEN311_SPAN_POLICY: must be one of refuse, clamp, allow, not 'cut'"),
        ("OPEN311_CREATED_STATUS", "204", "OPEN311_CREATED_STATUS: must be 200 or 201"),
        ("OPEN311_PUBLIC_URL", "311.city.example", "OPEN311_PUBLIC_URL: must look like https://311.city.example"),
        ("OPEN311_PUBLIC_URL", "https://a.example/api", "OPEN311_PUBLIC_URL: .* without a path"),
        ("OPEN311_POST_RATE", "a few", "OPEN311_POST_RATE: must look like 300 per minute, not 'a few'"),
        ("OPEN311_GET_RATE", "600", "OPEN311_GET_RATE: must look like 300 per minute, not '600'"),
        ("OPEN311_RATE_STORAGE", "file:///tmp", "OPEN311_RATE_STORAGE: must be memory:// or a redis:// address"),
        (
            "OPEN311_RATE_STORAGE",
            "redis://",
            "OPEN311_RATE_STORAGE: must look like redis://redis.city.example:6379",
        ),
        ("OPEN311_RATE_STORAGE", "redis://:secret@cache:port", "OPEN311_RATE_STORAGE: must look like redis://"),
        ("OPEN311_DRAIN_S", "601", "OPEN311_DRAIN_S: must be at most 600, not 601"),
        ("OPEN311_SMTP_URL", "mail.example", "OPEN311_SMTP_URL: must look like smtp://user:password@"),
        ("OPEN311_SMTP_URL", "smtp://u:hunter2@a.example?tls=1", "OPEN311_SMTP_URL: has only the options"),
        (
            "OPEN311_SMTP_URL",
            "smtp://u:hunter2@a.example",
            "OPEN311_MAIL_FROM: must be set, because OPEN311_SMTP",
        ),
        ("OPEN311_MAIL_FROM", "City", "OPEN311_MAIL_FROM: a mail address must look like name@city.example"),
        ("OPEN311_OPERATOR_MAIL", "a@b.example, c@d.example", "OPEN311_OPERATOR_MAIL: a mail address must"),
        (
            "OPEN311_OPERATOR_MAIL",
            "ops@city.example",
            "OPEN311_SMTP_URL: must be set, because OPEN311_OPERATOR",
        ),
        ("OPEN311_OPERATOR_WEBHOOK", "https://u:hunter2@a.example", "OPEN311_OPERATOR_WEBHOOK: .* without a user"),
        (
            "OPEN311_OPERATOR_WEBHOOK",
            "https://a.example/x",
            "OPEN311_OPERATOR_WEBHOOK_SECRET: must be set",
        ),
        ("OPEN311_OPERATOR_WEBHOOK_SECRET", "hunter2", "OPEN311_OPERATOR_WEBHOOK_SECRET: a secret must begin with"),
        ("OPEN311_PROXY", "https://u:hunter2@proxy.example:1", "OPEN311_PROXY: a proxy must look like http://"),
        ("OPEN311_MEDIA", "s4://photos", "OPEN311_MEDIA: must be a folder, or look like s3://bucket/prefix"),
        ("OPEN311_MEDIA", "s3://", "OPEN311_MEDIA: must be a folder, or look like s3://bucket/prefix"),
        ("OPEN311_MEDIA", "s3://photos/../x", "OPEN311_MEDIA: must be a folder, or look like s3://bucket/prefix"),
        ("OPEN311_MEDIA_ENDPOINT", "s3.example", "OPEN311_MEDIA_ENDPOINT: must look like https://s3.city.example"),
        ("OPEN311_MEDIA_ENDPOINT", "https://s3.example", "OPEN311_MEDIA: must look like s3://bucket, because"),
        ("OPEN311_MAP_BACKGROUND", "maps.example/{z}", "OPEN311_MAP_BACKGROUND: must look like https://tiles"),
        ("OPEN311_MAP_BACKGROUND", "//maps.example/a", "OPEN311_MAP_BACKGROUND: must look like https://tiles"),
        ("OPEN311_MAP_BACKGROUND", "https://a.example/x;y", "OPEN311_MAP_BACKGROUND: must look like https://tiles"),
        ("OPEN311_MAP_BACKGROUND", "https://a.example/{z}/{x}", r"must have \{z\}, \{x\} and \{y\}"),
        ("OPEN311_MAP_BACKGROUND", "https://a.example/{s}/{z}/{x}/{y}", "nothing else in braces"),
        ("OPEN311_MAP_BACKGROUND", "https://a.example/style.json", "OPEN311_MAP_ATTRIBUTION: must be set"),
        ("OPEN311_MAP_HOSTS", "https://a.example/x", "OPEN311_MAP_HOSTS: must look like https://fonts"),
        ("OPEN311_PHOTO_MEMORY_BYTES", "1000", "OPEN311_PHOTO_MEMORY_BYTES: must be at least 134217728"),
        ("DATABASE_URL", "city311", "DATABASE_URL: must look like postgresql://user:password@host/name"),
        ("DATABASE_URL", "mysql://u:p@h/d", "DATABASE_URL: must look like postgresql://user:password@host/name"),
        (
            "DATABASE_URL",
            "postgresql://u:p@h:x/d",
            "DATABASE_URL: must look like postgresql://user:password@host/name",
        ),
        (
            "DATABASE_URL",
            "postgresql://u:hunter2@one,two:x/d",
            "DATABASE_URL: must look like postgresql://user:password@host/name",
        ),
        ("OPEN311_REPLICA_URL", "mysql://u:hunter2@h/d", "OPEN311_REPLICA_URL: must look like postgresql://user"),
        ("OPEN311_REPLICA_URL", "postgresql://u:hunter2@h/d", "DATABASE_URL: must be set, because OPEN311_REPLICA"),
        ("OPEN311_REPLICA_LAG_S", "0", "OPEN311_REPLICA_LAG_S: must be at least 1"),
    ],
)
def test_the_error_for_a_bad_value_names_the_variable_and_the_expected_form(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, words: str
) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(Misconfigured, match=words) as caught:
        Settings.from_environ()
    assert "Traceback" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_bad_database_url_does_not_show_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://u:geheim@h/d")
    with pytest.raises(Misconfigured) as caught:
        Settings.from_environ()
    assert "geheim" not in str(caught.value)


def test_one_error_names_all_bad_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPEN311_PORT", "x")
    monkeypatch.setenv("OPEN311_JSONP", "x")
    with pytest.raises(Misconfigured, match=r"OPEN311_PORT: .*; OPEN311_JSONP: "):
        Settings.from_environ()


def test_mail_operators_webhooks_with_two_secrets_and_a_proxy_can_be_set_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secrets = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_" + "A" * 32)
    for name, text in {
        "SMTP_URL": "smtps://u:p@mail.city.example",
        "MAIL_FROM": "City of Example <desk@city.example>",
        "OPERATOR_MAIL": "ops@city.example",
        "OPERATOR_WEBHOOK": "http://127.0.0.1:9000/hook?x=1",
        "OPERATOR_WEBHOOK_SECRET": ", ".join(secrets),
        "PROXY": "http://u:p@proxy.city.example:3128",
    }.items():
        monkeypatch.setenv(f"OPEN311_{name}", text)
    assert Settings.from_environ().operator_webhook_secrets == secrets


@pytest.mark.parametrize(
    ("text", "bucket"),
    [
        ("s3://photos", ("photos", "")),
        ("s3://photos/", ("photos", "")),
        ("s3://photos/a/b-1/", ("photos", "a/b-1")),
        ("/srv/photos", None),
        ("", None),
    ],
)
def test_photos_are_in_a_folder_or_a_bucket(
    monkeypatch: pytest.MonkeyPatch, text: str, bucket: tuple[str, str] | None
) -> None:
    monkeypatch.setenv("OPEN311_MEDIA", text)
    settings = Settings.from_environ()
    assert settings.media_bucket == bucket
    if not bucket:
        assert settings.media_path == (Path(text) if text else settings.data_path / "media")


def test_a_bucket_needs_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPEN311_MEDIA", "s3://photos")
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(Misconfigured, match=r"OPEN311_MEDIA: s3:// needs the extra `s3`"):
        Settings.from_environ()


def test_a_secret_can_be_read_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "database-url"
    file.write_text("postgresql://u:p@h/d\n", encoding="utf-8")
    monkeypatch.setenv("DATABASE_URL_FILE", str(file))
    assert Settings.from_environ().database_url == "postgresql://u:p@h/d"


def test_the_error_for_a_missing_secret_file_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "none"))
    with pytest.raises(Misconfigured, match=r"DATABASE_URL: .*DATABASE_URL_FILE"):
        Settings.from_environ()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_every_database_url_scheme_selects_psycopg(scheme: str) -> None:
    settings = Settings(database_url=f"{scheme}://u:p@h:5433/d?sslmode=require")
    assert settings.sqlalchemy_url == "postgresql+psycopg2://u:p@h:5433/d?sslmode=require"


@pytest.mark.parametrize(
    ("hosts", "query", "dsn"),
    [
        ("one,two:5433", "", {"host": "one,two", "port": "5432,5433", "target_session_attrs": "read-write"}),
        ("one,[::1]:5433", "?sslmode=require", {"host": "one,::1", "port": "5432,5433", "sslmode": "require"}),
        ("one,two", "?target_session_attrs=any", {"host": "one,two", "target_session_attrs": "any"}),
        ("", "?host=/a,/b&port=5432,5433", {"host": "/a,/b", "port": "5432,5433"}),
        ("", "?host=one:5432&host=two:5433", {"host": "one,two", "port": "5432,5433"}),
    ],
)
def test_several_hosts_lead_to_the_one_that_takes_writes(hosts: str, query: str, dsn: dict[str, str]) -> None:
    settings = Settings(database_url=f"postgresql://u:p%2C%40@{hosts}/d{query}")
    settings.check()
    found = parse_dsn(libpq_dsn(settings.sqlalchemy_url))
    assert found | dsn | {"user": "u", "password": "p,@", "dbname": "d"} == found


def test_the_url_of_the_replica_names_one_server_and_the_error_has_no_password() -> None:
    url = "postgresql://u:hunter2@two/d"
    Settings(database_url="postgresql://u:p@one,two/d", replica_url=url).check()
    wrong = Settings(database_url="postgresql://u:p@one/d", replica_url=f"{url}?target_session_attrs=read-only")
    with pytest.raises(Misconfigured, match="OPEN311_REPLICA_URL: must name one server") as caught:
        wrong.check()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("public_url", "required"), [("https://a.example", True), ("http://a.example", False), ("", False)]
)
def test_https_is_required_if_the_public_url_is_https(public_url: str, required: bool) -> None:
    assert Settings(public_url=public_url).requires_https is required


PIECES = ("5", "300", "0", " ", "/", "per", "second", "minutes", "Hour", "day", "months", "year", "week", "s", ";")


@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
def test_a_rate_is_valid_if_the_library_can_read_it(text: str) -> None:
    try:
        is_readable = not text or bool(parse_many(text))
    except ValueError:
        is_readable = False
    assert is_rate(text) == is_readable


@pytest.mark.parametrize("text", ["300 per minute", "10/second,100 per 5 minutes", " 6 PER hour | 20 / day "])
def test_a_rate_may_have_several_parts(text: str) -> None:
    assert is_rate(text)
    assert parse_many(text)


@pytest.mark.parametrize(
    "text", ["9" * 5_000 + " per day", "5 per " + "9" * 5_000 + " days", "5 per fortnight", ";"]
)
def test_a_rate_that_no_limit_can_have_is_refused(text: str) -> None:
    assert not is_rate(text)
