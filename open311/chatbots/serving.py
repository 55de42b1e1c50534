"""Serves the tools by the Model Context Protocol, over standard input and output or over HTTP."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import uvicorn
from anyio import to_thread
from mcp import types
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from open311 import __version__
from open311.chatbots.city_api import CityApi, ToolProblem
from open311.chatbots.tools import INSTRUCTIONS, TOOLS, Caller, Tool
from open311.clock import utc_now
from open311.observe import logger

PATH = "/mcp"
KEY_HEADER = "x-api-key"
MOST_BODY_BYTES = 100_000
MOST_CALLS = 16
"""Calls that run at the same time. Further calls wait."""

log = logger(__name__)
_TOOLS = {tool.name: tool for tool in TOOLS}


def make_server(api: CityApi, *, takes_keys: bool = False) -> Server[Any]:
    """A server with all tools.

    takes_keys  whether each caller sends an api_key of its own, in the header X-Api-Key
    """
    limiter = anyio.CapacityLimiter(MOST_CALLS)

    async def list_tools(
        _: ServerRequestContext[Any], __: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_offer(tool) for tool in TOOLS])

    async def call_tool(
        context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        own = replace(api, api_key=_key_of(context)) if takes_keys else api
        call = partial(_answer, params.name, params.arguments or {}, own)
        return await to_thread.run_sync(call, limiter=limiter)

    return Server(
        "open311",
        version=__version__,
        title="Reports to the city",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


async def serve_stdio(api: CityApi) -> None:
    """Serve one chatbot over standard input and output, until it closes the input."""
    server = make_server(api)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def http_application(api: CityApi, hosts: list[str]) -> Starlette:
    """The application for HTTP. Each call stands alone, so that any number of processes can serve.

    hosts  the values of `Host` that are accepted, such as "bot.example" or "127.0.0.1:*". Calls with any other
           value are refused, so that no page of another site can call the server by a host name of its own
    """
    application = make_server(api, takes_keys=True).streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        max_request_body_size=MOST_BODY_BYTES,
        transport_security=TransportSecuritySettings(
            allowed_hosts=hosts,
            allowed_origins=[f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")],
        ),
    )
    application.add_middleware(_OnlyCalls)
    return application


class _OnlyCalls:
    """Refuses all methods but POST with 405, as MCP allows for servers that never speak first.

    Otherwise anybody, even without a key, could open a stream by GET. Such a stream has no content and never ends.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] != "POST":
            told = "Send calls of the Model Context Protocol by POST."
            answer = PlainTextResponse(told, status_code=405, headers={"Allow": "POST"})
            await answer(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def serve_http(api: CityApi, host: str, port: int, hosts: list[str]) -> None:
    """Serve over HTTP until the process gets SIGINT or SIGTERM."""
    application = http_application(api, hosts)
    config = uvicorn.Config(application, host=host, port=port, log_config=None, access_log=False)
    uvicorn.Server(config).run()


def _offer(tool: Tool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.arguments.model_json_schema(),
        annotations=types.ToolAnnotations(
            read_only_hint=tool.only_reads, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )


def _key_of(context: ServerRequestContext[Any]) -> str:
    return str(context.request.headers.get(KEY_HEADER, "")).strip() if context.request else ""


def _answer(name: str, given: dict[str, Any], api: CityApi) -> types.CallToolResult:
    tool = _TOOLS.get(name)
    try:
        if tool is None:
            raise ToolProblem(f"There is no tool {name[:60]!r}. The tools are {', '.join(_TOOLS)}.")
        answer = tool.run(Caller(api, utc_now()), tool.arguments.model_validate(given))
    except ValidationError as error:
        return _told(_faults(error), is_error=True)
    except ToolProblem as problem:
        return _told(str(problem), is_error=True)
    except Exception as error:
        log.exception("a tool failed", tool=name, error=type(error).__name__)
        return _told("This server has a fault. Its operator finds it in the log.", is_error=True)
    text = json.dumps(answer, ensure_ascii=False, default=str)
    return types.CallToolResult(content=[types.TextContent(text=text)], structured_content=json.loads(text))


def _told(text: str, *, is_error: bool) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=text)], is_error=is_error)


def _faults(error: ValidationError) -> str:
    """The faults of arguments, without their values."""
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'arguments'}: {_fault(fault['type'], fault['msg'])}"
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    )


def _fault(kind: str, message: str) -> str:
    return "this tool has no such argument; leave it out" if kind == "extra_forbidden" else message
