"""Texts of pages: templates mark them with `{% trans %}` and `_()`, and Flask-Babel shows them.

The translations are in the same files as those of all other texts, and the language is chosen in the same way. But
a placeholder is written `%(name)s`, not `{name}`.
"""

from __future__ import annotations

from functools import cached_property

import flask
from babel.support import NullTranslations
from flask_babel import Babel, Domain, get_locale

from open311.translations import translations_in
from open311.web.languages import caller_language


class PageTexts(Babel):  # type: ignore[misc]  # Flask-Babel has no types
    """Flask-Babel with our translations. The loader of Flask-Babel reads only compiled files."""

    @cached_property
    def domain_instance(self) -> Domain:
        """The source of the translations of templates."""
        return _Ours()


class _Ours(Domain):  # type: ignore[misc]
    def get_translations(self) -> NullTranslations:
        """The translations into the language of the call."""
        return translations_in(str(get_locale()).replace("_", "-"))


def register_page_texts(app: flask.Flask) -> None:
    """Let templates show texts, dates and numbers in the caller's language."""
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    PageTexts(app, locale_selector=lambda: caller_language(flask.request).replace("-", "_"))
