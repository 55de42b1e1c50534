"""The HTTP API of one city, as tools call it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

from open311.federation.client import GeoReportClient, GeoReportError, Limits, Refused, TooSlow, Unreachable

LIMITS = Limits(timeout_s=10, deadline_s=20, retries=1, patience_s=2, rate_per_s=0, repeats_posts=True)
"""The times are short, because a person waits. There is no rate here, because the server limits the rate."""
USER_AGENT = "open311-mcp/1"

Answer = TypeVar("Answer")


class ToolProblem(Exception):
    """What a tool tells the chatbot instead of an answer: what is wrong, and what to do."""


@dataclass(frozen=True, slots=True)
class CityApi:
    """The address of a city's server, and the key for reports.

    url              the address of services.json without /services.json
    jurisdiction_id  the city, if the server has several
    api_key          the key for reports; "" if no reports can be sent
    """

    url: str
    jurisdiction_id: str = ""
    api_key: str = field(default="", repr=False)

    def ask(self, question: Callable[[GeoReportClient], Answer], language: str = "", *, url: str = "") -> Answer:
        """The answer of the server. Raises ToolProblem if the server refuses the call or cannot be reached.

        url  another address of the same server, for calls of another specification than GeoReport
        """
        client = GeoReportClient(
            url or self.url,
            self.jurisdiction_id,
            api_key=self.api_key,
            locale=language,
            limits=LIMITS,
            user_agent=USER_AGENT,
        )
        with client:
            try:
                return question(client)
            except GeoReportError as error:
                raise ToolProblem(_in_words(error)) from error

    def address_of(self, specification: str) -> str:
        """The address at which this server speaks another specification, such as "Inquiry_v1"; "" if it does not.

        The discovery document may name the host by which the public reaches the server. The calls stay at the host
        that the operator has named.
        """
        offered = self.ask(lambda client: client.discovery()).endpoints
        for each in offered:
            if each.specification.rstrip("/").endswith(specification):
                return urlsplit(self.url)._replace(path=urlsplit(each.url).path).geturl()
        return ""


def _in_words(error: GeoReportError) -> str:
    if isinstance(error, Refused):
        return _refusal(error)
    if error.is_uncertain:
        return (
            "No complete answer came, so it is not known whether the report has arrived. Call the tool"
            " again with the same arguments and the same confirmation: the report is stored once."
        )
    if isinstance(error, Unreachable | TooSlow):
        return "The city's server cannot be reached. Try again in some minutes."
    return f"The city's server gave an answer that cannot be read ({type(error).__name__}). Tell its operator."


def _refusal(error: Refused) -> str:
    told = "; ".join(problem.description for problem in error.problems if problem.description)
    if error.status >= 500:
        return f"The city's server has a fault (status {error.status}). Try again in some minutes."
    if error.retry_after_s is not None:
        return f"The server takes no more calls now. Try again in {max(1, round(error.retry_after_s))} seconds."
    return f"The server refused the call (status {error.status}): {told or 'it gave no reason'}"
