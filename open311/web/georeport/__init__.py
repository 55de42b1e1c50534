"""GeoReport v2: discovery, services, definitions, requests, tokens; and our own calls beside them."""

from collections.abc import Callable

from flask import Response
from flask_smorest import Api

from open311.web.georeport import changes, discovery, nearby, places, requests, services, tokens  # noqa: F401
from open311.web.georeport.blueprint import BASE, ROOT, extensions, georeport, root


def hot_views() -> dict[str, Callable[..., Response] | None]:
    """Views by rule for the quick lane; None for those that are not for it."""
    found = ((BASE, georeport), (BASE, extensions), (ROOT, root))
    return {f"{base}{rule}": view for base, blueprint in found for rule, view in blueprint.hot.items()}


def register_georeport(api: Api) -> None:
    """Serve the standard below BASE, and discovery at ROOT as well. The modules above register their calls."""
    api.register_blueprint(root, url_prefix=ROOT)
    api.register_blueprint(georeport, url_prefix=BASE)
    api.register_blueprint(extensions, url_prefix=BASE)
