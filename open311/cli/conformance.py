"""`open311 conformance`: checks whether a server, ours or another, fulfils the requirements of GeoReport v2."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.progress import Progress

from open311.cli.numbers import SECONDS, Number
from open311.cli.output import error_console, fail

if TYPE_CHECKING:
    from spec.conformance.client import Client
    from spec.conformance.probe import Target
    from spec.conformance.report import Finding, Report
    from spec.recordings import Judgement
    from spec.shapes import Kind

_KINDS = ("services", "service_definition", "requests", "created", "token", "errors", "discovery")


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="URL|FILE...")
@click.option("--jurisdiction", default="", help="The jurisdiction_id to ask for.")
@click.option("--api-key", envvar="OPEN311_CONFORMANCE_KEY", default="", help="The key to send requests with.")
@click.option("--write", is_flag=True, help="Send test requests, too. Without it, the run only reads.")
@click.option(
    "--level", type=click.Choice(["must", "should", "may"]), default="may", help="The weakest level to check."
)
@click.option(
    "--only", multiple=True, metavar="NUMBER", help="Check only this requirement, such as C187; repeatable."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "junit", "html"]),
    default="text",
    show_default=True,
    help="The format of the report.",
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the report to this file.")
@click.option(
    "--discovery", default="", metavar="URL", help="The base address of discovery.xml, if it is not found."
)
@click.option("--both", "thorough", is_flag=True, help="Ask in XML and JSON even if one of them is enough.")
@click.option("--rate", type=Number(0), default=2.0, show_default=True, help="Calls a second; 0 for no limit.")
@click.option(
    "--timeout",
    type=SECONDS,
    default=15.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for an answer.",
)
@click.option(
    "--max-bytes",
    type=click.IntRange(1),
    default=4_000_000,
    show_default=True,
    help="The longest answer to read. The report says what was longer.",
)
@click.option(
    "--recorded", is_flag=True, help="The arguments are files with saved answers: judge these, call no server."
)
@click.option(
    "--kind",
    type=click.Choice(_KINDS),
    help="With --recorded: the kind of body in the files, if it is not recognised.",
)
def conformance(
    targets: tuple[str, ...],
    jurisdiction: str,
    api_key: str,
    write: bool,
    level: str,
    only: tuple[str, ...],
    form: str,
    output: Path | None,
    discovery: str,
    thorough: bool,
    rate: float,
    timeout: float,
    max_bytes: int,
    recorded: bool,
    kind: Kind | None,
) -> None:
    """Check a GeoReport v2 endpoint, requirement by requirement, from outside.

    URL is the endpoint's base address, directly above services.xml. The run makes one call at a time, at most
    --rate calls a second. It files no request without --write. The exit status is 0 only if at least one MUST could
    be checked, and all of these passed.

    \b
    Examples:
      open311 conformance https://api.city.example/open311/v2
      open311 conformance URL --write --api-key KEY --format html --output report.html
      open311 conformance --recorded services.json requests.xml
    """
    _require_libraries()
    if recorded:
        sys.exit(0 if _judge_files(targets, kind) else 1)
    if len(targets) > 1:
        fail("Name one URL, or add --recorded to judge files.")
    if write and not api_key:
        fail("--write needs --api-key: new requests are sent with a key.")
    from spec.conformance.client import Client, Manners
    from spec.conformance.probe import Target

    report = _run(
        Target(
            base_url=_base(targets[0]),
            discovery_url=discovery.rstrip("/"),
            jurisdiction_id=jurisdiction,
            api_key=api_key,
            writes=write,
            thorough=thorough,
        ),
        Client(Manners(rate_per_s=rate, timeout_s=timeout, max_body_bytes=max_bytes)),
        level,
        only,
    )
    _print(report, form, output)
    sys.exit(0 if report.conforms else 1)


def _require_libraries() -> None:
    try:
        import jsonschema  # noqa: F401
        import lxml  # noqa: F401
    except ImportError:
        fail("This command needs lxml and jsonschema: pip install 'open311-server[conformance]'.")


def _base(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        fail(f"{url} is not an address; send one such as https://api.city.example/open311/v2, or add --recorded.")
    return url.rstrip("/")


def _run(target: Target, client: Client, level: str, only: tuple[str, ...]) -> Report:
    from spec.conformance.client import UnreachableError
    from spec.conformance.runner import run
    from spec.conformance.survey import JurisdictionNeededError
    from spec.requirements import Level, requirements

    unknown = [number for number in only if number not in requirements()]
    if unknown:
        fail(f"There is no requirement {unknown[0]}; they are C001 to C{len(requirements())}.")
    with _progress(len(only) or len(requirements())) as advance:
        try:
            return run(target, client=client, level=Level[level.upper()], only=only, progress=advance)
        except UnreachableError as error:
            fail(f"The server gives no answer that can be judged. {error}")
        except JurisdictionNeededError as error:
            fail(f"The endpoint serves several jurisdictions; name one with --jurisdiction. It says: {error}")


@contextmanager
def _progress(whole: int) -> Iterator[Callable[[Finding], None]]:
    """Show a progress bar if standard error is a terminal. Yields the function to call with each finding."""
    with Progress(console=error_console(), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("Checking", total=whole)
        yield lambda finding: progress.update(task, advance=1, description=finding.requirement.number)


def _print(report: Report, form: str, output: Path | None) -> None:
    from spec.conformance.reports import FORMS
    from spec.conformance.reports.verdict import verdict

    text = FORMS[form](report)
    if output is None:
        click.echo(text, nl=False)
        return
    output.write_text(text, encoding="utf-8")
    click.echo(f"{verdict(report)} The report is in {output}.")


def _judge_files(names: tuple[str, ...], kind: Kind | None) -> bool:
    """Print the deviations of each file, and how many files conform. Returns whether all of them conform."""
    from spec.recordings import judge

    judged = []
    for name in names:
        path = Path(name)
        if not path.is_file():
            fail(f"There is no file {name}.")
        judged.append(judge(path.read_bytes(), kind))
        click.echo(f"{name}: {_verdict_of(judged[-1])}")
        for deviation in judged[-1].deviations:
            click.echo(f"  {deviation}")
    if any("(A" in deviation.sentence for found in judged for deviation in found.deviations):
        click.echo("\n(A36) and the like: our decisions where the standard is silent; see spec/georeport-v2.md.")
    if len(judged) > 1:
        click.echo(f"\n{_sum_of(judged)}")
    return all(_is_sound(found) for found in judged)


def _is_sound(found: Judgement) -> bool:
    return not found.why and not found.deviations


def _verdict_of(found: Judgement) -> str:
    if found.why:
        return found.why
    number = len(found.deviations)
    if not number:
        return f"{found.kind}, conforms"
    return f"{found.kind}, {number} kind{'s' * (number > 1)} of deviation"


def _sum_of(judged: list[Judgement]) -> str:
    sound, foreign = sum(map(_is_sound, judged)), sum(bool(found.why) for found in judged)
    parts = [f"{sound} conform", f"{len(judged) - sound - foreign} deviate"]
    parts += [f"{foreign} could not be judged"] if foreign else []
    return f"{len(judged)} files: {', '.join(parts)}."
