"""`open311 suggest`: how good the suggestions of services are, and a model that makes them better."""

from __future__ import annotations

from pathlib import Path

import click

from open311.cli.group import CommandGroup
from open311.cli.output import say, say_table
from open311.cli.platforms import command_platform, find_jurisdiction
from open311.clock import utc_now
from open311.errors import Misconfigured
from open311.operations.suggesting.counting import choices
from open311.operations.suggesting.evaluating import Score, bm25_ranking, own_ranking, read_sentences, score
from open311.operations.suggesting.models import model_of, write_model
from open311.operations.suggesting.suggest import offered_in
from open311.operations.suggesting.training import train

_CITY = click.option("--jurisdiction", default="", help="The city; needed if several are served.")
_HEADS = ("ranking", "sentences", "first", "one of three")


@click.group(cls=CommandGroup)
def suggest() -> None:
    """Measure and improve the services that are suggested for what citizens write."""


@suggest.command("train")
@_CITY
@click.option("--even-if-worse", is_flag=True, help="Store the model even if it finds no more than the search.")
def train_command(jurisdiction: str, even_if_worse: bool) -> None:
    """Train a model on the public descriptions of a city's own requests.

    The model is tested on the newest fifth of the descriptions, and stored in the data folder only if it helps. Web
    processes use it at once. Train again when the catalogue has changed: a model of another catalogue is not used.
    Nothing is read from elsewhere. Needs pip install 'open311-server[suggest]'.

    \b
    Example:
      open311 suggest train --jurisdiction city.example
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        trained = train(platform, city, now=utc_now())
        rows = (("search alone", trained.without), ("with a model", trained.with_model))
        say_table(_HEADS, [_row(name, found) for name, found in rows])
        if not (trained.helps or even_if_worse):
            raise Misconfigured(f"the model finds no more than the search, so the suggestions of {city.id} stay.")
        path = write_model(platform, city, trained.model)
        words, services = len(trained.model.terms), len(trained.model.codes)
        say(f"{path}: {trained.model.requests} requests, {services} services, {words} words.")


@suggest.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_CITY
def evaluate(file: Path, jurisdiction: str) -> None:
    """Measure the suggestions with the sentences in FILE, beside BM25, a usual ranking by words.

    FILE is a CSV with the columns jurisdiction_id, codes (all services that are right, with | between them) and
    text. Needs pip install 'open311-server[suggest]'.

    \b
    Example:
      open311 suggest evaluate sentences.csv --jurisdiction city.example
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        sentences = read_sentences(file, city)
        if not sentences:
            raise Misconfigured(f"{file.name}: no line is for {city.id}.")
        offered = offered_in(city, city.in_season(utc_now()))
        model = model_of(platform, city)
        found = [("BM25", score(bm25_ranking(city, offered), sentences))]
        found.append(("search", score(own_ranking(offered), sentences)))
        if model is not None:
            found.append(("search and model", score(own_ranking(offered, model), sentences)))
    say_table(_HEADS, [_row(name, one) for name, one in found])


@suggest.command()
@_CITY
def counts(jurisdiction: str) -> None:
    """Show how often each service was suggested before a report, at which rank, and how often it was chosen.

    The sentences for which services were suggested are not stored.

    \b
    Example:
      open311 suggest counts --jurisdiction city.example
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        found = choices(platform, city)
    rows = [(one.service_code, str(one.rank), str(one.suggested), str(one.chosen)) for one in found]
    say_table(("service", "rank", "suggested", "chosen"), rows)


def _row(name: str, found: Score) -> tuple[str, ...]:
    return name, str(found.sentences), _share(found.first, found), _share(found.among_three, found)


def _share(count: int, of: Score) -> str:
    return f"{count} ({count / of.sentences:.0%})" if of.sentences else "0"
