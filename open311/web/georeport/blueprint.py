"""The blueprints that all GeoReport calls hang on."""

from open311.web.blueprint import ExtensionBlueprint, GeoReportBlueprint

ROOT = "/open311"
BASE = f"{ROOT}/v2"

georeport = GeoReportBlueprint("georeport", __name__, description="GeoReport v2")
extensions = ExtensionBlueprint("extensions", __name__, description="Beyond GeoReport v2 (spec/extensions.md)")
root = GeoReportBlueprint("discovery", __name__, description="Where the API is")
