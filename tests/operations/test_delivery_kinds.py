"""Deliveries by webhook, by mail and by file: each arrives, or its state shows that this is uncertain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from open311.domain.requests import Reporter
from open311.federation.backends.email import EmailConfig
from open311.federation.backends.file import FileConfig
from open311.federation.backends.webhook import WebhookConfig
from open311.operations.delivery.sending import deliver_all
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.platform import Platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.plugins import BackendConfig, Destination, Secret
from open311.settings import Settings
from open311.storage import deliveries, external_ids
from tests import build, world


@contextmanager
def served(settings: Settings, *configs: BackendConfig) -> Iterator[Platform]:
    """A platform whose only city sends everything to these back ends."""
    names = tuple(config.name for config in configs)
    city = build.city(backends=configs, destinations=(Destination(backends=names),))
    platform = build.platform(settings, city)
    ensure_synced(platform)
    yield platform
    platform.close()


def run(platform: Platform, hours: int = 0) -> list[tuple[str, str]]:
    """Send what is due, and return the backend and the state of each delivery."""
    now = build.NOON + timedelta(hours=hours)
    while dispatch(platform, now):
        continue
    deliver_all(platform, lambda: now)
    with platform.database.reading() as connection:
        numbers = connection.exec_driver_sql("SELECT DISTINCT request_id FROM delivery").scalars()
        found = deliveries.of_requests(connection, "test.example", list(numbers))
    return [(one.backend, one.state.value) for one in found]


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", world.SECRET)


def hook(url: str, *, honours_keys: bool = False) -> WebhookConfig:
    secret = Secret(env="HOOK_SECRET")
    return WebhookConfig(name="works", kind="webhook", url=url, secret=secret, honours_keys=honours_keys)


def test_a_work_order_is_sent_by_mail_with_a_copy(settings: Settings) -> None:
    with world.receiver() as office, world.mail_server() as post:
        mailing = replace(settings, smtp_url=f"{post.url}?starttls=optional", mail_from="City <desk@test.example>")
        mail = EmailConfig(name="copy", kind="email", to=("works@test.example",), shared=("description",))
        with served(mailing, hook(office.url), mail) as platform:
            request_id = build.submit(
                platform, description="Deep", reporter=Reporter(email="ann@example.org")
            ).service_request_id
            build.change(platform, request_id, status="closed", note="Filled.")
            assert set(run(platform)) == {("works", "done"), ("copy", "done")}
            number = build.load(platform, service_request_id=request_id).number
            with platform.database.reading() as connection:
                ids = external_ids.ids_of(connection, "test.example", number)
    assert [one.data["type"] for one in office.accepted] == ["request.created", "request.updated"]
    first, second = post.accepted
    assert second.message["In-Reply-To"] == first.message["Message-ID"] == ids["copy"]
    assert b"Deep" in first.content
    sent = b"".join(one.content for one in post.accepted) + repr([one.data for one in office.accepted]).encode()
    assert b"ann@example.org" not in sent
    assert b"Filled." not in sent


@pytest.mark.parametrize(("honours_keys", "state"), [(True, "done"), (False, "uncertain")])
def test_after_a_lost_answer_only_a_webhook_that_honours_keys_is_sent_again(
    settings: Settings, *, honours_keys: bool, state: str
) -> None:
    with (
        world.receiver(faults=[world.fault("lose_answer")]) as office,
        served(settings, hook(office.url, honours_keys=honours_keys)) as platform,
    ):
        build.submit(platform)
        run(platform)
        assert run(platform, hours=1) == [("works", state)]
        assert len(office.accepted) == 1


def test_a_mail_whose_answer_was_lost_waits_for_a_person(settings: Settings) -> None:
    with world.mail_server(faults=[world.fault("lose_answer", on="DATA")]) as post:
        mailing = replace(settings, smtp_url=f"{post.url}?starttls=optional", mail_from="desk@test.example")
        mail = EmailConfig(name="copy", kind="email", to=("works@test.example",))
        with served(mailing, mail) as platform:
            build.submit(platform)
            run(platform)
            assert run(platform, hours=1) == [("copy", "uncertain")]
            assert len(post.accepted) == 1


def test_a_folder_that_was_missing_gets_its_files_in_order(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    with served(settings, FileConfig(name="old", kind="file", folder=str(folder))) as platform:
        request_id = build.submit(platform).service_request_id
        build.change(platform, request_id, note="Seen.", now=build.NOON + timedelta(minutes=1))
        assert run(platform) == [("old", "waiting"), ("old", "waiting")]
        folder.mkdir()
        assert set(run(platform, hours=2)) == {("old", "done")}
    assert [path.name.split("-")[1] for path in sorted(folder.iterdir())] == ["case", "update"]
