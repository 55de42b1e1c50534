"""The dashboards and alerts of spec/dashboards fit the metrics of a running server, as Prometheus sees them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from open311.clock import utc_now
from open311.operations.access.api_keys import add_key
from open311.operations.platform import Platform
from open311.settings import Settings
from tests.ports import free_port
from tests.test_readme import serving
from tests.waiting import until

FOLDER = Path(__file__).parents[1] / "spec" / "dashboards"
BOARDS = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.json"))}
TOKEN = "s3cret"  # only a test
BACKEND = '[[backends]]\nname = "works"\nkind = "open311"\nurl = "https://works.example/v2"\n'
SOURCE = (Path(__file__).parents[1] / "open311" / "web" / "site" / "metrics.py").read_text(encoding="utf-8")


def program(name: str) -> str:
    """The path of a program; skips the test if it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name} on this machine (Debian: apt-get install prometheus)")
    return found


def expressions() -> list[str]:
    """All expressions of all panels."""
    return [target["expr"] for board in BOARDS.values() for panel in board["panels"] for target in panel["targets"]]


def metrics_in(expression: str) -> set[str]:
    """The names of our metrics in an expression, as their HELP line has them."""
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"\bopen311_\w+", expression)}


def test_every_metric_of_the_server_is_on_a_dashboard() -> None:
    declared = set(re.findall(r'"(open311_\w+)"', SOURCE)) - {"open311_server"}
    shown = {name.removesuffix("_total") for one in expressions() for name in metrics_in(one)}
    assert shown == declared


def test_the_panels_are_complete_and_do_not_overlap() -> None:
    assert len({board["uid"] for board in BOARDS.values()}) == len(BOARDS)
    for board in BOARDS.values():
        panels = board["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        assert all(panel["title"] and panel["targets"] for panel in panels)
        cells = [
            (x, y)
            for place in (panel["gridPos"] for panel in panels)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]
        assert len(set(cells)) == len(cells)
        assert max(x for x, _ in cells) < 24


def test_promtool_accepts_the_alerts() -> None:
    command = [program("promtool"), "check", "rules", str(FOLDER / "alerts.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def prometheus(folder: Path, server_port: int) -> Iterator[Callable[..., Any]]:
    """Prometheus on the loopback, which reads our server each second. Yields a function that asks its API."""
    port = free_port()
    configuration = folder / "prometheus.yml"
    configuration.write_text(
        "global: { scrape_interval: 1s, evaluation_interval: 1s }\n"
        f"rule_files: ['{FOLDER / 'alerts.yml'}']\n"
        "scrape_configs:\n"
        "  - job_name: open311\n"
        f"    authorization: {{ credentials: {TOKEN} }}\n"
        f"    static_configs: [{{ targets: ['127.0.0.1:{server_port}'] }}]\n"
    )
    options = [f"--config.file={configuration}", f"--storage.tsdb.path={folder / 'tsdb'}", "--log.level=error"]
    command = [program("prometheus"), *options, f"--web.listen-address=127.0.0.1:{port}"]
    process = subprocess.Popen(command, cwd=folder)

    def ask(path: str, **parameters: str) -> Any:
        try:
            answer = requests.get(f"http://127.0.0.1:{port}/api/v1/{path}", params=parameters, timeout=10)
        except requests.ConnectionError:
            return {}
        if answer.status_code == 503:  # Prometheus listens before it is ready
            return {}
        found = answer.json()
        assert found["status"] == "success", (parameters, found)
        return found["data"]

    try:
        yield ask
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.long
def test_prometheus_evaluates_every_expression_against_a_running_server(
    settings: Settings, platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("prometheus")
    program("curl")
    port = free_port()
    (city,) = platform.registry
    (tmp_path / "backends").mkdir()
    (tmp_path / "backends" / f"{city.id}.toml").write_text(BACKEND)
    monkeypatch.setenv("OPEN311_METRICS_TOKEN", TOKEN)
    monkeypatch.setenv("OPEN311_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("OPEN311_BACKENDS_DIR", str(tmp_path / "backends"))
    _, secret = add_key(platform, label="FixIt app", now=utc_now())
    form = {"api_key": secret, "service_code": "potholes", "lat": "60.17", "long": "24.94"}
    served = Settings(database_url=settings.database_url, jurisdictions=("demo",), port=port)
    with serving(served), prometheus(tmp_path, port) as ask:
        posted = requests.post(f"http://127.0.0.1:{port}/open311/v2/requests.json", data=form, timeout=30)
        assert posted.status_code == 200, posted.text
        until(
            lambda: _points(ask, 'count_over_time(open311_call_seconds_count{key="FixIt app"}[1m])') > 2, "scrapes"
        )
        known, present = set(ask("metadata")), set(ask("label/__name__/values"))
        with_values = {name for one in present for name in metrics_in(one)}
        empty = []
        for expression in expressions():
            assert metrics_in(expression) <= known, expression
            result = ask("query", query=expression)["result"]
            if not result and metrics_in(expression) & with_values:
                empty.append(expression)
        assert empty == [], "a label or a value in these does not exist"
        rules = until(lambda: _evaluated(ask), "the rules")
    assert [rule["name"] for rule in rules if rule["health"] != "ok"] == []
    assert len(rules) > 10
    assert all(metrics_in(rule["query"]) <= known for rule in rules)
    assert all(rule["annotations"]["summary"] and rule["annotations"]["cure"] for rule in rules)


def _points(ask: Callable[..., Any], expression: str) -> float:
    result = ask("query", query=expression).get("result", [])
    return max((float(one["value"][1]) for one in result), default=0.0)


def _evaluated(ask: Callable[..., Any]) -> list[dict[str, Any]]:
    rules = [rule for group in ask("rules").get("groups", []) for rule in group["rules"]]
    return rules if rules and all(rule["health"] != "unknown" for rule in rules) else []
