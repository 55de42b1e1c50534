"""Markdown of a city's articles, as HTML and as plain text.

HTML in the Markdown is refused, and so are pictures. So the result has only elements that this module makes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

_ADDRESSES = ("https://", "http://", "mailto:", "tel:")
_ENDS = ("paragraph_close", "heading_close", "th_close", "td_close", "fence", "code_block")


class MarkdownError(Exception):
    """Markdown that an article cannot have.

    line  the line of the text, from 1
    """

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Marked:
    """A text as HTML and without markup."""

    html: str
    plain: str


def read_markdown(text: str) -> Marked:
    """A text in Markdown (CommonMark with tables). Raises MarkdownError for the first part that is not allowed."""
    parser = _parser()
    tokens = parser.parse(text)
    for token in tokens:
        _check(token)
    html = parser.renderer.render(tokens, parser.options, {})
    return Marked(str(html).strip(), " ".join("".join(_plain(tokens)).split()))


@cache
def _parser() -> MarkdownIt:
    """Reads HTML as HTML, so that `_check` can refuse it."""
    return MarkdownIt("commonmark", {"html": True}).enable("table")


def _check(token: Token) -> None:
    line = token.map[0] + 1 if token.map else 1
    for one in (token, *(token.children or ())):
        if one.type in ("html_block", "html_inline"):
            raise MarkdownError(line, "has HTML; write Markdown, and \\< for the sign itself.")
        if one.type == "image":
            raise MarkdownError(line, "has a picture; an article has only text and links.")
        if one.type == "heading_open" and one.tag == "h1":
            raise MarkdownError(line, "has a heading of the first level, as the title; begin the heading with ##.")
        if one.type == "link_open" and not str(one.attrs.get("href", "")).lower().startswith(_ADDRESSES):
            raise MarkdownError(
                line, f"has a link that does not begin with {', '.join(_ADDRESSES)}; apps need the whole address."
            )


def _plain(tokens: Sequence[Token]) -> Iterator[str]:
    """The pieces of the text, with blanks between blocks."""
    for token in tokens:
        if token.children is not None:
            yield from _plain(token.children)
        elif token.type in ("text", "code_inline", "fence", "code_block"):
            yield token.content
        elif token.type in ("softbreak", "hardbreak"):
            yield " "
        if token.type in _ENDS:
            yield " "
