"""Suggestions of services: how good they are, and a model that is trained on a city's own reports."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from random import Random

import numpy as np
import pytest
from flask import Flask

from open311.clock import utc_now
from open311.domain.requests import Visibility
from open311.errors import Misconfigured
from open311.formats.service_models import MOST_BYTES, model_bytes, read_model
from open311.observe import configure_logs, logger
from open311.operations.platform import Platform
from open311.operations.suggesting import models
from open311.operations.suggesting.evaluating import (
    Score,
    Sentence,
    bm25_ranking,
    own_ranking,
    read_sentences,
    score,
)
from open311.operations.suggesting.models import model_of, model_path, write_model
from open311.operations.suggesting.suggest import offered_in, suggest
from open311.operations.suggesting.training import train
from open311.plugins import Service, ServiceType
from tests import build
from tests.checked_client import platform_of

DATA = Path(__file__).parent.parent / "data"
OWN, INDEPENDENT = DATA / "suggestions.csv", DATA / "independent_suggestions.csv"
CITIES = ("bloomington", "boston", "chicago", "newyork", "sanfrancisco", "toronto")
TUNING, HELD_BACK = 0, 1


def half_of(sentence: Sentence) -> int:
    """The half that tests/data/README.md gives a sentence."""
    return hashlib.sha256(sentence.text.encode()).digest()[0] % 2


def measured(file: Path, half: int) -> dict[str, tuple[Score, Score]]:
    """The scores of our ranking and of BM25 in each city."""
    found = {}
    for name in CITIES:
        city = import_module(f"jurisdictions.{name}").jurisdiction
        offered = offered_in(city, city.in_season(build.NOON))
        sentences = [one for one in read_sentences(file, city) if half_of(one) == half]
        found[name] = (score(own_ranking(offered), sentences), score(bm25_ranking(city, offered), sentences))
    return found


@pytest.mark.parametrize(
    ("file", "half", "least"),
    [(OWN, TUNING, 95), (OWN, HELD_BACK, 60), (INDEPENDENT, TUNING, 193), (INDEPENDENT, HELD_BACK, 83)],
    ids=lambda value: value.stem if isinstance(value, Path) else value,
)
def test_the_first_three_suggestions_are_right_more_often_than_those_of_bm25(
    file: Path, half: int, least: int, capsys: pytest.CaptureFixture[str]
) -> None:
    found = measured(file, half)
    lines = (
        f"{name:13} {ours.sentences:3} sentences; first {ours.first:2}, among three {ours.among_three:2};"
        f" BM25 {bm25.first:2}, {bm25.among_three:2}\n"
        for name, (ours, bm25) in found.items()
    )
    with capsys.disabled():
        sys.stdout.write(f"\n{file.name}, half {half}:\n" + "".join(lines))
    total = sum(ours.sentences for ours, _ in found.values())
    ours, bm25 = (sum(pair[place].among_three for pair in found.values()) for place in (0, 1))
    assert total >= 60
    assert ours > bm25
    assert ours >= least, "the ranking finds fewer services than when it was measured"
    for name, (own, other) in found.items():
        assert own.among_three >= other.among_three, name


@pytest.mark.parametrize("file", [OWN, INDEPENDENT], ids=lambda file: file.stem)
def test_the_sentences_avoid_the_names_of_the_services(file: Path) -> None:
    copied = Counter[str]()
    for name in CITIES:
        city = import_module(f"jurisdictions.{name}").jurisdiction
        for one in read_sentences(file, city):
            copied[name] += any(city.service(code).name.lower() in one.text.lower() for code in one.codes)
    assert not +copied


def test_a_file_of_sentences_with_faults_is_refused_by_its_line(tmp_path: Path) -> None:
    file = tmp_path / "sentences.csv"
    for content, message in (
        ("text,codes\n", "the first line must name the columns jurisdiction_id, codes, text"),
        ("jurisdiction_id,codes,text\ntest.example,nothing,hole\n", "line 2: codes has nothing"),
        ("jurisdiction_id,codes,text\ntest.example,,hole\n", "line 2: codes has none"),
    ):
        file.write_text(content)
        with pytest.raises(Misconfigured, match=message):
            read_sentences(file, build.city())
    file.write_bytes(b"jurisdiction_id,codes,text\ntest.example,potholes,\xff\n")
    with pytest.raises(Misconfigured, match="no CSV in UTF-8"):
        read_sentences(file, build.city())
    with pytest.raises(Misconfigured, match="cannot be read"):
        read_sentences(tmp_path / "none.csv", build.city())


# --- A model

SLANG = {"potholes": "zorgle blorp deep nasty", "trees": "frabjous twiggy leaning bough", "hotline": "hullo query"}


@pytest.fixture
def reported(make_platform_of: Callable[[], Platform]) -> Platform:
    """A city whose citizens have words of their own, with 450 reports."""
    platform, random = make_platform_of(), Random(7)
    build.store_all(
        platform,
        [
            {
                "number": number,
                "service_code": code,
                "description": f"{' '.join(random.sample(SLANG[code].split(), 2))} on {random.choice('ABC')} road",
            }
            for number, code in enumerate((*SLANG,) * 150, start=1)
        ],
    )
    return platform


@pytest.fixture
def make_platform_of(make_app: Callable[..., Flask], tmp_path: Path) -> Callable[[], Platform]:
    services = (
        build.HOLE,
        replace(build.TREE, type=ServiceType.REALTIME),
        Service(code="hotline", name="Talk to us"),
    )
    return lambda: platform_of(make_app(build.city(services=services), data_dir=str(tmp_path)))


def test_a_model_learns_the_words_of_a_citys_own_reports(reported: Platform) -> None:
    [city] = reported.registry
    assert suggest(reported, city, "a zorgle with blorp", now=build.NOON) == []
    trained = train(reported, city, now=build.NOON)
    assert trained.helps
    assert trained.with_model.among_three > trained.without.among_three
    path = write_model(reported, city, trained.model)
    assert path == model_path(reported, city)
    assert suggest(reported, city, "a zorgle with blorp", now=build.NOON)[0].code == "potholes"
    assert suggest(reported, city, "frabjous bough", now=build.NOON)[0].code == "trees"
    assert suggest(reported, city, "pothole", now=build.NOON)[0].code == "potholes"
    assert suggest(reported, city, "qwertz", now=build.NOON) == []


def test_training_twice_gives_the_same_model(reported: Platform) -> None:
    [city] = reported.registry
    one, other = (train(reported, city, now=utc_now()).model for _ in range(2))
    assert model_bytes(one)[100:200] == model_bytes(other)[100:200]
    assert one.terms == other.terms
    assert np.array_equal(one.weights, other.weights)


def test_a_model_contains_no_word_of_texts_that_are_not_public_and_no_rare_word(reported: Platform) -> None:
    [city] = reported.registry
    hidden = [{"number": 500 + n, "description": "secretword", "visibility": Visibility.PRIVATE} for n in range(20)]
    rare = [{"number": 600 + n, "description": "rareword zorgle"} for n in range(4)]
    numbered = [{"number": 700 + n, "description": "zorgle 5550100 [phone number]"} for n in range(20)]
    build.store_all(reported, [*hidden, *rare, *numbered])
    terms = train(reported, city, now=utc_now()).model.terms
    assert "zorgl" in terms
    words = {word for term in terms for word in term.split()}
    assert not words & {"secretword", "rareword", "5550100", "phone", "number"}


def test_the_error_for_a_city_with_few_reports_names_their_number(platform: Platform) -> None:
    city = platform.registry.find("city.example")
    with pytest.raises(Misconfigured, match="0 public descriptions"):
        train(platform, city, now=utc_now())


def test_a_model_of_another_catalogue_and_a_damaged_file_are_not_used(reported: Platform) -> None:
    [city] = reported.registry
    model = train(reported, city, now=utc_now()).model
    path = write_model(reported, city, replace(model, edition="another"))
    assert model_of(reported, city) is None
    write_model(reported, city, model)
    found = model_of(reported, city)
    assert found is not None
    assert found.likely("zorgle blorp") == pytest.approx(model.likely("zorgle blorp"), abs=1e-5)
    whole = path.read_bytes()
    for content in (b"", b"PK", whole[:-100], whole.replace(b"offsets", b"offsetz")):
        path.write_bytes(content)
        assert model_of(reported, city) is None
        assert suggest(reported, city, "pothole", now=build.NOON)[0].code == "potholes"
    path.unlink()
    assert model_of(reported, city) is None


def test_the_log_says_that_the_file_of_a_model_is_too_large(
    make_platform_of: Callable[[], Platform], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = make_platform_of()
    [city] = platform.registry
    configure_logs("info")
    monkeypatch.setattr(models, "log", logger("models"))  # the logger of earlier tests keeps their stream
    path = model_path(platform, city)
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    assert model_of(platform, city) is None
    assert f"is larger than {MOST_BYTES} bytes" in capsys.readouterr().err


def test_a_file_with_pickled_objects_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "evil.npz"
    np.savez(file, header=np.array([{"format": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="damaged"):
        read_model(file.read_bytes())


def test_a_file_whose_numbers_were_changed_is_not_read(reported: Platform, tmp_path: Path) -> None:
    [city] = reported.registry
    model = train(reported, city, now=utc_now()).model
    file = tmp_path / "model.npz"
    file.write_bytes(model_bytes(model))
    with np.load(file) as arrays:
        changed = dict(arrays)
    changed["weights"] = changed["weights"] + 1
    np.savez(file, **changed)
    with pytest.raises(ValueError, match="digest"):
        read_model(file.read_bytes())
