"""`open311 serve`: the web server."""

from __future__ import annotations

from dataclasses import replace

import click

from open311.cli.environment import web_settings
from open311.cli.parent import end_with_parent
from open311.cli.web_processes import serve_application
from open311.observe import all_lines_logged
from open311.settings import MOST_PORT, MOST_SERVING


@click.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, MOST_PORT), help="Port to listen on.")
@click.option("--workers", type=click.IntRange(1, MOST_SERVING), help="Number of web processes.")
def serve(host: str | None, port: int | None, workers: int | None) -> None:
    """Serve the API. Migrate the database first: `open311 db migrate`.

    On SIGTERM, the server finishes the calls that it has begun. Any other WSGI server can run `wsgi:application`.
    """
    settings = web_settings()
    settings = replace(
        settings,
        host=host or settings.host,
        port=settings.port if port is None else port,
        workers=settings.workers if workers is None else workers,
    )
    end_with_parent()
    with all_lines_logged():
        serve_application(settings)
