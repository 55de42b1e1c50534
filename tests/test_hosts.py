"""Two web hosts, each with two processes, share what the operator's guide says that they share."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from itertools import cycle
from pathlib import Path

import pytest
import requests

from open311.clock import utc_now
from open311.operations.access.api_keys import add_key
from open311.operations.platform import open_platform
from open311.settings import Settings
from tests.benchmarks.rolling import BASE, PLACE, Part
from tests.photos import jpeg
from tests.ports import free_port
from tests.redis_server import needs_redis, redis_running
from tests.waiting import until


@needs_redis
@pytest.mark.long
def test_two_hosts_share_rate_limits_and_photos(make_database: Callable[[str], str], tmp_path: Path) -> None:
    url, redis = make_database("hosts"), free_port()
    with closing(open_platform(Settings(database_url=url, jurisdictions=("demo",)))) as platform:
        _, key = add_key(platform, label="hosts", now=utc_now())
    shared = {
        "OPEN311_WORKERS": "2",
        "OPEN311_MEDIA": str(tmp_path / "photos"),
        "OPEN311_POST_RATE": "6 per hour",
        "OPEN311_RATE_STORAGE": f"redis://127.0.0.1:{redis}",
        "OPEN311_TRUSTED_PROXIES": "0",
    }
    with ExitStack() as stack:
        stack.enter_context(redis_running(redis, tmp_path))
        hosts = [Part(tmp_path, url, f"host-{number}", "serve", free_port(), shared) for number in range(2)]
        worker = Part(tmp_path, url, "worker", "worker", variables=shared)
        for part in (*hosts, worker):
            part.start()
            stack.callback(part.end)
            part.wait()
        origins = [f"http://127.0.0.1:{host.port}" for host in hosts]
        post = f"{BASE}/requests.json"
        statuses = []
        for number, origin in zip(range(12), cycle(origins), strict=False):
            form = PLACE | {"api_key": key, "description": f"Report {number}"}
            files = {} if number else {"media": ("photo.jpg", io.BytesIO(jpeg()), "image/jpeg")}
            statuses.append(requests.post(origin + post, data=form, files=files, timeout=60).status_code)
        assert Counter(statuses) == {200: 6, 429: 6}
        assert statuses == sorted(statuses)

        def photo() -> str:
            listed = json.loads(requests.get(origins[1] + post, timeout=60).content)
            return next((one["media_url"] for one in listed if one.get("media_url")), "")

        path = until(photo, "the photo").partition(BASE)[2]
        shown = [requests.get(f"{origin}{BASE}{path}", timeout=60) for origin in origins]
    assert [answer.status_code for answer in shown] == [200, 200]
    assert shown[0].content == shown[1].content
