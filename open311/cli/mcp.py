"""`open311 mcp`: the server for chatbots."""

from __future__ import annotations

import click

from open311.cli.output import fail
from open311.plugins import Secret

INSTALL = "pip install 'open311-server[mcp]'"


@click.command("mcp")
@click.option(
    "--url",
    default="http://127.0.0.1:3111/open311/v2",
    show_default=True,
    help="The address of services.json without /services.json.",
)
@click.option(
    "--jurisdiction", "jurisdiction_id", default="", help="The jurisdiction_id, if the server has several."
)
@click.option("--key-env", default="", help="The environment variable with the api_key for reports.")
@click.option("--key-file", default="", help="The file with the api_key for reports.")
@click.option("--http", "is_http", is_flag=True, help="Serve over HTTP instead of standard input and output.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on, with --http.")
@click.option("--port", type=click.IntRange(1, 65535), default=8311, show_default=True, help="Port, with --http.")
@click.option(
    "--public-host",
    "public_hosts",
    multiple=True,
    help="The name by which callers reach the server, with --http, such as bot.example; repeatable.",
)
def mcp_command(
    url: str,
    jurisdiction_id: str,
    key_env: str,
    key_file: str,
    is_http: bool,
    host: str,
    port: int,
    public_hosts: tuple[str, ...],
) -> None:
    """Serve a city's API to chatbots, by the Model Context Protocol.

    The process is a client of the API, as every app is. Without a key, chatbots can read, but not report. With
    --http, each caller sends its own key in the header X-Api-Key, so --key-env and --key-file are refused.

    \b
    Examples:
      open311 mcp --url https://311.city.example/open311/v2 --key-env CHATBOT_KEY
      open311 mcp --http --port 8311 --public-host bot.city.example
    """
    if key_env and key_file:
        fail("send --key-env or --key-file, not both.")
    if is_http and (key_env or key_file):
        fail("with --http, each caller sends its own key in X-Api-Key; leave --key-env and --key-file out.")
    if public_hosts and not is_http:
        fail("--public-host is for --http.")
    try:
        import anyio

        from open311.chatbots.city_api import CityApi
        from open311.chatbots.serving import serve_http, serve_stdio
    except ImportError as error:
        if (error.name or "").partition(".")[0] == "open311":
            raise
        fail(f"this needs the extra `mcp`: {INSTALL}")
    api = CityApi(url.rstrip("/"), jurisdiction_id, Secret(env=key_env, file=key_file).read())
    if is_http:
        serve_http(api, host, port, [*public_hosts, "127.0.0.1:*", "localhost:*", "[::1]:*"])
    else:
        anyio.run(serve_stdio, api)
