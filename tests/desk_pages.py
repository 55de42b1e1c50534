"""People who are signed in to the pages for staff, for tests of these pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from lxml.html import HtmlElement
from werkzeug.test import TestResponse

from open311.clock import utc_now
from open311.domain.access import SHELL, Principal, Role
from open311.operations.access.sessions import Session, sign_in
from open311.operations.access.staff import add_account, issue_login
from open311.operations.platform import Platform
from open311.web.session_cookies import form_token

HOME = "/desk/city.example/"
COOKIE = "open311-desk"


@dataclass(frozen=True)
class Person:
    """A person of staff in front of a browser of their own."""

    client: FlaskClient
    session: Session

    @classmethod
    def of(
        cls,
        client: FlaskClient,
        platform: Platform,
        name: str = "ada",
        role: Role = Role.AGENT,
        *departments: str,
        city: str = "city.example",
    ) -> Person:
        """A new account that is signed in."""
        session = signed_in(platform, name, role, *departments, city=city)
        own = client.application.test_client()
        own.set_cookie(COOKIE, session.secret, path="/desk")
        return cls(own, session)

    @property
    def principal(self) -> Principal:
        """The account."""
        return self.session.principal

    def get(self, path: str = "", **more: Any) -> TestResponse:
        """Open a page of the city."""
        return self.client.get(path if path.startswith("/") else HOME + path, **more)

    def post(self, path: str, *, files: Mapping[str, Any] | None = None, **fields: Any) -> TestResponse:
        """Send a form with the token of the session."""
        data = {"form_token": form_token(self.session.secret)} | fields | dict(files or {})
        return self.client.post(path if path.startswith("/") else HOME + path, data=data)

    def order(self, number: int, command: str, version: int = 1, **fields: Any) -> TestResponse:
        """Send the form of a command."""
        return self.post(f"requests/{number}", do=command, version=str(version), **fields)


def signed_in(platform: Platform, name: str, role: Role, *departments: str, city: str = "city.example") -> Session:
    """The session of a new account."""
    options: dict[str, Any] = {"principal": SHELL, "now": utc_now()}
    add_account(platform, name=name, role=role, jurisdiction_id=city, departments=departments, **options)
    return sign_in(platform, issue_login(platform, city, name, **options).secret, now=utc_now())


def field_of(document: HtmlElement, name: str) -> str:
    """The value of a field of a page."""
    return str(document.xpath(f"//*[@name='{name}']/@value")[0])
