"""GeoReport v2: discovery, services, definitions, requests, tokens."""

from flask_smorest import Api

from open311.web.georeport import discovery, requests, services, tokens  # noqa: F401  # they register their calls
from open311.web.georeport.blueprint import BASE, ROOT, georeport, root


def register_georeport(api: Api) -> None:
    """Serve the standard below BASE, and discovery at ROOT as well."""
    api.register_blueprint(root, url_prefix=ROOT)
    api.register_blueprint(georeport, url_prefix=BASE)
