"""What all pages for staff have in common, and their answers, which no cache keeps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode

from open311.domain.access import Principal, Role
from open311.operations.access.staff import name_of
from open311.operations.platform import Platform
from open311.translations import COMPLETE, ENGLISH
from open311.web.calls import Answer, Call
from open311.web.portal.rendering import Frame, city_path, render
from open311.web.session_cookies import form_token, read_secret
from open311.web.surfaces import DESK


@dataclass(frozen=True)
class DeskFrame(Frame):
    """A frame with the addresses of pages for staff.

    principal  the account that is signed in; None where nobody is
    platform   knows the name of the account; None where nobody is signed in
    """

    principal: Principal | None = None
    platform: Platform | None = None

    @classmethod
    def of(cls, call: Call) -> DeskFrame:
        """The frame of a page for a call."""
        account = call.principal if call.principal is not None and call.principal.kind == "staff" else None
        return cls(call.request, call.named_city, account, call.platform if account else None)

    @cached_property
    def name(self) -> str:
        """The name of the account; "" where nobody is signed in. It is read once, and only if a page shows it."""
        return name_of(self.platform, self.principal) if self.platform and self.principal else ""

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that have all texts for staff. In any other language, half of a page would be English."""
        return (ENGLISH, *COMPLETE)

    @property
    def form_token(self) -> str:
        """The token that each form has to send. Other sites cannot know it."""
        return form_token(read_secret(self.request))

    @property
    def decides(self) -> bool:
        """Whether the account may decide what the public sees."""
        return self._is(Role.DISPATCHER)

    @property
    def manages(self) -> bool:
        """Whether the account may manage what belongs to all departments: keys, texts, and data of persons."""
        return self.administers and self.principal is not None and not self.principal.scope.departments

    @property
    def administers(self) -> bool:
        """Whether the account is an admin, perhaps only of some departments."""
        return self._is(Role.ADMIN)

    @property
    def works(self) -> bool:
        """Whether the account may work on requests."""
        return self._is(Role.AGENT)

    @cached_property
    def home(self) -> str:
        """The address of the first page for staff, which leads to the city of the account."""
        return self._address("/")

    @property
    def sign_in(self) -> str:
        """The address of the page that says how to sign in."""
        return self._address("/sign-in")

    def sign_in_with(self, city_id: str, **query: str) -> str:
        """The address that leads to the sign-in service of a city."""
        return self._address(f"/sign-in/with/{quote(city_id, safe='')}", **query)

    @property
    def signed_out(self) -> str:
        """The address of the page after signing out."""
        return self._address("/sign-in", done="out")

    @property
    def sign_out(self) -> str:
        """The address to which the form that ends the session is sent."""
        return self._address("/sign-out")

    @property
    def account(self) -> str:
        """The address of the page of the account."""
        return self._address("/account")

    def link(self, path: str = "", **query: str) -> str:
        """The address of a page for staff of the city, in the language that was chosen by a link."""
        assert self.city is not None
        return self._address(f"/{quote(self.city.id, safe='')}/{path}", **query)

    def of_number(self, number: int, **query: str) -> str:
        """The address of the page of a request."""
        return self.link(f"requests/{number}", **query)

    def public_page(self, service_request_id: str) -> str:
        """The address of a request's page for citizens."""
        assert self.city is not None
        return f"{city_path(self.request.root_path, self.city.id)}requests/{quote(service_request_id, safe='')}"

    def public_map(self, **query: str) -> str:
        """The address of a picture of the map."""
        assert self.city is not None
        return f"{city_path(self.request.root_path, self.city.id)}map.svg?{urlencode(query)}"

    def city_link(self, city_id: str) -> str:
        """The address of the queue of a city."""
        return self._address(f"/{quote(city_id, safe='')}/")

    def _address(self, path: str, **query: str) -> str:
        pairs = {name: value for name, value in query.items() if value} | (
            {"locale": self.locale} if self.locale else {}
        )
        address = f"{self.request.root_path}{DESK.prefix}{path}"
        return f"{address}?{urlencode(pairs)}" if pairs else address

    def _is(self, role: Role) -> bool:
        return self.principal is not None and self.principal.role.includes(role)


def desk_page(
    call: Call,
    template: str,
    *,
    status: int = 200,
    headers: tuple[tuple[str, str], ...] = (),
    **values: Any,
) -> Answer:
    """A page for staff."""
    frame = DeskFrame.of(call)
    return Answer(
        body=render(f"desk/{template}", frame, values).encode(),
        status=status,
        language=frame.language,
        cache_control="no-store",
        has_tag=False,
        headers=headers,
    )
