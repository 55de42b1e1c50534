"""The parameters of the pages for citizens."""

from __future__ import annotations

from schemas.arguments import Arguments
from schemas.limits import MAX_QUERY_CHARACTERS
from schemas.parameters import TextParameter


class PageArguments(Arguments):
    """The parameter of every page."""

    locale = TextParameter("Language of the page; overrides Accept-Language.", "es", aliases=("langcode",))


class StartArguments(PageArguments):
    """The parameters of the first page."""

    q = TextParameter("Words to search for.", "hole", most_characters=MAX_QUERY_CHARACTERS, default="")
